"""Where the pictures of a prompt end: a threshold on similarity, and the precision and the recall it seems to have."""

from dataclasses import dataclass

import numpy as np

from fairsweep.audits.data.search import BINS, EDGES

_CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
_WIDTH = float(EDGES[1] - EDGES[0])
_COARSE = 512
_ROUNDS, _SETTLED = 300, 1e-7
_TAILS = (0.2, 0.05, 0.01, 0.001)
_STARTS = len(_TAILS) + 1
_APART = 2.0
# Fewer pictures than this say too little of where a prompt's lie.
LEAST = 20


@dataclass(frozen=True)
class Threshold:
    """The least similarity of a match, and the precision and the recall that the two components put down for it."""

    similarity: float
    precision: float
    recall: float


def mixture_threshold(counts: np.ndarray) -> Threshold | None:
    """Return the best threshold between two normal components fitted to a histogram of similarities, [BINS].

    Expectation-maximisation from several splits, the likeliest of them; None where one component says as much, or the
    two are not apart: Ashman's D (Astronomical Journal 108, 1994) of at least 2.
    """
    centres, weights = _coarse(counts)
    if counts.sum() < 2 * LEAST or len(centres) < _STARTS:
        return None
    below = weights.cumsum() / weights.sum()
    # A prompt's pictures may be half of all or one in a thousand.
    tails = (centres[min(len(centres) - 1, int(np.searchsorted(below, 1 - tail)))] for tail in _TAILS)
    fits = [_fit(centres, weights, split) for split in (_otsu(centres, weights), *tails)]
    fit = max(fits, key=lambda fit: fit.likelihood)
    apart = (fit.mean[1] - fit.mean[0]) / np.sqrt((fit.variance[0] + fit.variance[1]) / 2)
    # What a second component may gain by chance alone: Schwarz's criterion (Annals of Statistics 6, 1978).
    gain = fit.likelihood - _one_likelihood(centres, weights)
    if apart < _APART or fit.share * counts.sum() < LEAST or gain < 1.5 * np.log(counts.sum()):
        return None
    low, high = (_normal(_CENTRES, fit.mean[part], fit.variance[part]) * _WIDTH for part in (0, 1))
    return _best(high, low, fit.share)


@dataclass(frozen=True)
class _Fit:
    """Two normal components, that of the lower mean first; share: of the second."""

    mean: np.ndarray
    variance: np.ndarray
    share: float
    likelihood: float


def _fit(centres: np.ndarray, weights: np.ndarray, split: float) -> _Fit:
    total = weights.sum()
    part = np.stack([np.where(centres < split, weights, 0), np.where(centres >= split, weights, 0)])
    mean, likelihood = np.array([-np.inf, np.inf]), -np.inf
    for _ in range(_ROUNDS):
        size = np.maximum(part.sum(axis=1), 1e-9)
        before, mean = mean, (part @ centres) / size
        variance = np.maximum((part * (centres - mean[:, None]) ** 2).sum(axis=1) / size, _WIDTH**2)
        density = np.stack([_normal(centres, m, v) * s / total for m, v, s in zip(mean, variance, size, strict=True)])
        both = np.maximum(density.sum(axis=0), 1e-300)
        likelihood = float(weights @ np.log(both))
        part = weights * density / both
        if np.abs(mean - before).max() < _SETTLED:
            break
    order = np.argsort(mean)
    return _Fit(mean[order], variance[order], float(size[order][1] / total), likelihood)


def _one_likelihood(centres: np.ndarray, weights: np.ndarray) -> float:
    mean = float(np.average(centres, weights=weights))
    variance = max(float(np.average((centres - mean) ** 2, weights=weights)), _WIDTH**2)
    return float(weights @ np.log(np.maximum(_normal(centres, mean, variance), 1e-300)))


def _coarse(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres and the weights of a histogram's occupied range, in at most _COARSE bins or so."""
    there = np.flatnonzero(counts)
    if not len(there):
        return np.array([]), np.array([])
    step = max(1, -(-(there[-1] + 1 - there[0]) // _COARSE))
    end = there[0] + -(-(there[-1] + 1 - there[0]) // step) * step
    inside = np.pad(counts, (0, max(0, end - BINS)))[there[0] : end].reshape(-1, step)
    return EDGES[0] + (there[0] + (np.arange(len(inside)) + 0.5) * step) * _WIDTH, inside.sum(axis=1).astype(float)


def caption_threshold(matches: np.ndarray, others: np.ndarray, counts: np.ndarray) -> Threshold | None:
    """Return the best threshold between pictures whose captions name the prompt and those whose captions name another.

    matches, others: histograms of these; counts: of all pictures, whose share of matches follows from the three means.
    None where too few captions name either.
    """
    if matches.sum() < LEAST or others.sum() < LEAST:
        return None
    one, other = matches / matches.sum(), others / others.sum()
    means = [float((part * _CENTRES).sum()) for part in (one, other, counts / counts.sum())]
    if means[0] <= means[1]:
        return None
    share = min(1.0, max(1 / counts.sum(), (means[2] - means[1]) / (means[0] - means[1])))
    return _best(one, other, share)


def _best(match: np.ndarray, other: np.ndarray, share: float) -> Threshold:
    """Return the threshold of the greatest F1, from the densities of matches and others and the share of matches."""
    caught = share * match[::-1].cumsum()[::-1]
    wrong = (1 - share) * other[::-1].cumsum()[::-1]
    score = 2 * caught / np.maximum(caught + wrong + share, 1e-300)
    place = int(score.argmax())
    precision = caught[place] / max(caught[place] + wrong[place], 1e-300)
    return Threshold(float(EDGES[place]), float(min(1.0, precision)), float(min(1.0, caught[place] / share)))


def _otsu(centres: np.ndarray, weights: np.ndarray) -> float:
    """Return the split of a histogram with the greatest variance between its parts."""
    below = weights.cumsum()[:-1]
    above = weights.sum() - below
    sums, total = (weights * centres).cumsum()[:-1], float(weights @ centres)
    gap = sums / np.maximum(below, 1) - (total - sums) / np.maximum(above, 1)
    return float(centres[1 + int((below * above * gap**2).argmax())])


def _normal(centres: np.ndarray, mean: float, variance: float) -> np.ndarray:
    return np.exp(-((centres - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
