"""Train the built-in models one after the other and write them out; the same call goes on where it was stopped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from fairsweep.portraits.export import save_clip, save_pipeline
from fairsweep.portraits.networks import text_encoder
from fairsweep.portraits.tokenizer import build_tokenizer
from fairsweep.portraits.training.clip import ClipStage, copy_portraits
from fairsweep.portraits.training.corpus import Corpus
from fairsweep.portraits.training.loop import train
from fairsweep.portraits.training.unet import UnetStage, encode_portraits
from fairsweep.portraits.training.vae import VaeStage


@dataclass(frozen=True)
class Recipe:
    """How much is trained: about three hours on two CPU cores; the cards say how the shipped models came about."""

    portraits: int = 60_000
    copies: int = 12_000
    vae_steps: int = 6_800
    clip_steps: int = 1_100
    unet_steps: int = 35_500
    seed: int = 0


def train_models(
    work: Path,
    output: Path,
    recipe: Recipe,
    console: Console,
    device: str = "cpu",
) -> None:
    """Train the autoencoder, CLIP and the denoiser, and write `output`/pipeline and `output`/clip.

    `work` keeps the portraits and the checkpoints.
    """
    place, seed = torch.device(device), recipe.seed
    torch.manual_seed(seed)
    console.print(f"portraits  {recipe.portraits} are drawn into {work} unless they are there")
    corpus = Corpus.open(work, recipe.portraits, seed + 1)
    vae = train(VaeStage(corpus, place), work, recipe.vae_steps, seed=seed, console=console).requires_grad_(False)

    tokenizer = build_tokenizer()
    key = f"{recipe.portraits}-{recipe.vae_steps}"
    copies = _cached(work / f"copies-{key}.npy", lambda: copy_portraits(vae, corpus, recipe.copies))
    both = train(ClipStage(corpus, tokenizer, copies, place), work, recipe.clip_steps, seed=seed, console=console)
    clip = both["clip"].cpu()

    latents = torch.from_numpy(
        _cached(work / f"latents-{key}.npy", lambda: encode_portraits(vae, corpus).cpu().numpy())
    )
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    text = text_encoder(clip, tokenizer.bos_token_id, tokenizer.eos_token_id).to(place)
    scaled = (latents * vae.config.scaling_factor).to(place)
    unet = train(UnetStage(corpus, scaled, text, tokenizer), work, recipe.unet_steps, seed=seed, console=console)

    save_clip(output / "clip", clip, both["heads"].cpu(), tokenizer)
    save_pipeline(output / "pipeline", vae.cpu(), unet.cpu(), clip, tokenizer)
    console.print(f"written: {output / 'pipeline'} and {output / 'clip'}")


def _cached(path: Path, compute) -> np.ndarray:
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.save(file, compute())
        unfinished.rename(path)
    return np.load(path)
