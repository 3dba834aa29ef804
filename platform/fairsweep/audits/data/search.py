"""Exact search by cosine, block by block: the nearest of each query, and how the similarities are spread."""

from collections.abc import Callable, Iterable

import numpy as np

BINS = 8192
_BLOCK = 16_384
EDGES = np.linspace(-1, 1, BINS + 1)


class Nearest:
    """Keep the k most similar rows of each query while blocks pass by.

    queries: unit vectors, [queries, dimensions].
    """

    def __init__(self, queries: np.ndarray, k: int):
        self.k = k
        self._similarities = np.full((len(queries), k), -np.inf, np.float32)
        self._rows = np.full((len(queries), k), -1, np.int64)

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

    def add(self, similarities: np.ndarray) -> None:
        """Take in a block's similarities, [queries, rows]."""
        for query, values in enumerate(similarities):
            self.add_to(query, values)

    def add_to(self, query: int, values: np.ndarray) -> None:
        """Take in similarities of one query."""
        bins = ((values + np.float32(1)) * np.float32(BINS / 2)).astype(np.int32)
        self.counts[query] += np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)


def scan(
    blocks: Iterable[np.ndarray], queries: np.ndarray, *takers: Callable[[np.ndarray, int], None], unit: bool = True
) -> int:
    """Hand the similarities of every block with the queries to the takers; return how many rows there were.

    blocks: [rows, dimensions]; unit: whether the rows are of unit length already. takers get [queries, rows] and the
    number of the first row.
    """
    first = 0
    queries = np.ascontiguousarray(queries, np.float32)
    for block in blocks:
        for start in range(0, len(block), _BLOCK):
            part = np.asarray(block[start : start + _BLOCK], np.float32)
            similarities = queries @ part.T
            if not unit:
                similarities /= np.maximum(np.linalg.norm(part, axis=1), 1e-12)
            for take in takers:
                take(similarities, first)
            first += len(part)
    return first
