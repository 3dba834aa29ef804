"""One vector a text, from the text encoders of a diffusers pipeline."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

Embed = Callable[[Sequence], NDArray[np.float64]]
# Of texts, [texts, dimensions].

_BATCH = 64
# The longest text in tokens where a tokenizer names no bound of its own.
_TOKENS = 256


def text_encoders(pipe: "DiffusionPipeline") -> dict[str, Embed]:
    """Return the function from texts to vectors of each text encoder that a pipeline was loaded with, by its name."""
    parts = [name for name in pipe.components if name.startswith("text_encoder") and getattr(pipe, name) is not None]
    return {
        part: batched(_sentences(getattr(pipe, part), getattr(pipe, part.replace("text_encoder", "tokenizer"))))
        for part in parts
    }


def batched(embed: Callable[[Sequence], torch.Tensor]) -> Embed:
    """Return the function that embeds some stimuli at a time."""

    def vectors(stimuli: Sequence) -> NDArray[np.float64]:
        parts = [embed(stimuli[start : start + _BATCH]) for start in range(0, len(stimuli), _BATCH)]
        return np.concatenate([part.double().cpu().numpy() for part in parts])

    return vectors


def _sentences(encoder, tokenizer) -> Callable[[Sequence[str]], torch.Tensor]:
    """Return the function from texts to one vector each: the encoder's own pooling, else the mean over tokens."""
    longest = min(tokenizer.model_max_length, _TOKENS)

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> torch.Tensor:
        tokens = tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
        tokens = tokens.to(encoder.device)
        output = encoder(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, output_hidden_states=True)
        for pooled in ("text_embeds", "pooler_output"):
            if getattr(output, pooled, None) is not None:
                return getattr(output, pooled)
        mask = tokens.attention_mask.unsqueeze(-1)
        return (output.hidden_states[-1] * mask).sum(1) / mask.sum(1)

    return embed
