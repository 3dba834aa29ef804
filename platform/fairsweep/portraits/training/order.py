"""The order in which rows are trained on: shuffled epochs, every stretch of which is a small copy of the whole."""

from functools import lru_cache

import numpy as np


class Order:
    """Hand out the rows of each step; the same strata, seed, step and size give the same rows.

    strata: (n,) integers. Rows are dealt without replacement, a stratum's evenly over the epoch: what a model sees
    lately then holds each stratum in its proportion, where rows drawn with replacement let it wander with their chance.
    """

    def __init__(self, strata: np.ndarray, seed: int):
        _, self._strata, self._sizes = np.unique(strata, return_inverse=True, return_counts=True)
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def rows(self, step: int, size: int) -> np.ndarray:
        """Return the rows of a step (from 0), (size,) int64."""
        n = len(self._strata)
        epochs, places = np.divmod(np.arange(step * size, (step + 1) * size), n)
        return np.concatenate([self._epoch(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)])

    def _shuffled(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self._seed, epoch])
        rows = rng.permutation(len(self._strata))
        rows = rows[np.argsort(self._strata[rows], kind="stable")]
        rank = np.concatenate([np.arange(size) for size in self._sizes])
        offset = np.repeat(rng.random(len(self._sizes)), self._sizes)
        return rows[np.argsort((rank + offset) / np.repeat(self._sizes, self._sizes), kind="stable")]
