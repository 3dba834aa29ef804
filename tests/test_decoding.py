"""Decoding apart from denoising: the stock pipelines' pixels, and what a lack of memory costs."""

import numpy as np
import pytest
import torch

from fairsweep.engine.generate import Generator
from fairsweep.families import family_of
from fairsweep.families.texts import TextCache
from fairsweep.guidance import Conditioning
from fairsweep.pipelines.decoding import Decoder
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches
from fairsweep.spec import ModelSpec, SweepSpec
from fairsweep.store import Store
from support import tiny

BUILD = {
    "stable-diffusion": tiny.build_sd,
    "stable-diffusion-xl": tiny.build_sdxl,
    "stable-diffusion-3": tiny.build_sd3,
    "flux": lambda: tiny.build_flux(distilled=False),
}
CONDITIONINGS = [Conditioning("a photo of a nurse"), Conditioning("a firefighter"), Conditioning("a nurse")]
SEEDS = [3, 4, 5]


def pipeline(build, dtype: str = "float32") -> Pipeline:
    model = ModelSpec(name="tiny", source="tiny", steps=2, guidance_scale=5.0, width=32, height=32, dtype=dtype)
    return Pipeline(build().to(getattr(torch, dtype)), model)


def pixels(images) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


def out_of_memory(vae, times: int, error: type = torch.OutOfMemoryError) -> list[int]:
    """Let the autoencoder run out of memory so many times; return the batch sizes asked for."""
    decode, asked = vae.decode, []

    def failing(latents, *args, **kwargs):
        asked.append(len(latents))
        if len(asked) <= times:
            raise error("CUDA out of memory. Tried to allocate 8.00 GiB")
        return decode(latents, *args, **kwargs)

    vae.decode = failing
    return asked


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", BUILD)
def test_pixels_are_the_stock_pipelines(family, dtype):
    made = pipeline(BUILD[family], dtype)
    stock = made.pipe(
        **made._conditioning(CONDITIONINGS),
        num_inference_steps=2,
        width=32,
        height=32,
        generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
    ).images
    assert np.array_equal(pixels(made.generate(CONDITIONINGS, SEEDS)), pixels(stock))


def test_latents_with_a_mean_are_decoded_as_sdxl_does():
    made = pipeline(tiny.build_sdxl)
    made.pipe.vae.register_to_config(latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.0, 2.0, 0.5, 1.5])
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    stock = made.pipe(
        **made._conditioning(CONDITIONINGS), num_inference_steps=2, width=32, height=32, generator=generators
    ).images
    assert np.array_equal(pixels(made.generate(CONDITIONINGS, SEEDS)), pixels(stock))


def test_an_out_of_memory_in_half_precision_leaves_sdxl_usable():
    """Its autoencoder overflows in half precision; one that is upcast for each call stays so when the call fails."""
    made = pipeline(tiny.build_sdxl, "float16")
    assert made.pipe.vae.config.force_upcast and made.pipe.unet.dtype == torch.float16
    before = pixels(made.generate(CONDITIONINGS, SEEDS))
    asked = out_of_memory(made.pipe.vae, times=1)
    # One at a time now, where a convolution may add in another order: a level of 255 at most.
    assert abs(pixels(made.generate(CONDITIONINGS, SEEDS)).astype(int) - before).max() <= 1
    assert asked == [3, 3] and made.decoding == "one at a time"
    assert abs(pixels(made.generate(CONDITIONINGS, SEEDS)).astype(int) - before).max() <= 1
    assert len(asked) == 3


def test_the_stock_pipeline_fails_where_this_one_goes_on():
    """What the decoder is for; once diffusers mends it, it can go."""
    pipe = tiny.build_sdxl().to(torch.float16)
    call = {"prompt": "a nurse", "num_inference_steps": 1, "width": 32, "height": 32}
    out_of_memory(pipe.vae, times=1)
    with pytest.raises(torch.OutOfMemoryError):
        pipe(**call)
    assert pipe.vae.dtype == torch.float32


def test_ever_smaller_parts_until_memory_suffices():
    pipe = tiny.build_sd(size=256)
    latents = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    decoder = Decoder(pipe, family_of(pipe), 256, 256)
    with torch.inference_mode():
        whole = pixels(decoder.decode(latents)).astype(int)
        assert decoder.way == "whole batches"
        asked = out_of_memory(pipe.vae, times=2)
        tiled = pixels(decoder.decode(latents)).astype(int)
        assert decoder.way == "tiles of 32 latent pixels" and len(asked) == 3
        # Tiles overlap and are blended: the same pictures, not the same bits.
        assert tiled.shape == whole.shape and 0 < abs(tiled - whole).mean() < 8
        assert np.array_equal(pixels(decoder.decode(latents)), tiled) and len(asked) == 4


def test_what_no_part_is_small_enough_for_fails_with_the_reason():
    made = pipeline(tiny.build_sd)
    asked = out_of_memory(made.pipe.vae, times=9, error=RuntimeError)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        made.generate(CONDITIONINGS, SEEDS)
    assert asked == [3, 3]


def test_texts_are_kept_up_to_so_many_bytes():
    pipe = tiny.build_sd()
    one = 77 * 32 * 4
    cache = TextCache(pipe, family_of(pipe), capacity=3 * one)
    first = cache.encode(["a nurse"])["prompt_embeds"]
    assert first.untyped_storage().nbytes() == one
    cache.encode([f"a photo of {number}" for number in range(20)])
    assert cache._bytes == 3 * one and len(cache._embeddings) == 3
    assert torch.equal(cache.encode(["a nurse"])["prompt_embeds"], first)


def test_what_is_denoised_is_kept_when_decoding_fails(tiny_data, tmp_path):
    spec = SweepSpec.model_validate(tiny_data)
    store = Store(tmp_path)
    plan = write_plan(spec, store)
    with Todo(store, plan) as todo:
        batch = next(batches(plan, todo.missing()))
    generator = Generator(spec, "cpu")
    generator.load(batch.model)
    pipe, forwards = generator._pipeline.pipe, []
    pipe.unet.register_forward_pre_hook(lambda *_: forwards.append(1))
    # The batch, then one at a time; then its halves and each image by itself: the first fails, alone.
    out_of_memory(pipe.vae, times=4)
    images, *_ = generator.make(batch)
    assert [type(image).__name__ for image in images] == ["OutOfMemoryError", *["Image"] * 3]
    assert len(forwards) == spec.models[0].steps
