"""The encoders that an audit looks at: open_clip models, and the text encoders of diffusers pipelines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.spec import SweepSpec
from fairsweep.spec.encoder import EncoderSpec

_BATCH = 64
# The longest text in tokens where a tokenizer names no bound of its own.
_TOKENS = 256


@dataclass(frozen=True)
class Encoder:
    """What maps texts, and images where it can, to vectors [stimuli, dimensions]."""

    name: str
    texts: Callable[[Sequence[str]], np.ndarray]
    images: Callable[[Sequence[Image.Image]], np.ndarray] | None = None


def encoders_of(spec: SweepSpec) -> tuple[EncoderSpec, ...]:
    """Return the encoders that a spec names; silent: its open_clip classifiers, and the text encoders of its models."""
    if spec.encoder and spec.encoder.encoders:
        return spec.encoder.encoders
    chosen = [
        EncoderSpec(name=c.name, kind="open_clip", model=c.params["model"], pretrained=c.params["pretrained"])
        for c in spec.classifiers
        if c.kind == "open_clip"
    ]
    if any(c.kind == "portraits" for c in spec.classifiers):
        chosen.append(EncoderSpec(name="portraits-clip", kind="open_clip", model="builtin:portraits"))
    names, sources = {encoder.name for encoder in chosen}, set()
    for model in spec.models:
        # Settings of one model share its encoders.
        if (model.source, model.revision) not in sources:
            sources.add((model.source, model.revision))
            name = f"{model.name}-text" if model.name in names else model.name
            chosen.append(EncoderSpec(name=name, kind="pipeline", model=model.name))
    return tuple(chosen)


def load(encoder: EncoderSpec, spec: SweepSpec, device: str) -> Iterator[Encoder]:
    """Yield the encoders that an item of a spec stands for, loaded; raises ModelLoadError."""
    if encoder.kind == "open_clip":
        from fairsweep.classifiers.clip import Clip

        clip = Clip(encoder.model, encoder.pretrained, device)
        yield Encoder(encoder.name, _batched(clip.embed_texts), _batched(clip.embed_images))
        return
    from fairsweep.pipelines.loading import load_pipeline

    pipe = load_pipeline(next(model for model in spec.models if model.name == encoder.model), device).pipe
    parts = [name for name in pipe.components if name.startswith("text_encoder") and getattr(pipe, name) is not None]
    if not parts:
        raise FairsweepError(f"encoder {encoder.name}: {type(pipe).__name__} was loaded without a text encoder")
    for part in parts:
        name = encoder.name if len(parts) == 1 else f"{encoder.name}.{part}"
        tokenizer = getattr(pipe, part.replace("text_encoder", "tokenizer"))
        yield Encoder(name, _batched(_sentences(getattr(pipe, part), tokenizer)))


def _sentences(encoder, tokenizer) -> Callable:
    """Return the function from texts to one vector each: the encoder's own pooling, else the mean over tokens."""
    import torch

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


def _batched(embed: Callable) -> Callable[[Sequence], np.ndarray]:
    def vectors(stimuli: Sequence) -> np.ndarray:
        parts = [embed(stimuli[start : start + _BATCH]) for start in range(0, len(stimuli), _BATCH)]
        return np.concatenate([part.double().cpu().numpy() for part in parts])

    return vectors
