"""What else runs while a guided pipeline is called, and what denoisers and pipelines do that a plain loop does not."""

import copy
import threading

import diffusers
import pytest
import torch
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Edit, fair_guidance
from support import tiny
from support.tiny import relative

PROMPT = "a photo of a nurse"


def toward_all(text: str, scale: float = 3.0, warmup_steps: int = 0) -> Edit:
    return Edit((Concept(text, scale=scale, threshold=0.0, warmup_steps=warmup_steps),), momentum_scale=0.0)


def run(pipe, prompt=PROMPT, steps=4, scale=4.0, seed=1, **call):
    generator = torch.Generator().manual_seed(seed)
    options = {"num_inference_steps": steps, "guidance_scale": scale, "output_type": "latent"} | call
    return pipe(prompt=prompt, generator=generator, **options).images


def of_the_same_parts(pipe, **parts):
    scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    other = diffusers.StableDiffusionPipeline(
        **pipe.components | {"scheduler": scheduler} | parts, requires_safety_checker=False
    )
    other.set_progress_bar_config(disable=True)
    return other


@pytest.mark.parametrize("prompt", [PROMPT, "a teacher"])
def test_a_callback_may_call_another_pipeline_of_the_same_parts(prompt):
    """A preview, say: its calls of the denoiser are none of the guided pipeline's, whatever its prompt."""
    pipe = tiny.build_sd()
    other = of_the_same_parts(pipe)
    previews = []

    def preview(_, step, time, tensors):
        previews.append(run(other, prompt, steps=1, seed=9))
        return tensors

    with fair_guidance(pipe, [toward_all("old person")]):
        wanted = run(pipe)
        assert torch.equal(run(pipe, callback_on_step_end=preview), wanted)
    assert len(previews) == 4
    assert all(torch.equal(shown, run(other, prompt, steps=1, seed=9)) for shown in previews)


