"""The encoders that an audit looks at: open_clip models, and the text encoders of diffusers pipelines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.spec import SweepSpec
from fairsweep.spec.encoder import EncoderSpec


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
    from fairsweep.pipelines.sentences import batched, text_encoders

    if encoder.kind == "open_clip":
        from fairsweep.classifiers.clip import Clip

        clip = Clip(encoder.model, encoder.pretrained, device)
        yield Encoder(encoder.name, batched(clip.embed_texts), batched(clip.embed_images))
        return
    from fairsweep.pipelines.loading import load_pipeline

    pipe = load_pipeline(next(model for model in spec.models if model.name == encoder.model), device).pipe
    encoders = text_encoders(pipe)
    if not encoders:
        raise FairsweepError(f"encoder {encoder.name}: {type(pipe).__name__} was loaded without a text encoder")
    for part, embed in encoders.items():
        yield Encoder(encoder.name if len(encoders) == 1 else f"{encoder.name}.{part}", embed)
