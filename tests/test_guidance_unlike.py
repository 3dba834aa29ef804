"""Pipelines whose predictions are made otherwise than the mechanism takes for granted: told in a line, or right."""

import diffusers
import pytest
import torch
import transformers
from diffusers import DDPMScheduler, PyramidAttentionBroadcastConfig
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Edit, fair_guidance, toward
from fairsweep.guidance.prediction import sign_of
from support import tiny, zoo
from support.tiny import relative
from support.zoo_parts import flow, listening

PROMPT = "a photo of a nurse"
STRONG = toward("female person", "male person", scale=8.0, threshold=0.0, warmup_steps=0)


def wan(boundary: float | None):
    """Build Wan with two networks: from noise to the boundary the first predicts, then the second."""
    tokenizer = tiny.t5_tokenizer()
    config = transformers.UMT5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)

    def network():
        transformer = diffusers.WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=32,
            freq_dim=16,
            ffn_dim=32,
            num_layers=1,
            rope_max_seq_len=32,
        )
        return listening(transformer, "text_embedder")

    torch.manual_seed(0)
    pipe = diffusers.WanPipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.UMT5EncoderModel(config).eval(),
        vae=None,
        scheduler=flow(),
        transformer=network(),
        transformer_2=network() if boundary else None,
        boundary_ratio=boundary,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def film_of_one(pipe, prompt=PROMPT, scale=4.0, steps=4):
    return pipe(
        prompt=[prompt],
        height=32,
        width=32,
        num_frames=1,
        max_sequence_length=32,
        num_inference_steps=steps,
        guidance_scale=scale,
        generator=[torch.Generator().manual_seed(3)],
        output_type="latent",
    ).frames


def test_a_film_of_one_frame_is_a_picture():
    """Wan draws pictures, too: one step is what stock calls with the concept as the prompt say."""
    pipe = wan(None)
    edit = Edit((Concept("an old person", scale=3.0, threshold=0.0, warmup_steps=0),), momentum_scale=0.0)
    stock, concept = film_of_one(pipe, steps=1), film_of_one(pipe, "an old person", 7.0, 1)
    with fair_guidance(pipe, [edit]):
        guided = film_of_one(pipe, steps=1)
    wanted = stock + concept - film_of_one(pipe, "an old person", 4.0, 1)
    assert relative(guided, stock) > 1e-4
    assert relative(guided, wanted) < 2e-6


def test_a_second_network_is_not_left_unguided_in_silence():
    pipe = wan(0.5)
    refused = "WanPipeline makes a prediction without its transformer, maybe by a second one: it cannot be guided"
    with fair_guidance(pipe, [STRONG]), pytest.raises(FairsweepError, match=refused):
        film_of_one(pipe)
    # What is over before the second one begins is whole, and without an edit nothing is asked.
    over = toward("female person", scale=8.0, warmup_steps=0, cooldown_steps=1, momentum_scale=0.0)
    stock = film_of_one(pipe)
    with fair_guidance(pipe, [over]):
        assert relative(film_of_one(pipe), stock) > 1e-4
    with fair_guidance(pipe, [None]):
        assert torch.equal(film_of_one(pipe), stock)


def pixels(variance: str):
    """Build DeepFloyd's pipeline: it hands learned variance on to its scheduler beside the prediction."""
    tokenizer = tiny.t5_tokenizer()
    torch.manual_seed(0)
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type=variance, thresholding=False)
    pipe = diffusers.IFPipeline(
        tokenizer=tokenizer,
        text_encoder=tiny.t5_text(tokenizer),
        unet=tiny.unet(in_channels=3, out_channels=6),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("variance", ["learned_range", "fixed_small"])
@pytest.mark.parametrize("scale", [4.0, 1.0])
def test_learned_variance_is_not_edited(variance, scale):
    pipe, seen = pixels(variance), []
    step = pipe.scheduler.step

    def noted(model_output, timestep, sample, **more):
        seen.append(model_output)
        return step(model_output, timestep, sample, **more)

    def draw():
        pipe.scheduler.step = noted
        images = pipe(
            prompt=[PROMPT],
            height=8,
            width=8,
            num_inference_steps=1,
            guidance_scale=scale,
            generator=[torch.Generator().manual_seed(0)],
            output_type="pt",
            clean_caption=False,
        ).images
        return seen.pop(), images

    stock, _ = draw()
    with fair_guidance(pipe, [STRONG]):
        guided, _ = draw()
    assert relative(guided[:, :3], stock[:, :3]) > 1e-3
    assert torch.equal(guided[:, 3:], stock[:, 3:])


def test_a_cache_that_takes_every_call_for_the_same_is_refused():
    """Concepts would be given what the prompts left there, and the prompts what the concepts did."""
    pipe = tiny.build_flux()
    call = {"height": 32, "width": 32, "max_sequence_length": 32, "guidance_scale": 3.5, "num_inference_steps": 4}

    def draw():
        generator = [torch.Generator().manual_seed(0)]
        return pipe([PROMPT], generator=generator, output_type="latent", **call).images

    with fair_guidance(pipe, [STRONG]):
        wanted = draw()
    cache = PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 1001),
        current_timestep_callback=lambda: 500,
    )
    pipe.transformer.enable_cache(cache)
    cached = draw()
    with fair_guidance(pipe, [None]):
        assert torch.equal(draw(), cached)
    with (
        fair_guidance(pipe, [STRONG]),
        pytest.raises(FairsweepError, match=r"cannot tell concepts from prompts .*: call disable_cache\(\)"),
    ):
        draw()
    pipe.transformer.disable_cache()
    with fair_guidance(pipe, [STRONG]):
        assert torch.equal(draw(), wanted)


