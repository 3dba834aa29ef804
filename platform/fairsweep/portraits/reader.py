"""The built-in attribute classifier: the portraits' CLIP, and the heads that read attributes off its image tower."""

from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from safetensors.torch import load_file

from fairsweep.portraits.defaults import CLIP
from fairsweep.portraits.scaling import HEAD_SCALE, IMAGE_SIZE, to_clip_range
from fairsweep.portraits.world import READ_ATTRIBUTES


class Reader:
    """Read gender presentation, skin tone, age and occupation off portraits, and embed images and texts."""

    def __init__(self, folder: Path = CLIP, device: str | torch.device = "cpu"):
        import open_clip

        self.device = torch.device(device)
        self.clip = open_clip.create_model(f"local-dir:{folder}", device=self.device).float().eval()
        self.tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        heads = load_file(folder / "heads.safetensors")
        self.weight = heads["weight"].float().to(self.device)
        self.bias = heads["bias"].float().to(self.device)

    @torch.inference_mode()
    def embed(self, images: list[Image] | np.ndarray) -> torch.Tensor:
        """Return unit-length features (n, 128) of PIL images, or of uint8 pixels (n, 3, 64, 64)."""
        pixels = images if isinstance(images, np.ndarray) else _pixels(images)
        return self.clip.encode_image(to_clip_range(torch.from_numpy(pixels)).to(self.device), normalize=True)

    @torch.inference_mode()
    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        """Return unit-length features (n, 128) of texts."""
        return self.clip.encode_text(self.tokenizer(texts).to(self.device), normalize=True)

    @torch.inference_mode()
    def read(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return attribute -> probabilities (n, groups) in the order of READ_ATTRIBUTES, from image features."""
        logits = (HEAD_SCALE * features) @ self.weight.T + self.bias
        parts = logits.split([len(groups) for groups in READ_ATTRIBUTES.values()], dim=1)
        return {name: part.softmax(dim=1) for name, part in zip(READ_ATTRIBUTES, parts, strict=True)}

    def labels(self, images: list[Image] | np.ndarray, batch_size: int = 256) -> dict[str, np.ndarray]:
        """Return attribute -> the most probable group of each image, (n,) strings."""
        parts = [self.read(self.embed(images[i : i + batch_size])) for i in range(0, len(images), batch_size)]
        return {
            name: np.array(groups)[torch.cat([part[name] for part in parts]).argmax(dim=1).cpu().numpy()]
            for name, groups in READ_ATTRIBUTES.items()
        }


def _pixels(images: list[Image]) -> np.ndarray:
    size = (IMAGE_SIZE, IMAGE_SIZE)
    arrays = [np.asarray((i if i.size == size else i.resize(size)).convert("RGB")) for i in images]
    return np.stack(arrays).transpose(0, 3, 1, 2)
