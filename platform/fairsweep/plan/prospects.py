"""Whether a prompt without a verdict is likely to get one by the most seeds, and how many images it would take.

To stop for want of a prospect costs verdicts that would have come, and never makes one wrong: the intervals hold
whenever one stops.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

# Below this chance of a verdict within the most seeds a prompt stops.
LEAST_CHANCE = 0.05
# What a prompt would take is looked for up to so many times its images, in steps of so much.
_FARTHEST, _STEP = 4096, 1.05

# Of every count of one group at each look: whether its share is then surely off its target, or surely near it.
_LOOKS = """
with counts as (
    select n, k, [struct_pack(n := n, missing := 0, counts := [k, n - k])] as strata
    from (select n, unnest(range(n + 1)) as k from (select unnest($looks::bigint[]) as n))
),
bounds as (
    select n, k, anytime_low(strata, 1, $error) as low, anytime_high(strata, 1, $error) as high from counts
)
select
    n, list(low > $target or high < $target order by k),
    list(low >= $target - $margin and high <= $target + $margin order by k)
from bounds group by n
"""
# The same of a prompt's counts, so many times as large.
_LARGER = """
with steps as (
    select factor, list_transform($strata, lambda s: struct_pack(
        n := s.n * factor, missing := s.missing * factor, counts := list_transform(s.counts, lambda k: k * factor)
    )) as strata
    from (select unnest($factors) as factor)
),
bounded as (
    select
        factor, list_transform($targets, lambda t, i: anytime_low(strata, i, $error)) as lows,
        list_transform($targets, lambda t, i: anytime_high(strata, i, $error)) as highs
    from steps
)
select min(factor) from bounded
where len(list_filter($targets, lambda t, i: lows[i] > t or highs[i] < t)) > 0
    or len(list_filter($targets, lambda t, i: lows[i] < t - $margin or highs[i] > t + $margin)) = 0
"""


class Prospects:
    """What is still to be expected of prompts, by the very intervals that decide; looks: the numbers of
    images after which one looks."""

    def __init__(self, connection: DuckDBPyConnection, margin: float, looks: Sequence[int]):
        self._connection, self._margin, self._looks = connection, margin, tuple(looks)
        self._flags = cache(self._read)

    def chance(self, images: int, counts: Sequence[int], targets: Sequence[float], error: float) -> float:
        """Return the chance, at most, of a verdict at some look to come, given what free images have shown so far.

        images: how many were made; all that come are taken to show a group. error: what each group's interval may miss.
        Each share is taken to be what its Beta posterior says (Jeffreys' prior), so that images to come are a Polya
        urn: for one group the chance is exact. A prompt is off target where any group is, and near it where all are.
        """
        n = sum(counts)
        # Of two groups the second says what the first says.
        groups = list(zip(counts, targets, strict=True))[: 1 if len(counts) == 2 else None]
        off = sum(self._reached(images, k, n, target, error, 0) for k, target in groups)
        near = min(self._reached(images, k, n, target, error, 1) for k, target in groups)
        return min(1.0, off + near)

    def images_needed(self, strata: Iterable[dict], targets: Sequence[float], error: float) -> int | None:
        """Return how many images would decide if all went on as so far; None where no number in sight would."""
        strata = list(strata)
        factors = [_STEP**power for power in range(1, 1 + int(np.log(_FARTHEST) / np.log(_STEP)))]
        bound = {"strata": strata, "factors": factors, "targets": list(targets), "error": error}
        [(factor,)] = self._connection.execute(_LARGER, bound | {"margin": self._margin}).fetchall()
        return factor and round(factor * sum(stratum["n"] for stratum in strata))

    def _read(self, target: float, error: float) -> dict[int, tuple[Flags, Flags]]:
        bound = {"looks": self._looks, "target": target, "error": error, "margin": self._margin}
        looks = self._connection.execute(_LOOKS, bound).fetchall()
        return {n: (np.array(off), np.array(near)) for n, off, near in looks}

    def _reached(self, images: int, k: int, n: int, target: float, error: float, kind: int) -> float:
        """Return the chance that a group's share is found off its target (0), or near it (1), at some look to come."""
        chances = np.zeros(self._looks[-1] + 2)
        chances[k], places = 1.0, np.arange(len(chances))
        reached = 0.0
        for look in (look for look in self._looks if look > images):
            for drawn in range(n, look):
                moved = chances * (places + 0.5) / (drawn + 1.0)
                chances -= moved
                chances[1:] += moved[:-1]
            n = look
            found = chances[: look + 1] * self._flags(target, error)[look][kind]
            reached += found.sum()
            chances[: look + 1] -= found
        return float(reached)