class Around(diffusers.StableDiffusionPipeline):
    """Hands its prompts to another pipeline of its parts, as pipelines of two stages do."""

    def __call__(self, prompt, **options):
        return diffusers.StableDiffusionPipeline(**self.components, requires_safety_checker=False)(prompt, **options)


def test_what_a_pipeline_keeps_of_its_rows_beside_them_is_not_read_by_concepts_in_silence():
    """FLUX.2 Klein with a source picture keeps its keys and values from the first step on, a row for each image."""
    pipe = diffusers.Flux2KleinKVPipeline(**zoo.build("Flux2KleinPipeline").components)
    size = {"height": 32, "width": 32, "max_sequence_length": 16, "num_inference_steps": 3, "output_type": "latent"}

    def draw(**more):
        return pipe(prompt=[PROMPT], generator=torch.Generator().manual_seed(0), **size, **more).images

    def run(edits, **more):
        with fair_guidance(pipe, edits):
            return draw(**more)

    assert not torch.equal(run([STRONG]), draw())
    picture = {"image": [Image.new("RGB", (64, 64), "red")]}
    assert torch.equal(run([None], **picture), draw(**picture))
    with pytest.raises(FairsweepError, match="gives its transformer 'kv_cache', a Flux2KVCache, which may hold"):
        run([STRONG], **picture)


def test_a_pipeline_that_calls_another_is_not_left_unguided_in_silence():
    around = Around(**tiny.build_sd().components, requires_safety_checker=False)
    with fair_guidance(around, [None]):
        around([PROMPT], num_inference_steps=2, output_type="latent")
    refused = "Around took no step of its own, maybe because it calls another pipeline: its images are not guided"
    with fair_guidance(around, [STRONG]), pytest.raises(FairsweepError, match=refused):
        around([PROMPT], num_inference_steps=2, output_type="latent")


def test_a_prediction_that_the_latents_are_mixed_into_has_no_known_sign():
    """What predicts the picture itself, or velocity as Cosmos has it: an edit would have another scale at each step."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    noise, picture = drawn(2, 4, 16, 16), 0.5 * drawn(2, 4, 16, 16)
    text, empty = (picture + 0.05 * drawn(2, 4, 16, 16) for _ in range(2))
    for sigma in (80.0, 5.0, 1.0):
        latents, time = picture + sigma * noise, sigma / (sigma + 1)
        velocities = [noise - each for each in (text, empty)]
        clean = [(1 - time) * latents - time * each for each in velocities]
        mixed = (latents - (5 * clean[0] - 4 * clean[1])) / sigma
        with pytest.raises(FairsweepError, match="in a way that is not known"):
            sign_of(mixed, velocities, "Cosmos")
    with pytest.raises(FairsweepError, match="in a way that is not known"):
        sign_of(noise - (5 * text - 4 * empty), [text, empty], "PRX")


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_what_is_rescaled_is_found(sign):
    """By image, by token, by row; with a third branch; in half precision; of one branch alone."""
    generator = torch.Generator().manual_seed(1)
    common = torch.randn(3, 4, 16, 16, generator=generator)
    text, empty, third = (common + 0.2 * torch.randn(3, 4, 16, 16, generator=generator) for _ in range(3))
    guided = empty + 7.5 * (text - empty)
    for dims in ((1, 2, 3), (-1,)):
        sizes = [torch.linalg.vector_norm(each, dim=dims, keepdim=True) for each in (text, guided)]
        rescaled = guided * sizes[0] / sizes[1]
        assert sign_of(sign * rescaled, [empty, text], "it") == sign
    assert sign_of(sign * (guided + 2.8 * (text - third)), [empty, text, third], "it") == sign
    halves = [each.bfloat16() for each in (empty, text)]
    assert sign_of(sign * (halves[0] + 7.5 * (halves[1] - halves[0])), halves, "it") == sign
    assert sign_of(sign * text, [text], "it") == sign
