"""What a model computes with: the type of its weights, and what a card may round float32 products to."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fairsweep.errors import ClusterError

# The first compute capability with kernels of its own for a type; torch emulates them, slowly, below.
_CAPABILITY = {"float16": (5, 3), "bfloat16": (8, 0), "tf32": (8, 0)}


def weights_type(dtype: str) -> torch.dtype:
    """Return the type of the weights of a model whose spec says `dtype`: TF32 rounds products, not weights."""
    return torch.float32 if dtype == "tf32" else getattr(torch, dtype)


def check_device(name: str, dtype: str, device: torch.device) -> None:
    """Raise ClusterError where the device has no kernels for the dtype of the model `name`: an id promises it."""
    if device.type == "cuda":
        card = torch.cuda.get_device_name(device)
        check_card(name, dtype, card, torch.cuda.get_device_capability(device))
    elif dtype == "tf32":
        raise ClusterError(f"model {name}: tf32 needs an NVIDIA card, and this is a {device.type}: use float32 here")


def check_card(name: str, dtype: str, card: str, capability: tuple[int, int]) -> None:
    """Raise ClusterError where a card of this compute capability has no kernels for the dtype of the model `name`."""
    least = _CAPABILITY.get(dtype, (0, 0))
    if capability < least:
        remedy = "float16 or float32" if capability >= _CAPABILITY["float16"] else "float32"
        raise ClusterError(
            f"model {name}: {dtype} needs compute capability {_dotted(least)}, and {card} has {_dotted(capability)}: "
            f"use {remedy}, or another card"
        )


@contextmanager
def products(dtype: str) -> Iterator[None]:
    """Let a card round float32 products as the dtype says, inside the block.

    float32 is float32 throughout. tf32 rounds every product to TF32. With half-precision weights, what is left in
    float32 (an autoencoder that would overflow) is left to torch: convolutions in TF32, matrices not.
    """
    matrices, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = dtype != "float32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matrices)
        torch.backends.cudnn.allow_tf32 = convolutions


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(str(number) for number in capability)
