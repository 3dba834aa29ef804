"""The association test: does one set of stimuli lie nearer to A than to B, more so than another set does?

On texts it is WEAT (Caliskan et al., arXiv 1608.07187) and SEAT (May et al., arXiv 1903.10561), on images iEAT (Steed &
Caliskan, arXiv 2010.15052); texts against images are the mixed form of Ross et al., arXiv 2002.08911.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

EXACT_PARTITIONS = 100_000
DRAWS = 9_999
# Sums of the same numbers in another order differ by so much of their size: they are ties.
_TIE = 1e-12


@dataclass(frozen=True)
class Association:
    """One test's outcome.

    effect: (mean s(X) - mean s(Y)) over the sample standard deviation of s over X and Y together; None where all s are
    the same. p_value: the share of partitions of X and Y, of the sizes of X and Y, whose difference is as large or
    larger. draws: how many partitions were sampled; None where all were gone through. error: of a sampled p-value, its
    Monte Carlo standard error. least_p: the least p-value that the test can give.
    """

    difference: float
    effect: float | None
    p_value: float
    least_p: float
    partitions: int
    draws: int | None
    error: float | None


def associate(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, seed: int = 0, draws: int = DRAWS
) -> Association:
    """Test whether X is nearer to A than to B, compared with Y; each set is [stimuli, dimensions]."""
    return compare(scores(x, a, b), scores(y, a, b), seed, draws)


def scores(stimuli: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return s of each stimulus: its mean cosine with A minus its mean cosine with B."""
    words = unit(stimuli)
    return (words @ unit(a).T).mean(axis=1) - (words @ unit(b).T).mean(axis=1)


def compare(x: np.ndarray, y: np.ndarray, seed: int = 0, draws: int = DRAWS) -> Association:
    """Test whether the scores of X are larger than those of Y, one-sided."""
    both = np.concatenate([x, y]).astype(np.float64)
    spread = float(both.std(ddof=1))
    difference = float(np.mean(x) - np.mean(y))
    partitions = math.comb(len(both), len(x))
    # With the sum over all fixed, the difference of means rises with the sum over the first part.
    least_sum = both[: len(x)].sum() - _TIE * np.abs(both).sum()
    if partitions <= EXACT_PARTITIONS:
        parts = np.array(list(combinations(range(len(both)), len(x))))
        reached = int((both[parts].sum(axis=1) >= least_sum).sum())
        p_value, least_p, error = reached / partitions, 1 / partitions, None
    else:
        reached = _sampled(both, len(x), least_sum, seed, draws)
        p_value, least_p = (1 + reached) / (1 + draws), 1 / (1 + draws)
        error = math.sqrt(p_value * (1 - p_value) / draws)
    return Association(
        difference=difference,
        effect=difference / spread if spread > _TIE * np.abs(both).max(initial=0) else None,
        p_value=p_value,
        least_p=least_p,
        partitions=partitions,
        draws=None if error is None else draws,
        error=error,
    )


def _sampled(both: np.ndarray, size: int, least_sum: float, seed: int, draws: int) -> int:
    """Return how many of the sampled partitions reach the sum."""
    rng = np.random.default_rng(seed)
    reached, block = 0, max(1, 2_000_000 // len(both))
    for start in range(0, draws, block):
        order = rng.random((min(block, draws - start), len(both))).argpartition(size - 1, axis=1)
        reached += int((both[order[:, :size]].sum(axis=1) >= least_sum).sum())
    return reached


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors, [vectors, dimensions], at length 1."""
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
