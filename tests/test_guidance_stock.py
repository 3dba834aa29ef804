"""Whatever works with a stock pipeline works in a block of fair guidance, and nothing stays behind."""

import copy
import pickle

import diffusers
import pytest
import torch
from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig
from peft import LoraConfig
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Edit, fair_guidance, toward
from support import tiny
from support.tiny import relative

PROMPTS = ["a photo of a nurse", "a firefighter"]
STEPS = 6
STRONG = Edit((Concept("female person", scale=8.0, threshold=0.5, warmup_steps=1),), momentum_scale=0.3)


def run(pipe, prompts=PROMPTS[:1], **call):
    options = {"num_inference_steps": STEPS, "guidance_scale": 5.0, "output_type": "latent"} | call
    generators = [torch.Generator().manual_seed(7 + i) for i in range(len(prompts))]
    return pipe(prompt=prompts, generator=generators, **options).images


def itself(scale: float) -> Edit:
    """Return the edit of the prompt toward itself: it adds `scale` to the guidance scale of a linear formula."""
    return Edit((Concept(PROMPTS[0], scale=scale, threshold=0.0, warmup_steps=0),), momentum_scale=0.0)


@pytest.fixture
def pipe():
    return tiny.build_sd()


def add_lora(module, targets, name="default") -> None:
    module.add_adapter(LoraConfig(r=4, lora_alpha=16, target_modules=targets, init_lora_weights=False), name)


def test_a_lora_scale_holds_for_concepts(pipe):
    torch.manual_seed(1)
    add_lora(pipe.text_encoder, ["q_proj", "v_proj"])
    add_lora(pipe.unet, ["to_k", "to_v"])
    call = {"cross_attention_kwargs": {"scale": 0.3}}
    with fair_guidance(pipe, [itself(3.0)]):
        guided = run(pipe, **call)
    wanted = run(pipe, guidance_scale=8.0, **call)
    assert relative(guided, wanted) < 1e-5
    assert relative(run(pipe, guidance_scale=8.0), wanted) > 1e-2


def test_pipelines_of_the_same_parts_are_not_steered(pipe):
    wanted = run(pipe)
    with fair_guidance(pipe, [STRONG]):
        others = [
            diffusers.StableDiffusionPipeline(**pipe.components, requires_safety_checker=False),
            diffusers.StableDiffusionPipeline.from_pipe(pipe),
            copy.deepcopy(pipe),
        ]
        assert all(torch.equal(run(other), wanted) for other in others)
        assert relative(run(pipe), wanted) > 1e-2
    assert all(torch.equal(run(other), wanted) for other in [pipe, *others])


def test_a_pipeline_is_copied_and_pickled_as_the_stock_one(pipe):
    wanted = run(pipe)
    with fair_guidance(pipe, [STRONG]):
        for twin in (copy.copy(pipe), copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
            assert type(twin) is diffusers.StableDiffusionPipeline
            assert torch.equal(run(twin), wanted)
        assert torch.equal(copy.deepcopy(pipe.unet).conv_in.weight, pipe.unet.conv_in.weight)


def test_a_denoisers_output_is_left_as_it_is(pipe):
    """A caching denoiser keeps what it returned: nothing is written into it."""
    kept = []
    hook = pipe.unet.register_forward_hook(lambda module, args, output: kept.append((output[0], output[0].clone())))
    with fair_guidance(pipe, [STRONG]):
        run(pipe)
    hook.remove()
    assert len(kept) > STEPS
    assert all(torch.equal(output, copied) for output, copied in kept)


def test_a_textual_inversion_between_two_calls_counts(pipe):
    edit = Edit((Concept("<mine>", scale=8.0, threshold=0.5, warmup_steps=1),), momentum_scale=0.0)
    with fair_guidance(pipe, [edit]):
        before = run(pipe)
        pipe.load_textual_inversion(torch.randn(32, generator=torch.Generator().manual_seed(0)), token="<mine>")
        after = run(pipe)
    with fair_guidance(pipe, [edit]):
        assert torch.equal(run(pipe), after)
    assert relative(after, before) > 1e-3


def test_hooks_see_the_arguments_that_the_pipeline_gives(pipe):
    """Token merging reads the latents' size from the first positional argument."""
    sizes = []
    hook = pipe.unet.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[2:]))
    with fair_guidance(pipe, [STRONG]):
        run(pipe)
    hook.remove()
    assert len(sizes) > STEPS
    assert set(sizes) == {(8, 8)}


def test_a_replaced_forward_is_called_as_ever(pipe):
    """A forward that calls the denoiser on every other step only, as caching tools write it."""
    bare, state = pipe.unet.forward, {}

    def forward(sample, *args, **kwargs):
        rows = len(sample)
        state["calls"] = state.get("calls", 0) + 1
        if rows not in state or state["calls"] % 2:
            state[rows] = bare(sample, *args, **kwargs)
        return state[rows]

    wanted = run(pipe)
    pipe.unet.forward = forward
    cached = run(pipe)
    state.clear()
    with fair_guidance(pipe, [None]):
        assert torch.equal(run(pipe), cached)
    state.clear()
    with fair_guidance(pipe, [STRONG]):
        assert relative(run(pipe), cached) > 1e-3
    del pipe.unet.forward
    assert torch.equal(run(pipe), wanted)


