"""What is still to be expected of a prompt without a verdict: chances against simulation, and images that decide."""

import numpy as np
import pytest

from fairsweep.measure.catalogue import connect
from fairsweep.plan.prospects import LEAST_CHANCE, Prospects
from fairsweep.store import Store

ERROR = 0.05
HALF = [0.5, 0.5]
LOOKS = [*range(16, 250, 16), 250]


@pytest.fixture(scope="module")
def prospects(tmp_path_factory):
    """Return a function from a margin to the prospects of 250 images in rounds of 16."""
    connection = connect(Store(tmp_path_factory.mktemp("empty")))
    made = {}
    return lambda margin: made.setdefault(margin, Prospects(connection, margin, LOOKS))


def simulated(own: Prospects, images: int, counts: list[int], sweeps: int = 4000) -> float:
    """Return how often further images, of a chance drawn from the posterior, bring a verdict (numpy seed 90)."""
    rng = np.random.default_rng(90)
    flags = own._flags(0.5, ERROR)
    chances, shown, last = rng.beta(counts[0] + 0.5, counts[1] + 0.5, sweeps), np.full(sweeps, counts[0]), images
    verdict = np.zeros(sweeps, bool)
    for look in (look for look in LOOKS if look > images):
        shown = shown + rng.binomial(look - last, chances)
        last = look
        verdict |= (flags[look][0] | flags[look][1])[shown]
    return verdict.mean()


@pytest.mark.parametrize(("images", "women"), [(32, 16), (64, 26), (128, 64), (128, 52)])
def test_the_chance_is_that_of_images_to_come(prospects, images, women):
    """Within three standard errors of 4,000 sweeps, and the rounding of either."""
    own, counts = prospects(0.15), [women, images - women]
    expected = simulated(own, images, counts)
    error = 3 * np.sqrt(max(expected * (1 - expected), 0.001) / 4000)
    assert own.chance(images, counts, HALF, ERROR) == pytest.approx(expected, abs=error)


def test_what_a_margin_is_too_fine_for_is_out_of_reach_before_the_end(prospects):
    """At a margin of 5 points no share near one half is decided by 250 images: even counts stop at a third of them."""
    fine, wide = prospects(0.05), prospects(0.2)
    assert fine.chance(96, [48, 48], HALF, ERROR) < LEAST_CHANCE < fine.chance(64, [20, 44], HALF, ERROR)
    assert wide.chance(96, [48, 48], HALF, ERROR) > 0.5
    strata = [{"n": 48, "missing": 0, "counts": [24, 24]}]
    few, many = (each.images_needed(strata, HALF, ERROR) for each in (wide, fine))
    assert 48 < few < 70 and 1200 < many < 2000
    # That many do, and one twentieth fewer do not.
    for needed, margin in ((few, 0.2), (many, 0.05)):
        for n, decided in ((needed, True), (int(needed / 1.05), False)):
            query = "select anytime_low($strata, 1, 0.05::double) >= 0.5 - $margin"
            bound = {"strata": [{"n": n, "missing": 0, "counts": [n / 2, n / 2]}], "margin": margin}
            assert fine._connection.execute(query, bound).fetchall() == [(decided,)]


def test_three_groups_are_out_of_reach_together(prospects):
    third, error = [1 / 3] * 3, ERROR / 3
    assert prospects(0.05).chance(160, [54, 53, 53], third, error) < LEAST_CHANCE
    assert prospects(0.05).chance(160, [80, 40, 40], third, error) > 0.5
