import math
from collections import Counter
from itertools import islice

import pytest

from fairsweep.plan.quota import deal

TARGETS = [
    {"female": 0.5, "male": 0.5},
    {"light": 1 / 3, "medium": 1 / 3, "dark": 1 / 3},
    {"female": 0.7, "male": 0.3},
    {"a": 0.99, "b": 0.01},
    {"a": 1.0, "b": 0.0},
    {"a": 0.1, "b": 0.15, "c": 0.2, "d": 0.55},
]


def directions(targets, count, key="0\na prompt"):
    return list(islice(deal(targets, key), count))


@pytest.mark.parametrize("target", TARGETS)
def test_every_prefix_holds_the_asked_proportion(target):
    counts = Counter()
    for dealt, direction in enumerate(directions({"x": target}, 300), start=1):
        counts[direction["x"]] += 1
        for group, share in target.items():
            assert math.floor(dealt * share - 1e-6) <= counts[group] <= math.ceil(dealt * share + 1e-6)


def test_the_proportion_is_exact_where_it_can_be():
    counts = Counter(direction["gender"] for direction in directions({"gender": {"female": 0.7, "male": 0.3}}, 250))
    assert counts == {"female": 175, "male": 75}


def test_seeds_added_at_the_end_leave_the_earlier_directions():
    targets = {"gender": TARGETS[0], "skin_tone": TARGETS[1]}
    assert directions(targets, 40)[:33] == directions(targets, 33)


def test_attributes_are_balanced_jointly():
    targets = {"gender": TARGETS[0], "skin_tone": TARGETS[1], "glasses": {"no": 0.75, "yes": 0.25}}
    dealt = directions(targets, 240)
    for first, second in (("gender", "skin_tone"), ("gender", "glasses"), ("skin_tone", "glasses")):
        joint = Counter((direction[first], direction[second]) for direction in dealt)
        for (a, b), count in joint.items():
            assert abs(count - 240 * targets[first][a] * targets[second][b]) <= 3


def test_the_key_shuffles():
    targets = {"gender": TARGETS[0]}
    assert directions(targets, 32) == directions(targets, 32)
    assert directions(targets, 32) != directions(targets, 32, key="1\na prompt")
    assert len({tuple(d["gender"] for d in directions(targets, 32, f"0\n{number}")) for number in range(20)}) == 20
