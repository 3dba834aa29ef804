"""Embed the stimuli of an audit on the cluster: every text, and every set of pictures, by every encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from fairsweep.audits.actor import AuditActor, reports
from fairsweep.audits.encoder.encoders import Encoder, load
from fairsweep.engine.events import GivenUp
from fairsweep.errors import FairsweepError
from fairsweep.spec import SweepSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store


@dataclass(frozen=True)
class EmbedTask:
    """What an item of a spec's encoders is to embed: texts, and sets of pictures by their names."""

    encoder: EncoderSpec
    texts: tuple[str, ...]
    pictures: Mapping[str, Sequence[Image.Image]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"encoder {self.encoder.name}"

    def split(self) -> list["EmbedTask"]:
        """Return it as it is: an encoder is asked once."""
        return [replace(self)]


@dataclass(frozen=True)
class Embeddings:
    """What one encoder made of the stimuli: a vector a text, and [pictures, dimensions] a set of pictures."""

    name: str
    texts: Mapping[str, np.ndarray]
    pictures: Mapping[str, np.ndarray] | None

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, [texts, dimensions]."""
        return np.stack([self.texts[text] for text in texts])


def embedded(task: EmbedTask, encoders: Sequence[Encoder]) -> list[Embeddings]:
    """Return what loaded encoders make of a task's stimuli."""
    return [
        Embeddings(
            encoder.name,
            dict(zip(task.texts, encoder.texts(task.texts), strict=True)),
            encoder.images and {name: encoder.images(pictures) for name, pictures in task.pictures.items()},
        )
        for encoder in encoders
    ]


def embed(tasks: Sequence[EmbedTask], spec: SweepSpec, store: Store, console: Console) -> list[list[Embeddings]]:
    """Return what each task's encoders make of it; the caller holds the store's lock and has joined a cluster.

    Raises FairsweepError for an encoder that can be loaded nowhere, or ends every process that it works in.
    """
    answers: dict[str, list[Embeddings]] = {}
    if not tasks:
        return []
    for event in reports(EmbedActor, tasks, spec.run, store, console, "encoders", spec):
        if isinstance(event, GivenUp):
            raise FairsweepError(f"encoder {event.work.encoder.name}: {event.reason}")  # type: ignore[union-attr]
        name, embeddings = event
        answers[name] = embeddings
    return [answers[task.encoder.name] for task in tasks]


class EmbedActor(AuditActor):
    """A Ray actor that loads an item of a spec's encoders and embeds stimuli."""

    def __init__(self, spec: SweepSpec, store: Store, threads: int):
        super().__init__(store, threads)
        self._spec = spec

    def load(self, task: EmbedTask) -> list[Encoder]:
        """Return the encoders that a task's item stands for."""
        return list(load(task.encoder, self._spec, self.device.torch_device))

    def report(self, task: EmbedTask, loaded: Any) -> tuple[str, list[Embeddings]]:
        """Return the item's name, and what its encoders make of the stimuli."""
        return task.encoder.name, embedded(task, loaded)
