"""Shares and distances of one prompt against hand-computed tables."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan

GENDER = {"gender": ("female", "male")}
TONES = {"skin_tone": ("light", "medium", "dark")}
DISTANCES = (
    "total_variation",
    "kl_divergence",
    "jensen_shannon",
    "chi_square",
    "relative_deviation",
    "normalised_entropy",
    "parity_difference",
    "parity_ratio",
    "pairwise_bias",
    "l2_discrepancy",
    "mean_absolute_deviation",
)


def connected(root, drawn, groups=GENDER, targets=None):
    """Make a store of one prompt with `drawn`: a list of labels of the only attribute."""
    (attribute,) = groups
    labels = [{"seed": seed, attribute: label} for seed, label in enumerate(drawn)]
    store = Store(root)
    write_plan(store, labels, groups, targets=targets)
    write_labels(store, labels, groups)
    return connect(store)


def values(connection):
    return {name: connection.execute(f"select {name} from {name}").fetchone()[0] for name in DISTANCES}


def test_one_group_never_drawn(tmp_path):
    """Given four men and no woman, the female share is 0 and every distance is at its worst."""
    connection = connected(tmp_path, ["male"] * 4)
    rows = connection.execute('select "group", count, n, share, low from share order by position').fetchall()
    assert rows[0] == ("female", 0, 4, 0.0, 0.0)
    assert rows[1][:4] == ("male", 4, 4, 1.0)
    assert values(connection) == pytest.approx(
        {
            "total_variation": 0.5,
            "kl_divergence": 1.0,
            "jensen_shannon": 0.5 * math.log2(4 / 3) + 0.25 * (math.log2(2 / 3) + math.log2(2)),
            "chi_square": 4.0,
            "relative_deviation": 1.0,
            "normalised_entropy": 0.0,
            "parity_difference": 1.0,
            "parity_ratio": 0.0,
            "pairwise_bias": 1.0,
            "l2_discrepancy": math.sqrt(0.5),
            "mean_absolute_deviation": 0.5,
        }
    )


def test_three_groups(tmp_path):
    """Given 3 light, 1 medium, 0 dark: shares .75, .25, 0 against a third each."""
    got = values(connected(tmp_path, ["light"] * 3 + ["medium"], TONES))
    mean = [(p + 1 / 3) / 2 for p in (0.75, 0.25, 0)]
    shannon = sum(p * math.log2(p / m) for p, m in zip((0.75, 0.25), mean, strict=False)) / 2
    shannon += sum(math.log2(1 / 3 / m) / 3 for m in mean) / 2
    assert got == pytest.approx(
        {
            "total_variation": 5 / 12,
            "kl_divergence": 0.75 * math.log2(2.25) + 0.25 * math.log2(0.75),
            "jensen_shannon": shannon,
            "chi_square": (3 - 4 / 3) ** 2 / (4 / 3) + (1 - 4 / 3) ** 2 / (4 / 3) + 4 / 3,
            "relative_deviation": (1.25 + 0.25 + 1) / 3,
            "normalised_entropy": -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) / math.log2(3),
            "parity_difference": 0.75,
            "parity_ratio": 0.0,
            "pairwise_bias": (0.5 + 0.75 + 0.25) / 3,
            "l2_discrepancy": math.sqrt((5 / 12) ** 2 + (1 / 12) ** 2 + (1 / 3) ** 2),
            "mean_absolute_deviation": (5 / 12 + 1 / 12 + 1 / 3) / 3,
        }
    )


def test_four_fifths_are_kept_at_four_to_five(tmp_path):
    drawn = ["female"] * 4 + ["male"] * 5
    query = "select four_fifths_kept from parity_ratio"
    assert connected(tmp_path / "kept", drawn).execute(query).fetchone() == (True,)
    assert connected(tmp_path / "broken", [*drawn, "male"]).execute(query).fetchone() == (False,)


def test_seventy_groups_have_intervals(tmp_path):
    """40 images of the first of 70 groups: Agresti and Coull's at Bonferroni's level."""
    groups = tuple(f"g{place:02}" for place in range(70))
    query = "select low, high from share where \"group\" = 'g00'"
    low, high = connected(tmp_path, ["g00"] * 40, {"language": groups}).execute(query).fetchone()
    z2 = stats.norm.isf(0.025 / 70) ** 2
    centre = (40 + z2 / 2) / (40 + z2)
    assert (low, high) == (pytest.approx(centre - math.sqrt(z2 * centre * (1 - centre) / (40 + z2))), 1.0)


def test_equal_shares_are_perfect(tmp_path):
    got = values(connected(tmp_path, ["female", "male"] * 5))
    assert got.pop("normalised_entropy") == 1 and got.pop("parity_ratio") == 1
    assert set(got.values()) == {0.0}


def test_a_target_of_zero(tmp_path):
    """Given a target of no women: a woman makes KL and chi-square infinite; without one all is on target."""
    targets = {"gender": {"female": 0.0, "male": 1.0}}
    off = connected(tmp_path / "off", ["female", "male"], targets=targets)
    got = values(off)
    assert math.isinf(got["kl_divergence"]) and math.isinf(got["chi_square"])
    assert got["total_variation"] == 0.5
    assert off.execute("select p_value, verdict from target_test").fetchone() == (0.0, "off target")
    assert off.execute("select p_value, q_value from cell_test").fetchone() == (0.0, 0.0)
    on = connected(tmp_path / "on", ["male", "male"], targets=targets)
    assert values(on)["kl_divergence"] == 0 and values(on)["chi_square"] == 0
    assert on.execute("select p_value, verdict from target_test").fetchone() == (1.0, "on target")
    # One image of two is what either could have found.
    for view in ("target_test", "cell_test"):
        assert on.execute(f"select p_value, least_difference from {view}").fetchone() == (1.0, 0.5)


def test_an_image_that_is_still_to_come_does_not_disobey(tmp_path):
    """Asked for women: two come, one has no face, and two failed; of the pilots all failed."""
    drawn = {"nurse": ["female", "female", "no_face", None, None], "pilot": [None]}
    labels = [
        {"prompt": prompt, "seed": seed, "gender": label, "variables": {"gender": "female"}}
        for prompt, own in drawn.items()
        for seed, label in enumerate(own)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    query = "select shown, images, obeyed, reason from obeyed order by prompt"
    assert connect(store).execute(query).fetchall() == [(2, 3, 2 / 3, None), (0, 0, None, "no image was read")]


def test_all_missing(tmp_path):
    """Given no usable label, shares are null with interval [0, 1], and the missing are told apart."""
    connection = connected(tmp_path, ["no_face", "unknown", None, "a dog"])
    rows = connection.execute("select count, n, share, low, high, worst_low, worst_high from share").fetchall()
    assert rows == [(0, 0, None, 0.0, 1.0, 0.0, 1.0)] * 2
    missing = connection.execute("select no_face, unknown, failed, missing_share from missing_share").fetchone()
    assert missing == (1, 2, 1, 1.0)
    assert values(connection) == dict.fromkeys(DISTANCES)
    assert connection.execute("select verdict from target_test").fetchone() == ("no images",)
    assert connection.execute("select labelled, total_variation from summary").fetchone() == (0, None)


def test_labels_that_all_failed_still_count(tmp_path):
    connection = connected(tmp_path, [None, None])
    assert connection.execute("select failed, images from missing_share").fetchone() == (2, 2)


def test_zero_images(tmp_path):
    store = Store(tmp_path)
    store.root.mkdir(exist_ok=True)
    connection = connect(store)
    for name in ("share", "summary", *DISTANCES):
        assert connection.execute(f"from {name}").fetchall() == []


def test_one_image(tmp_path):
    connection = connected(tmp_path, ["female"])
    low, high = connection.execute("select low, high from share where \"group\" = 'female'").fetchone()
    # Agresti and Coull: two successes and failures more, with z squared in place of 4.
    z2 = stats.norm.ppf(0.975) ** 2
    centre = (1 + z2 / 2) / (1 + z2)
    assert (low, high) == (pytest.approx(centre - math.sqrt(z2 * centre * (1 - centre) / (1 + z2))), 1.0)
    assert connection.execute("select p_value, verdict from target_test").fetchone() == (1.0, "not decided")
    value, floor, above = connection.execute(
        "select total_variation, noise_floor, above_floor from total_variation"
    ).fetchone()
    assert (value, floor, above) == pytest.approx((0.5, 0.5, 0.0))


def test_missing_images_bound_the_share(tmp_path):
    """Given 2 women, 1 man and 1 face not found: the female share is 2/3, and between 2/4 and 3/4 at worst."""
    connection = connected(tmp_path, ["female", "female", "male", "no_face"])
    row = connection.execute(
        "select share, worst_low, worst_high, missing from share where \"group\" = 'female'"
    ).fetchone()
    assert row == (pytest.approx(2 / 3), 0.5, 0.75, 1)


def test_every_prompt_counts_the_same_in_the_mean(tmp_path):
    """Given 3 women of 4 doctors and 1 of 2 nurses: a mean share of (3/4 + 1/2) / 2, from 4 of 6 images."""
    drawn = {"doctor": ["female"] * 3 + ["male"], "nurse": ["female", "male"]}
    labels = [
        {"prompt": prompt, "seed": seed, "gender": label}
        for prompt, said in drawn.items()
        for seed, label in enumerate(said)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    rows = connect(store).execute('select "group", mean_share, prompts, count, n from mean_share order by position')
    assert rows.fetchall() == [("female", 0.625, 2, 4, 6), ("male", 0.375, 2, 2, 6)]


def test_attributes_may_be_called_like_their_groups(tmp_path):
    """Glasses on all four images, a hat on one: neither is taken for the other."""
    groups = {"glasses": ("glasses", "none"), "hat": ("hat", "none")}
    store = Store(tmp_path)
    labels = [{"seed": seed, "glasses": "glasses", "hat": "none" if seed else "hat"} for seed in range(4)]
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    query = "select attribute, count, n from share where position = 1 order by attribute"
    assert connect(store).execute(query).fetchall() == [("glasses", 4, 4), ("hat", 1, 4)]


def test_models_and_prompts_may_have_each_others_names(tmp_path):
    """Of two models and two prompts, each called 1 and 2, as many women as the two numbers make."""
    labels = [
        {"model": model, "prompt": prompt, "seed": seed, "gender": "female" if seed < count else "male"}
        for model, prompt, count in (("1", "1", 0), ("1", "2", 1), ("2", "1", 2), ("2", "2", 3))
        for seed in range(4)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    query = """select model, prompt_name, count from share where "group" = 'female' order by 1, 2"""
    assert connect(store).execute(query).fetchall() == [("1", "1", 0), ("1", "2", 1), ("2", "1", 2), ("2", "2", 3)]


def test_every_planned_image_has_one_outcome(tmp_path):
    connection = connected(tmp_path, ["female", "no_face", "a dog", None])
    rows = connection.execute("select outcome, count(*) from outcomes group by all order by 1").fetchall()
    assert rows == [("failed", 1), ("female", 1), ("no_face", 1), ("unknown", 1)]
    rows = connection.execute("select outcome, n from counts order by 1").fetchall()
    assert rows == [("failed", 1), ("female", 1), ("male", 0), ("no_face", 1), ("unknown", 1)]


def test_noise_floor_is_the_mean_of_a_fair_model(tmp_path):
    """For two images of two equal groups total variation is 0 or 1/2 with equal chance: 1/4 on average."""
    connection = connected(tmp_path, ["female", "female"])
    row = connection.execute("select noise_floor, above_floor from total_variation").fetchone()
    assert row == pytest.approx((0.25, 0.25))
    assert connection.execute("select noise_floor, above_floor from parity_ratio").fetchone() == pytest.approx(
        (0.5, 0.5)
    )


def test_noise_floors_of_three_groups_of_which_two_are_rare(tmp_path):
    """Eight images, the target .9/.07/.03: the exact means over all 45 outcomes, to 1e-9."""
    target = np.array([0.9, 0.07, 0.03])
    tones = dict(zip(TONES["skin_tone"], target.tolist(), strict=True))
    connection = connected(tmp_path, ["light", "medium"] * 4, TONES, targets={"skin_tone": tones})
    outcomes = np.array([counts for counts in product(range(9), repeat=3) if sum(counts) == 8])
    chances = stats.multinomial.pmf(outcomes, 8, target)
    shares = outcomes / 8

    def bits(p, q):
        return np.where(p > 0, p * np.log2(np.where(p > 0, p, 1) / q), 0).sum(1)

    exact = {
        "total_variation": abs(shares - target).sum(1) / 2,
        "kl_divergence": bits(shares, target),
        "jensen_shannon": (bits(shares, (shares + target) / 2) + bits(target + 0 * shares, (shares + target) / 2)) / 2,
        "chi_square": (8 * (shares - target) ** 2 / target).sum(1),
        "relative_deviation": (abs(shares - target) / target).mean(1),
    }
    for view, values in exact.items():
        (floor,) = connection.execute(f"select noise_floor from {view}").fetchone()
        assert floor == pytest.approx(chances @ values, abs=1e-9), view


def test_intervals_bracket_the_value_and_hold_the_target(tmp_path):
    """Two groups: the interval of total variation is the image of Wilson's interval."""
    connection = connected(tmp_path, ["female"] * 9 + ["male"])
    low, high = connection.execute("select low, high from share where position = 1").fetchone()
    bounds = connection.execute("select low, high from total_variation").fetchone()
    assert bounds == pytest.approx((low - 0.5, high - 0.5))
