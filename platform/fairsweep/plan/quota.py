"""Which group each image is steered to: exactly the asked proportions, never a coin toss per image.

Directions are dealt one seed after the other. After every seed, each group's count is its target share of the
seeds so far, rounded down or up (the "quota" of apportionment). So the asked proportion holds exactly whenever it
can, and adding seeds to the end of a spec leaves the directions of the earlier ones as they are. Within these bounds
the order is random. An attribute's groups also spread evenly over the groups of the attributes before it.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import repeat

_FINEST = 1_000_000


def deal(
    targets: Mapping[str, Mapping[str, float]], key: str, shown: Iterable[tuple[str, ...]] = repeat(())
) -> Iterator[dict[str, str]]:
    """Yield one direction (attribute -> group) after the other, as many as `shown` has items.

    targets: attribute -> group -> share. key: what shuffles the order; the same key gives the same order. shown: the
    groups that the picture shows which an image starts from: directions spread evenly over these.
    """
    dealers = [_Dealer(shares, f"{key}\n{attribute}") for attribute, shares in targets.items()]
    for groups in shown:
        direction: dict[str, str] = {}
        for attribute, dealer in zip(targets, dealers, strict=True):
            direction[attribute] = dealer.next((*groups, *direction.values()))
        yield direction


class _Dealer:
    """Deal the groups of one attribute; shares are whole numbers of `period` seeds."""

    def __init__(self, shares: Mapping[str, float], key: str):
        exact = [Fraction(share).limit_denominator(_FINEST) for share in shares.values()]
        exact = [share / sum(exact) for share in exact]
        self._groups = list(shares)
        self._period = math.lcm(*(share.denominator for share in exact))
        self._shares = tuple(int(share * self._period) for share in exact)
        self._counts: tuple[int, ...] = (0,) * len(exact)
        self._among: dict[tuple[str, ...], list[int]] = {}
        self._random = random.Random(key)

    def next(self, before: tuple[str, ...]) -> str:
        """Return the next group; `before` are those that the image starts from and got of earlier attributes."""
        among = self._among.setdefault(before, [0] * len(self._groups))
        may: Sequence[int] = eligible(self._shares, self._counts)
        if before:
            dealt = sum(among) + 1
            owed = [dealt * self._shares[group] - among[group] * self._period for group in may]
            may = [group for group, share in zip(may, owed, strict=True) if share == max(owed)]
        group = may[0]
        if len(may) > 1:
            group = self._random.choices(may, weights=[self._shares[group] for group in may])[0]
        among[group] += 1
        counts = tuple(count + (other == group) for other, count in enumerate(self._counts))
        # After a whole period every quota is met exactly, and all begins anew.
        self._counts = (0,) * len(counts) if sum(counts) == self._period else counts
        return self._groups[group]


@cache
def eligible(shares: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    """Return the groups that may come next so that every count, now and ever after, stays within its quota.

    shares: each group's number of images in a period of sum(shares) images.
    """
    dealt = sum(counts) + 1
    may = []
    for group, share in enumerate(shares):
        after = [count + (other == group) for other, count in enumerate(counts)]
        if (after[group] - 1) * sum(shares) < dealt * share and _can_go_on(shares, after, dealt):
            may.append(group)
    return tuple(may)


def _can_go_on(shares: tuple[int, ...], counts: list[int], dealt: int) -> bool:
    """Tell whether the groups that fall due by any later time still fit into the deals until then."""
    period = sum(shares)
    ahead = [
        -(-count * period // share)
        for count, share in zip(counts, shares, strict=True)
        if count * period > dealt * share
    ]
    for time in range(dealt, max(ahead, default=dealt) + 1):
        due = sum(max(0, time * share // period - count) for count, share in zip(counts, shares, strict=True))
        if due > time - dealt:
            return False
    return True
