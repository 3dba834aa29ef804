"""Embed the stimuli of an audit on the cluster: every text, and every set of pictures, by every encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from rich.console import Console

from fairsweep.audits.actor import reports
from fairsweep.audits.encoder.encoders import Encoder, load
from fairsweep.engine.events import GivenUp
from fairsweep.errors import FairsweepError
from fairsweep.spec import RunSpec, SweepSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store


@dataclass(frozen=True)
class EmbedTask:
    """What an item of a spec's encoders is to embed: texts, and sets of pictures by their names."""

    encoder: EncoderSpec
    spec: SweepSpec
    texts: tuple[str, ...]
    pictures: Mapping[str, Sequence[Image.Image]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"encoder {self.encoder.name}"

    def load(self, device: str) -> list[Encoder]:
        """Return the encoders that its item stands for."""
        return list(load(self.encoder, self.spec, device))

    def report(self, loaded: list[Encoder], _: Store) -> "EmbedReport":
        """Return what its encoders make of the stimuli."""
        return EmbedReport(self.encoder.name, embedded(self, loaded))

    def split(self) -> list["EmbedTask"]:
        """Return it as it is: an encoder is asked once."""
        return [replace(self)]

    def given_up(self, why: str) -> FairsweepError:
        """Return the error of an item that ends every process that it works in."""
        return FairsweepError(f"encoder {self.encoder.name}: {why}")


@dataclass(frozen=True)
class Embeddings:
    """What one encoder made of the stimuli: a vector a text, and [pictures, dimensions] a set of pictures."""

    name: str
    texts: Mapping[str, np.ndarray]
    pictures: Mapping[str, np.ndarray] | None

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, [texts, dimensions]."""
        return np.stack([self.texts[text] for text in texts])


@dataclass(frozen=True)
class EmbedReport:
    """What the encoders of an item made of the stimuli."""

    encoder: str
    embeddings: list[Embeddings]


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


def embed(tasks: Sequence[EmbedTask], run: RunSpec, store: Store, console: Console) -> list[list[Embeddings]]:
    """Return what each task's encoders make of it; the caller holds the store's lock and has joined a cluster.

    Raises FairsweepError for an encoder that can be loaded nowhere, or ends every process that it works in.
    """
    answers: dict[str, list[Embeddings]] = {}
    for event in reports(tasks, run, store, console, "encoders"):
        match event:
            case GivenUp(EmbedTask() as task, why):
                raise task.given_up(why)
            case EmbedReport(name, embeddings):
                answers[name] = embeddings
    return [answers[task.encoder.name] for task in tasks]
