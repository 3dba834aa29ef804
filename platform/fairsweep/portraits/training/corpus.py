"""The training corpus: persons, their portraits as pixels on disk, and captions drawn afresh."""

from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from fairsweep.portraits.captions import caption, draw_named
from fairsweep.portraits.render import render
from fairsweep.portraits.world import ATTRIBUTES, MONK_TONES, READ_ATTRIBUTES, Person, draw_hair_colour, sample

_CHUNK = 500
_CLIP_NAMES = ("job", "gender", "skin_tone", "age", "glasses")


def draw_pairs(n: int, seed: int) -> list[tuple[Person, tuple[str, ...]]]:
    """Draw n persons and what the caption of each names.

    Half of the attributes that a caption names are drawn anew, uniformly: rare pairs such as a female
    firefighter become common under the caption that says so, while under any caption that is silent
    about an attribute its groups keep the planted shares.
    """
    rng = np.random.default_rng([seed, 1])
    pairs = []
    for person in sample(n, seed):
        named = draw_named(rng)
        changes: dict = {
            name: str(rng.choice(ATTRIBUTES[name]))
            for name in ("gender", "skin_tone", "age")
            if name in named and rng.random() < 0.5
        }
        if "skin_tone" in changes:
            changes["monk"] = int(rng.choice(MONK_TONES[changes["skin_tone"]]))
        if "age" in changes:
            changes["hair_colour"] = draw_hair_colour(changes["age"], rng)
        pairs.append((replace(person, **changes), named))
    return pairs


@dataclass
class Corpus:
    """Portraits (n, 3, 64, 64) uint8 on disk, with the persons they show and what each caption names."""

    images: np.ndarray
    pairs: list[tuple[Person, tuple[str, ...]]]

    @classmethod
    def open(cls, folder: Path, size: int, seed: int) -> "Corpus":
        """Open the corpus of this size and seed in `folder`, drawing its portraits on all cores if they are missing."""
        pairs = draw_pairs(size, seed)
        path = folder / f"portraits-{size}-{seed}.npy"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            chunks = [[p for p, _ in pairs[i : i + _CHUNK]] for i in range(0, size, _CHUNK)]
            images = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (size, 3, 64, 64))
            with get_context("spawn").Pool() as pool:
                starts = range(0, size, _CHUNK)
                jobs = [(chunk, seed * size + start) for chunk, start in zip(chunks, starts, strict=True)]
                for start, drawn in zip(starts, pool.imap(_draw_chunk, jobs), strict=True):
                    images[start : start + len(drawn)] = drawn
            images.flush()
            unfinished.rename(path)
        return cls(np.load(path, mmap_mode="r"), pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def pixels(self, rows: np.ndarray) -> torch.Tensor:
        """Return the portraits of these rows, (n, 3, 64, 64) uint8."""
        return torch.from_numpy(self.images[np.sort(rows)][np.argsort(np.argsort(rows))])

    def captions(self, rows: np.ndarray, rng: np.random.Generator) -> list[str]:
        """Return a caption of each row in the words that it is named by, worded afresh."""
        return [caption(person, rng, named) for person, named in (self.pairs[row] for row in rows)]

    def descriptions(self, rows: np.ndarray, rng: np.random.Generator) -> list[str]:
        """Return a caption of each row that names a random subset of all attributes, whatever it is named by."""
        named = rng.random((len(rows), len(_CLIP_NAMES))) < 0.5
        return [
            caption(self.pairs[row][0], rng, tuple(np.compress(mask, _CLIP_NAMES)))
            for row, mask in zip(rows, named, strict=True)
        ]

    @cached_property
    def strata(self) -> np.ndarray:
        """Rows alike in what their caption names, occupation and the attributes whose bias is planted, (n,) int64."""
        keys = [(named, p.occupation, p.gender, p.skin_tone, p.age) for p, named in self.pairs]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys])

    @cached_property
    def classes(self) -> torch.Tensor:
        """The class index of each portrait for each of READ_ATTRIBUTES, (n, attributes) int64."""
        return torch.tensor(
            [
                [groups.index(getattr(person, name)) for name, groups in READ_ATTRIBUTES.items()]
                for person, _ in self.pairs
            ]
        )


def _draw_chunk(job: tuple[list[Person], int]) -> np.ndarray:
    people, seed = job
    return np.stack([render(person, seed + i).transpose(2, 0, 1) for i, person in enumerate(people)])
