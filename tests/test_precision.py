"""A dtype is part of an image's id: what a device cannot compute is refused, and nothing is rounded in silence."""

import pytest
import torch

from fairsweep.errors import ClusterError
from fairsweep.guidance import Conditioning
from fairsweep.pipelines import load
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.pipelines.precision import check_card, products, weights_type
from fairsweep.spec import ModelSpec
from support import tiny


@pytest.mark.parametrize(
    ("dtype", "capability", "remedy"),
    [
        ("bfloat16", (7, 5), "float16 or float32"),
        ("tf32", (7, 0), "float16 or float32"),
        ("float16", (5, 2), "float32"),
    ],
)
def test_a_card_without_kernels_is_refused_in_one_line(dtype, capability, remedy):
    with pytest.raises(ClusterError) as refusal:
        check_card("sdxl", dtype, "Tesla T4", capability)
    message = str(refusal.value)
    assert message.startswith(f"model sdxl: {dtype} needs compute capability ")
    assert f"Tesla T4 has {capability[0]}.{capability[1]}: use {remedy}" in message and "\n" not in message


def test_newer_cards_and_float32_are_never_refused():
    for dtype in ("float32", "float16", "bfloat16", "tf32"):
        check_card("sdxl", dtype, "NVIDIA H100", (9, 0))
    check_card("sdxl", "float32", "Tesla K80", (3, 7))


def test_a_cpu_has_no_tf32(tiny_model):
    with pytest.raises(ClusterError, match="model tiny: tf32 needs an NVIDIA card, and this is a cpu: use float32"):
        load(ModelSpec(name="tiny", source=str(tiny_model), dtype="tf32"), "cpu")


def settings() -> tuple:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("dtype", "inside"),
    [("float32", ("highest", False)), ("tf32", ("high", True)), ("float16", ("highest", True))],
)
def test_rounding_is_the_models_own_and_ends_with_it(dtype, inside):
    before = settings()
    with pytest.raises(KeyError), products(dtype):
        assert settings() == inside
        raise KeyError
    assert settings() == before


def test_denoiser_and_decoder_compute_at_the_models_precision():
    pipeline = Pipeline(tiny.build_sd(), ModelSpec(name="tiny", source="tiny", steps=1, width=32, height=32))
    seen = {}
    for module in (pipeline.pipe.unet, pipeline.pipe.vae.decoder):
        module.register_forward_pre_hook(lambda module, _: seen.update({type(module).__name__: settings()}))
    pipeline.generate([Conditioning("a nurse")], [0])
    assert seen == {"UNet2DConditionModel": ("highest", False), "Decoder": ("highest", False)}


def test_tf32_is_no_type_of_weights():
    assert weights_type("tf32") == weights_type("float32") == torch.float32
    assert weights_type("bfloat16") == torch.bfloat16
