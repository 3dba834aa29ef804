"""What the built-in models read: sizes and scales, known without their libraries."""

import torch

IMAGE_SIZE = 64
HEAD_SCALE = 8.0
"""Factor on the unit-length image features before the reading heads, so that these can be sure of a class."""


def to_clip_range(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (n, 3, 64, 64) pixels into what the CLIP model reads, in [-1, 1]."""
    return to_model_range(images)


def to_model_range(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (n, 3, h, w) pixels into float in [-1, 1]."""
    return images.float() / 127.5 - 1
