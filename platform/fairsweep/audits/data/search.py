"""Exact search by cosine, block by block: the nearest of each query, and how the similarities are spread."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

BINS = 8192
EDGES = np.linspace(-1, 1, BINS + 1)
_BLOCK = 16_384
_ROOM = 2**30


class Search:
    """Hand the similarities of every block of rows with the queries to takers, as often as asked.

    blocks: yields the blocks, [rows, dimensions], at each call anew. queries: unit vectors, [queries, dimensions].
    unit: whether the rows are of unit length already. room: the bytes of similarities that may be kept: where all of
    them fit, rows are read and multiplied once.
    """

    def __init__(
        self, blocks: Callable[[], Iterable[np.ndarray]], queries: np.ndarray, unit: bool = True, room: int = _ROOM
    ):
        self._blocks, self._unit, self._room = blocks, unit, room
        self._queries = np.ascontiguousarray(queries, np.float32)
        self._kept: list[np.ndarray] | None = None

    def run(self, *takers: Callable[[np.ndarray, int], None]) -> int:
        """Hand over all similarities once; return how many rows there are.

        Takers get [queries, rows], which they leave as it is, and the number of the first row.
        """
        first, room, kept = 0, self._room, []
        for similarities in self._kept or self._products():
            for take in takers:
                take(similarities, first)
            first += similarities.shape[1]
            room -= similarities.nbytes
            if room >= 0:
                kept.append(similarities)
            else:
                kept.clear()
        self._kept = kept or None
        return first

    def _products(self) -> Iterator[np.ndarray]:
        for block in self._blocks():
            for start in range(0, len(block), _BLOCK):
                part = np.asarray(block[start : start + _BLOCK], np.float32)
                similarities = self._queries @ part.T
                if not self._unit:
                    norms = np.sqrt(np.einsum("rd,rd->r", part, part))
                    similarities /= np.maximum(norms, 1e-12)
                yield similarities


class Nearest:
    """Keep the k most similar rows of each query while blocks pass by."""

    def __init__(self, queries: int, k: int):
        self.k = k
        self._similarities = np.full((queries, k), -np.inf, np.float32)
        self._rows = np.full((queries, k), -1, np.int64)

    def add(self, similarities: np.ndarray, first: int) -> None:
        """Take in a block's similarities, [queries, rows], whose first row has the number `first`."""
        for query, values in enumerate(similarities):
            best = self._similarities[query]
            fresh = np.flatnonzero(values > best[-1])
            if not len(fresh):
                continue
            if len(fresh) > self.k:
                fresh = fresh[np.argpartition(values[fresh], len(fresh) - self.k)[-self.k :]]
            together = np.concatenate([best, values[fresh]])
            rows = np.concatenate([self._rows[query], fresh + first])
            # By similarity, the earlier row first where two are alike.
            order = np.lexsort((rows, -together))[: self.k]
            self._similarities[query], self._rows[query] = together[order], rows[order]

    def of(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and the similarities of a query's nearest, the nearest first."""
        there = self._rows[query] >= 0
        return self._rows[query][there], self._similarities[query][there]


class Spread:
    """Count each query's similarities in BINS of [-1, 1]."""

    def __init__(self, queries: int):
        self.counts = np.zeros((queries, BINS), np.int64)

    def add(self, similarities: np.ndarray, first: int = 0) -> None:
        """Take in a block's similarities, [queries, rows]."""
        for query, values in enumerate(similarities):
            self.add_to(query, values)

    def add_to(self, query: int, values: np.ndarray) -> None:
        """Take in similarities of one query."""
        scaled = values + np.float32(1)
        scaled *= np.float32(BINS / 2)
        # What bincount takes without a copy.
        bins = scaled.astype(np.intp)
        np.clip(bins, 0, BINS - 1, out=bins)
        self.counts[query] += np.bincount(bins, minlength=BINS)
