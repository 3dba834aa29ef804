"""Solve, from a pilot, how often to steer to each group and how strongly, so that what is shown hits the target.

Steering to a group is not showing it: of the images that are steered to a group only some show it. A pilot steers a
few images to each group at each scale of a ladder and counts what they show. The quota w of directions with which the
images show the target t solves w R = t, R the matrix of the shares shown (in rows by the group steered to); the
gentlest scale at which a quota does is taken. Images of the pilot chose quota and scale: they are no evidence of the
result.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

REACHED, OUT_OF_REACH, UNDECIDED = "reached", "not reachable", "not decided"
# A scale is out of reach where the nearest outcome misses by so many standard errors more than is tolerated.
_SURE = 1.96
# Among quotas that do equally well the one nearest the target is taken: its weight in least squares.
_NEAR = 1e-4


@dataclass(frozen=True)
class Rung:
    """What the pilot showed at one scale: shown[i][j] images of group j among those steered to group i.

    Images without a declared group count for neither.
    """

    scale: float
    shown: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Solution:
    """The quota of directions and the scale, what they are foreseen to show, and how sure that is.

    miss: how far the outcome's worst group is from its target; error: the greatest standard error of an outcome's
    share.
    verdict: reached (the outcome is within the tolerance, and foreseen as exactly), not reachable (surely at no scale),
    or not decided by this pilot; the latter two come with what is nearest.
    """

    scale: float
    quota: tuple[float, ...]
    outcome: tuple[float, ...]
    miss: float
    error: float
    verdict: str


def solve(
    target: Sequence[float], rungs: Sequence[Rung], tolerance: float, confusion: ArrayLike | None = None
) -> Solution | None:
    """Return the gentlest scale of the pilot's at which a quota reaches the target, or what comes nearest.

    target: the groups' shares. rungs: at least one. confusion: how many calibration images of each true group (rows)
    the classifier gave each label (columns); where it tells the groups apart, shares are those of the truth.
    None where some direction shows no group at any scale.
    """
    reading = _Reading(confusion, len(target))
    foreseen = [
        _foresee(np.asarray(target, float), rung, tolerance, reading)
        for rung in sorted(rungs, key=lambda rung: rung.scale)
        if all(sum(row) for row in rung.shown)
    ]
    if not foreseen:
        return None
    reached = [each for each in foreseen if each.verdict == REACHED]
    if reached:
        return reached[0]
    open_ = [each for each in foreseen if each.verdict == UNDECIDED]
    return min(open_ or foreseen, key=lambda each: each.miss + each.error)


def _foresee(target: Vector, rung: Rung, tolerance: float, reading: "_Reading") -> Solution:
    """Solve one rung; sure, undecided or out of reach at this scale alone."""
    counts = np.asarray(rung.shown, float)
    images = counts.sum(1)
    shares = reading.correct(counts / images[:, None])
    quota = _quota(shares, target)
    outcome = quota @ shares
    miss = float(np.abs(outcome - target).max())
    error = float(np.sqrt(reading.variances(quota, counts, images, outcome).max()))
    if miss - _SURE * error > tolerance:
        verdict = OUT_OF_REACH
    else:
        verdict = REACHED if miss <= tolerance and error <= tolerance else UNDECIDED
    return Solution(rung.scale, tuple(quota.tolist()), tuple(outcome.tolist()), miss, error, verdict)


class _Reading:
    """A classifier's known errors: labels in, truth out. Without a calibration labels are taken for the truth."""

    def __init__(self, confusion: ArrayLike | None, groups: int):
        self._rates, self._images, self._inverse = np.eye(groups), np.full(groups, np.inf), np.eye(groups)
        if confusion is None:
            return
        counts = np.asarray(confusion, float)
        images = counts.sum(1)
        if not images.all():
            return
        rates = counts / images[:, None]
        smooth = (counts + 1) / (images + groups)[:, None]
        with np.errstate(all="ignore"):
            inverse = np.linalg.inv(rates) if np.linalg.matrix_rank(rates) == groups else np.full_like(rates, np.inf)
            doubt = (inverse**2).sum() * (smooth * (1 - smooth) / images[:, None]).sum()
        # As in the view confusion_matrices: still invertible were its rates three standard errors off.
        if doubt < 1 / 9:
            self._rates, self._images, self._inverse = smooth, images, inverse

    def correct(self, shares: Vector) -> Vector:
        """Return the true shares of each row, moved to the nearest distribution."""
        return np.array([_to_simplex(row) for row in shares @ self._inverse])

    def variances(self, quota: Vector, counts: Vector, images: Vector, outcome: Vector) -> Vector:
        """Return the variance of each group's share of the outcome: the pilot's counts, and the calibration's."""
        groups = len(quota)
        smooth = (counts + 0.5) / (images + groups / 2)[:, None]
        total = np.zeros(groups)
        for weight, row, n in zip(quota, smooth, images, strict=True):
            total += weight**2 * _spread(row, self._inverse) / n
        for share, row, n in zip(outcome, self._rates, self._images, strict=True):
            total += share**2 * _spread(row, self._inverse) / n
        return total


def _spread(shares: Vector, inverse: Vector) -> Vector:
    """Return the variance of one label's row of the inverse, the label being drawn from these shares."""
    return np.maximum(0, shares @ inverse**2 - (shares @ inverse) ** 2)


def _quota(shares: Vector, target: Vector) -> Vector:
    """Return the quota whose outcome is nearest the target in least squares, among equals nearest the target itself.

    Of w >= 0 with sum 1 it minimises |w (R - target)|; the same without the sum, but for a row of ones to meet 1, has
    its minimum at a multiple of that w.
    """
    groups = len(target)
    apart = np.eye(groups) - target[:, None]
    matrix = np.vstack([(shares - target).T, _NEAR * apart, np.ones((1, groups))])
    quota = _non_negative(matrix, np.eye(2 * groups + 1)[-1])
    return quota / quota.sum()


def _non_negative(matrix: Vector, wanted: Vector) -> Vector:
    """Return x >= 0 that minimises |matrix x - wanted| (Lawson & Hanson, Solving Least Squares Problems, 1974)."""
    x = np.zeros(matrix.shape[1])
    free = np.zeros(len(x), bool)
    for _ in range(10 * len(x)):
        gain = np.where(free, -np.inf, matrix.T @ (wanted - matrix @ x))
        if gain.max() <= 1e-13:
            break
        free[gain.argmax()] = True
        while True:
            best = np.zeros(len(x))
            best[free] = np.linalg.lstsq(matrix[:, free], wanted, rcond=None)[0]
            below = free & (best <= 0)
            if not below.any():
                break
            step = (x[below] / (x[below] - best[below])).min()
            x += step * (best - x)
            free &= x > 1e-15
        x = best
    return x


def _to_simplex(shares: Vector) -> Vector:
    """Return the nearest distribution (Duchi et al., ICML 2008)."""
    ordered = np.sort(shares)[::-1]
    thresholds = (np.cumsum(ordered) - 1) / np.arange(1, len(shares) + 1)
    return np.maximum(0, shares - thresholds.max())
