"""The denoiser's training: v-prediction on cached latents, conditioned on the frozen text tower."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from fairsweep.portraits.networks import build_noise_schedule, build_unet
from fairsweep.portraits.scaling import to_model_range
from fairsweep.portraits.tokenizer import tokenize
from fairsweep.portraits.training.corpus import Corpus
from fairsweep.portraits.training.loop import Stage

_SNR_CAP = 5.0
_TIME_QUANTILES = ((0.0, 0.2, 0.85, 1.0), (0.0, 0.4, 0.8, 1.0))
"""Shares of a batch, and the times of the schedule up to which they are trained: two thirds lie where the groups are
decided. An undertrained denoiser errs there towards the average face, which reads as one group rather than another."""


class UnetStage(Stage):
    """Train the denoiser; the empty captions of the corpus are its classifier-free dropout."""

    name = "unet"
    batch_size = 64
    learning_rate = 1.2e-3
    ema_decay = 0.9995

    def __init__(self, corpus: Corpus, latents: torch.Tensor, text: CLIPTextModel, tokenizer: CLIPTokenizer):
        self.corpus, self.latents, self.text, self.tokenizer = corpus, latents, text, tokenizer
        self.device = latents.device
        self.module = build_unet().to(self.device)
        self.scheduler = build_noise_schedule()
        signal = self.scheduler.alphas_cumprod
        self.snr = (signal / (1 - signal)).to(self.device)
        self.read: dict[str, torch.Tensor] = {}

    def loss(self, rows: np.ndarray, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        latents = self.latents[rows]
        noise = torch.randn(latents.shape, generator=generator, device=self.device)
        # One time per slice of the quantiles: the same mix of easy and hard steps in every batch.
        slices = rng.permutation(len(rows)) + rng.random(len(rows))
        times = torch.from_numpy(np.interp(slices / len(rows), *_TIME_QUANTILES))
        times = (times * len(self.snr)).long().to(self.device)
        noisy = self.scheduler.add_noise(latents, noise, times)
        target = self.scheduler.get_velocity(latents, noise, times)
        predicted = self.module(noisy, times, encoder_hidden_states=self._read(rows, rng)).sample
        # Min-SNR weighting (Hang et al., arXiv 2303.09556) in its form for v-prediction.
        snr = self.snr[times]
        weight = (snr.clamp(max=_SNR_CAP) + 1) / (snr + 1)
        return {"denoise": (weight * (predicted - target).square().mean(dim=(1, 2, 3))).mean()}

    def _read(self, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return the text tower's states of a caption per row, (n, tokens, width).

        Each distinct caption is read once, and alone: the same numbers whatever else its batch says.
        """
        texts = self.corpus.captions(rows, rng)
        with torch.no_grad():
            for text in set(texts) - self.read.keys():
                self.read[text] = self.text(tokenize(self.tokenizer, [text]).to(self.device)).last_hidden_state[0]
        return torch.stack([self.read[text] for text in texts])


def encode_portraits(vae: AutoencoderKL, corpus: Corpus) -> torch.Tensor:
    """Return the latents of all portraits, (n, channels, h, w) float32 before scaling, sampled once."""
    latents = []
    torch.manual_seed(0)
    with torch.no_grad():
        for start in range(0, len(corpus), 64):
            rows = np.arange(start, min(start + 64, len(corpus)))
            latents.append(vae.encode(to_model_range(corpus.pixels(rows)).to(vae.device)).latent_dist.sample())
    return torch.cat(latents)
