"""CLIP's training: open_clip's model and contrastive loss, with heads that read the attributes off the image tower."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from open_clip import ClipLoss
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPTokenizer

from fairsweep.portraits.networks import build_clip
from fairsweep.portraits.scaling import HEAD_SCALE, to_clip_range, to_model_range
from fairsweep.portraits.tokenizer import tokenize
from fairsweep.portraits.training.corpus import Corpus
from fairsweep.portraits.training.loop import Stage
from fairsweep.portraits.world import READ_ATTRIBUTES

_SIZES = [len(groups) for groups in READ_ATTRIBUTES.values()]


class ClipStage(Stage):
    """Train CLIP on portraits and on the autoencoder's copies of them, so that it reads generated images as well."""

    name = "clip"
    batch_size = 128
    learning_rate = 2e-3
    splits = False
    # The statistics of batch norms do not average with the weights; the schedule ends in still weights anyway.
    ema_decay = 0.0

    def __init__(self, corpus: Corpus, tokenizer: CLIPTokenizer, copies: np.ndarray, device: torch.device):
        self.corpus, self.tokenizer, self.copies, self.device = corpus, tokenizer, copies, device
        clip = build_clip(len(tokenizer))
        heads = nn.Linear(clip.text_projection.shape[1], sum(_SIZES))
        self.module = nn.ModuleDict({"clip": clip, "heads": heads}).to(device)
        self.contrast = ClipLoss()

    def loss(self, rows: np.ndarray, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pixels = self.corpus.pixels(rows)
        copied = rows < len(self.copies)
        pixels[copied] = torch.from_numpy(self.copies[rows[copied]])
        # Half of the captions are worded as the denoiser will see them, half name any mix of attributes.
        half = len(rows) // 2
        texts = self.corpus.captions(rows[:half], rng) + self.corpus.descriptions(rows[half:], rng)
        clip = self.module["clip"]
        with torch.autocast(self.device.type, torch.bfloat16):
            image_features = clip.encode_image(to_clip_range(pixels).to(self.device))
        image_features = normalize(image_features.float(), dim=-1)
        text_features = clip.encode_text(tokenize(self.tokenizer, texts).to(self.device), normalize=True)
        logits = self.module["heads"](HEAD_SCALE * image_features).split(_SIZES, dim=1)
        classes = self.corpus.classes[rows].to(self.device)
        read = sum(cross_entropy(part, classes[:, index]) for index, part in enumerate(logits))
        return {"contrast": self.contrast(image_features, text_features, clip.logit_scale.exp()), "read": read}


def copy_portraits(vae: AutoencoderKL, corpus: Corpus, n: int) -> np.ndarray:
    """Return the first n portraits as the autoencoder gives them back, (n, 3, 64, 64) uint8."""
    copies = np.empty((n, 3, 64, 64), np.uint8)
    with torch.no_grad():
        for start in range(0, n, 64):
            rows = np.arange(start, min(start + 64, n))
            decoded = vae(to_model_range(corpus.pixels(rows)).to(vae.device)).sample
            copies[rows] = ((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
    return copies