def test_threads_share_a_denoiser():
    """Guided and unguided pipelines of one denoiser in several threads: each as alone, and nothing stays behind."""
    pipe = tiny.build_sd()
    edits = [toward_all("old person"), toward_all("female person"), None]
    # What encodes texts is their own: a tokenizer keeps how it pads, and is not made for threads.
    texts = {name: pipe.components[name] for name in ("tokenizer", "text_encoder")}
    pipes = [of_the_same_parts(pipe, **copy.deepcopy(texts)) for _ in edits]
    made = {}

    def draw(number: int, steps: int) -> None:
        with fair_guidance(pipes[number], [edits[number]]):
            made[number] = run(pipes[number], steps=steps)

    steps = [6, 14, 10]
    for number in range(3):
        draw(number, steps[number])
    alone = dict(made)
    threads = [threading.Thread(target=draw, args=(number, steps[number])) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(relative(made[number], alone[number]) < 1e-5 for number in range(3))
    assert "_compiled_call_impl" not in vars(pipe.unet)


def test_a_callback_may_replace_the_prompt_before_an_edit_begins():
    """The new prompt as concept acts as a stronger guidance from there on."""
    pipe = tiny.build_sd()
    embeds, empty = pipe.encode_prompt("a teacher", "cpu", 1, True, "")[:2]

    def replace(scale):
        def act(pipe, step, time, tensors):
            if step:
                return {}
            pipe._guidance_scale = scale
            return {"prompt_embeds": torch.cat([empty, embeds])}

        return act

    with fair_guidance(pipe, [toward_all("a teacher", 3.0, warmup_steps=1)]):
        guided = run(pipe, callback_on_step_end=replace(4.0))
    assert relative(guided, run(pipe, callback_on_step_end=replace(7.0))) < 1e-5
    assert relative(guided, run(pipe, callback_on_step_end=replace(4.0))) > 1e-3


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_stays_behind_after_an_error_in_a_call(error):
    pipe = tiny.build_sd()
    wanted, step = run(pipe), pipe.scheduler.step

    def stop(_, number, time, tensors):
        raise error

    with fair_guidance(pipe, [toward_all("old person")]):
        guided = run(pipe)
        with pytest.raises(error):
            run(pipe, callback_on_step_end=stop)
        assert torch.equal(run(pipe), guided)
    assert torch.equal(run(pipe), wanted)
    assert "_compiled_call_impl" not in vars(pipe.unet) and pipe.scheduler.step == step


def adapted():
    """Build a T2I-Adapter pipeline: its denoiser takes what it has used out of the list that it is given."""
    parts = {name: part for name, part in tiny.build_sd().components.items() if name != "image_encoder"}
    unet = diffusers.UNet2DConditionModel.from_config(
        parts["unet"].config
        | {
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        }
    ).eval()
    for name, weight in unet.named_parameters():
        if name.endswith("attn2.to_out.0.weight"):
            weight.data *= 30
    adapter = diffusers.T2IAdapter(in_channels=3, channels=[16, 32], num_res_blocks=1, downscale_factor=4).eval()
    for weight in adapter.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    pipe = diffusers.StableDiffusionAdapterPipeline(
        **parts | {"unet": unet}, adapter=adapter, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_a_denoiser_may_use_up_what_it_is_given():
    """One step is the formula: the picture's states hold for concepts too."""
    pipe = adapted()
    call = {"image": Image.radial_gradient("L").convert("RGB").resize((32, 32)), "height": 32, "width": 32}
    with fair_guidance(pipe, [toward_all("old person")]):
        guided = run(pipe, steps=1, **call)
    change = guided - run(pipe, steps=1, **call)
    direction = run(pipe, "old person", 1, 7.0, **call) - run(pipe, "old person", 1, 4.0, **call)
    assert relative(change, direction) < 2e-3


def picture_adapter(unet) -> dict:
    """Return the weights of an IP-Adapter: of a picture's 16 numbers four tokens, to which each attention listens."""
    tokens, width = 4, unet.config.cross_attention_dim
    attentions = [name.removesuffix(".processor") for name in unet.attn_processors if "attn2" in name]
    listening = {}
    for number, name in enumerate(attentions):
        channels = unet.get_submodule(name).to_k.weight.shape[0]
        listening[f"{2 * number + 1}.to_k_ip.weight"] = torch.randn(channels, width) * 0.5
        listening[f"{2 * number + 1}.to_v_ip.weight"] = torch.randn(channels, width) * 2
    norm = {"norm.weight": torch.ones(width), "norm.bias": torch.zeros(width)}
    projection = {"proj.weight": torch.randn(tokens * width, 16) * 0.5, "proj.bias": torch.zeros(tokens * width)}
    return {"image_proj": projection | norm, "ip_adapter": listening}


def test_an_adapter_of_pictures_holds_for_concepts():
    pipe = tiny.build_sd()
    torch.manual_seed(3)
    pipe.unet._load_ip_adapter_weights([picture_adapter(pipe.unet)])
    picture = torch.randn(1, 1, 16)
    call = {"ip_adapter_image_embeds": [torch.cat([torch.zeros_like(picture), picture])]}
    with fair_guidance(pipe, [toward_all("old person")]):
        guided = run(pipe, steps=1, **call)
    direction = run(pipe, "old person", 1, 7.0, **call) - run(pipe, "old person", 1, 4.0, **call)
    assert relative(guided - run(pipe, steps=1, **call), direction) < 2e-3
    assert relative(run(pipe, ip_adapter_image_embeds=[torch.zeros(2, 1, 16)]), run(pipe, **call)) > 1e-2


def test_a_scheduler_that_is_stepped_for_parts_of_a_picture_is_refused():
    """Panorama steps it for each view: warm-up would be counted in views. One view is a picture."""
    pipe = diffusers.StableDiffusionPanoramaPipeline(**tiny.build_sd().components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    call = {"steps": 2, "height": 512}
    with fair_guidance(pipe, [toward_all("old person", warmup_steps=2)]):
        one = run(pipe, width=512, **call)
        with pytest.raises(FairsweepError, match="steps its scheduler more often than it has time steps"):
            run(pipe, width=640, **call)
    assert torch.equal(run(pipe, width=512, **call), one)