@pytest.mark.parametrize(
    "cache",
    [FirstBlockCacheConfig(threshold=0.2), TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=1)],
    ids=["first-block", "taylor"],
)
def test_caches_of_blocks(cache):
    """Concepts start and stop: each number of rows has a state of its own, and unguided images are the cache's."""
    pipe = tiny.build_flux()
    call = {"height": 32, "width": 32, "max_sequence_length": 32, "guidance_scale": 3.5}
    edits = [
        toward("female person", scale=8.0, warmup_steps=1, cooldown_steps=4, momentum_scale=0.0),
        toward("old person", "male person", scale=8.0, warmup_steps=2),
        None,
    ]
    prompts = [*PROMPTS, "a teacher"]
    pipe.transformer.enable_cache(cache)
    wanted = run(pipe, prompts, **call)
    with fair_guidance(pipe, edits):
        guided = run(pipe, prompts, **call)
    assert torch.equal(guided[2], wanted[2])
    assert all(relative(one, other) > 1e-3 for one, other in zip(guided[:2], wanted[:2], strict=True))
    assert torch.equal(run(pipe, prompts, **call), wanted)


def test_double_precision_with_momentum():
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    pipe = tiny.build_sd()
    with fair_guidance(pipe, [STRONG]):
        single = run(pipe, latents=latents)
    pipe.to(torch.float64)
    with fair_guidance(pipe, [STRONG]):
        double = run(pipe, latents=latents.double())
    assert double.dtype == torch.float64
    assert relative(single.double(), double) < 1e-3


def test_a_users_own_methods_stay(pipe):
    encode, check, asked = pipe.encode_prompt, pipe.check_inputs, []

    def encode_prompt(*args, **kwargs):
        asked.append("encode")
        return encode(*args, **kwargs)

    def check_inputs(*args, **kwargs):
        asked.append("check")
        return check(*args, **kwargs)

    pipe.encode_prompt, pipe.check_inputs = encode_prompt, check_inputs
    with fair_guidance(pipe, [STRONG]):
        run(pipe)
    assert pipe.encode_prompt is encode_prompt and pipe.check_inputs is check_inputs
    assert asked.count("encode") > 1 and asked.count("check") == 1


def test_what_is_changed_in_a_block_is_changed(pipe, tmp_path):
    """Another denoiser, another type, adapters and a saved folder: as outside, and for the concepts too."""
    other = tiny.build_sd(seed=3).unet
    torch.manual_seed(2)
    for name in ("one", "two"):
        add_lora(other, ["to_k", "to_v"], name)
    with fair_guidance(pipe, [itself(3.0)]):
        run(pipe)
        pipe.unet = other
        assert pipe.unet is other
        pipe.unet.set_adapter("one")
        first = run(pipe)
        pipe.unet.set_adapter("two")
        second = run(pipe)
        stock = diffusers.StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
        assert relative(second, run(stock, guidance_scale=8.0)) < 1e-5
        pipe.unet.disable_adapters()
        pipe.save_pretrained(tmp_path)
        pipe.unet.enable_adapters()
        pipe.to(torch.bfloat16)
        half = run(pipe)
        pipe.to(torch.float32)
    assert type(pipe) is diffusers.StableDiffusionPipeline
    assert pipe.unet is other
    assert half.dtype == torch.bfloat16
    assert relative(first, second) > 1e-3
    assert (tmp_path / "model_index.json").is_file() and (tmp_path / "unet" / "config.json").is_file()


def test_perturbed_attention_is_refused_in_one_line():
    pipe = diffusers.StableDiffusionPAGPipeline.from_pipe(tiny.build_sd(), pag_applied_layers=["mid"])
    pipe.set_progress_bar_config(disable=True)
    for scale in (5.0, 1.0):
        with pytest.raises(FairsweepError, match=r"perturbed attention .*pag_scale=0"), fair_guidance(pipe, [STRONG]):
            run(pipe, pag_scale=2.0, guidance_scale=scale)
    wanted = run(pipe, pag_scale=2.0)
    with fair_guidance(pipe, [None]):
        assert torch.equal(run(pipe, pag_scale=2.0), wanted)


def test_a_source_pictures_tokens_do_not_count(monkeypatch):
    """Kontext appends the source picture's tokens; a threshold is a quantile over the image's own ones."""
    import fairsweep.guidance.stepping as stepping

    parts = tiny.build_flux().components
    pipe = diffusers.FluxKontextPipeline(**parts)
    pipe.set_progress_bar_config(disable=True)
    seen, directions = [], stepping.directions
    monkeypatch.setattr(stepping, "directions", lambda *args: seen.append(args[0].shape) or directions(*args))
    call = {"image": Image.new("RGB", (32, 32), "red"), "height": 32, "width": 32, "max_sequence_length": 32}
    with fair_guidance(pipe, [STRONG]):
        guided = run(pipe, guidance_scale=3.5, max_area=1024, _auto_resize=False, **call)
    assert set(seen) == {(1, 4, 64)}
    assert relative(guided, run(pipe, guidance_scale=3.5, max_area=1024, _auto_resize=False, **call)) > 1e-3
