"""Where the pictures of a prompt end: a threshold on similarity, and the precision and the recall it seems to have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairsweep.audits.data.search import BINS, EDGES

_CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
_WIDTH = float(EDGES[1] - EDGES[0])
_COARSE = 512
# Rounds of expectation-maximisation: so many between two looks at which fits have settled, at most _STRIDES times.
_ROUNDS, _STRIDES, _SETTLED = 10, 30, 1e-7
_TAILS = (0.2, 0.05, 0.01, 0.001)
_STARTS = len(_TAILS) + 1
# Histograms fitted together: more of them leave the processor's cache.
_TOGETHER = 16
_APART = 2.0
# Fewer pictures than this say too little of where a prompt's lie.
LEAST = 20


@dataclass(frozen=True)
class Threshold:
    """The least similarity of a match, and the precision and the recall that the two components put down for it."""

    similarity: float
    precision: float
    recall: float


def mixture_thresholds(counts: np.ndarray) -> list[Threshold | None]:
    """Return for each histogram of similarities, [queries, BINS], the best threshold between two normal components.

    Expectation-maximisation from several splits, the likeliest of them; None where one component says as much, or the
    two are not apart: Ashman's D (Astronomical Journal 108, 1994) of at least 2.
    """
    thresholds: list[Threshold | None] = [None] * len(counts)
    histograms = {query: _coarse(each) for query, each in enumerate(counts) if each.sum() >= 2 * LEAST}
    enough = [query for query, (centres, _) in histograms.items() if len(centres) >= _STARTS]
    for start in range(0, len(enough), _TOGETHER):
        some = enough[start : start + _TOGETHER]
        for query, fit in zip(some, _fits([histograms[query] for query in some]), strict=True):
            thresholds[query] = _between(fit, *histograms[query])
    return thresholds


@dataclass(frozen=True)
class _Fit:
    """Two normal components, that of the lower mean first; share: of the second."""

    mean: np.ndarray
    variance: np.ndarray
    share: float
    likelihood: float


def _between(fit: _Fit, centres: np.ndarray, weights: np.ndarray) -> Threshold | None:
    total = weights.sum()
    apart = (fit.mean[1] - fit.mean[0]) / np.sqrt((fit.variance[0] + fit.variance[1]) / 2)
    # What a second component may gain by chance alone: Schwarz's criterion (Annals of Statistics 6, 1978).
    gain = fit.likelihood - _one_likelihood(centres, weights)
    if apart < _APART or fit.share * total < LEAST or gain < 1.5 * np.log(total):
        return None
    low, high = (np.exp(_log_normal(_CENTRES, fit.mean[part], fit.variance[part])) * _WIDTH for part in (0, 1))
    return _best(high, low, fit.share)


def _fits(histograms: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[_Fit]:
    """Return the likeliest of the fits to each histogram, its bins' centres and weights; all are fitted at once."""
    bins = max(len(centres) for centres, _ in histograms)
    # A bin without weight changes nothing.
    centres = np.stack([np.pad(own, (0, bins - len(own)), "edge") for own, _ in histograms]).repeat(_STARTS, axis=0)
    weights = np.stack([np.pad(own, (0, bins - len(own))) for _, own in histograms]).repeat(_STARTS, axis=0)
    splits = np.concatenate([_splits(*histogram) for histogram in histograms])[:, None]
    mean, variance, share = _maximised(centres, weights, np.where(centres >= splits, weights, 0))
    parts = [
        _log_normal(centres, mean[:, [part]], variance[:, [part]]) + np.log(np.maximum(size, 1e-300))[:, None]
        for part, size in enumerate((1 - share, share))
    ]
    likelihoods = np.einsum("fb,fb->f", weights, np.logaddexp(*parts)).reshape(-1, _STARTS)
    fits = []
    for histogram, start in enumerate(likelihoods.argmax(axis=1)):
        best = histogram * _STARTS + start
        order = np.argsort(mean[best])
        second = share[best] if order[1] else 1 - share[best]
        likelihood = float(likelihoods[histogram, start])
        fits.append(_Fit(mean[best][order], variance[best][order], float(second), likelihood))
    return fits


def _splits(centres: np.ndarray, weights: np.ndarray) -> list[float]:
    below = weights.cumsum() / weights.sum()
    # A prompt's pictures may be half of all or one in a thousand.
    tails = [float(centres[min(len(centres) - 1, int(np.searchsorted(below, 1 - tail)))]) for tail in _TAILS]
    return [_otsu(centres, weights), *tails]


def _maximised(
    centres: np.ndarray, weights: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means and the variances, [fits, 2], and the shares of the second component, [fits].

    centres, weights: [fits, bins]; second: of the weights, what belongs to the second component at first.
    """
    means, variances = np.empty((len(centres), 2)), np.empty((len(centres), 2))
    shares, left = np.empty(len(centres)), np.arange(len(centres))
    for _ in range(_STRIDES):
        squares, sums = centres**2, [np.einsum("fb,fb->f", weights, centres**power) for power in range(3)]
        mean = np.full((len(left), 2), np.inf)
        for _ in range(_ROUNDS):
            parts = [second.sum(axis=1), *(np.einsum("fb,fb->f", second, each) for each in (centres, squares))]
            size, first, square = (
                np.stack([whole - part, part], axis=1) for whole, part in zip(sums, parts, strict=True)
            )
            size = np.maximum(size, 1e-9)
            before, mean = mean, first / size
            variance = np.maximum(square / size - mean**2, _WIDTH**2)
            # The log-odds of the second component are a polynomial of the centre.
            curve = np.diff(-0.5 / variance)
            slope = np.diff(mean / variance)
            level = np.diff(np.log(size) - 0.5 * np.log(variance) - 0.5 * mean**2 / variance)
            with np.errstate(over="ignore"):
                second = weights / (1 + np.exp(-(curve * squares + slope * centres + level)))
        means[left], variances[left], shares[left] = mean, variance, size[:, 1] / size.sum(axis=1)
        moving = np.abs(mean - before).max(axis=1) >= _SETTLED
        left, centres, weights, second = left[moving], centres[moving], weights[moving], second[moving]
        if not len(left):
            break
    return means, variances, shares


def _one_likelihood(centres: np.ndarray, weights: np.ndarray) -> float:
    mean = float(np.average(centres, weights=weights))
    variance = max(float(np.average((centres - mean) ** 2, weights=weights)), _WIDTH**2)
    return float(weights @ _log_normal(centres, mean, variance))


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


def _log_normal(centres: np.ndarray, mean, variance) -> np.ndarray:
    return -((centres - mean) ** 2) / (2 * variance) - 0.5 * np.log(2 * np.pi * variance)
