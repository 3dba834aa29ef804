"""Write the trained models as others ship theirs: a diffusers pipeline folder and an open_clip folder, in float16."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from open_clip import CLIP
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTokenizer

from fairsweep.portraits.networks import build_scheduler, clip_config, text_encoder


def save_pipeline(
    folder: Path, vae: AutoencoderKL, unet: UNet2DConditionModel, clip: CLIP, tokenizer: CLIPTokenizer
) -> None:
    """Write a folder that `StableDiffusionPipeline.from_pretrained` reads."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=text_encoder(clip, tokenizer.bos_token_id, tokenizer.eos_token_id),
        tokenizer=tokenizer,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    # The modules are the caller's: give them back as they came.
    pipeline.to(torch.float32)
    # transformers loads in the dtype that the configuration names, diffusers in float32: make the two agree.
    config = folder / "text_encoder" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"float16"', '"float32"'), encoding="utf-8")


def save_clip(folder: Path, clip: CLIP, heads: nn.Linear, tokenizer: CLIPTokenizer) -> None:
    """Write a folder that `open_clip.create_model("local-dir:...")` reads, the reading heads beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    # A folder's own tokenizer is read from the folder, whatever its name.
    config = {
        "model_cfg": clip_config(len(tokenizer), tokenizer_name="portraits"),
        "preprocess_cfg": {
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "interpolation": "bilinear",
            "resize_mode": "squash",
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    save_file(_half(clip), folder / "open_clip_model.safetensors")
    save_file(_half(heads), folder / "heads.safetensors")


def _half(module: nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in module.state_dict().items()
    }
