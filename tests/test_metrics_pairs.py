"""What compares settings, references and classifiers, against hand-computed tables."""

import numpy as np
import pytest
from scipy import stats

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_labels, write_pictures, write_plan

GENDER = {"gender": ("female", "male")}
BOTH = {"gender": ("female", "male"), "skin_tone": ("light", "dark")}


def rows_of(before, after, prompt="doctor", scale=4.0):
    return [
        {"setting": setting, "seed": seed, "prompt": prompt, "gender": label, "scale": dose}
        for setting, labels, dose in (("none", before, None), ("fair", after, scale))
        for seed, label in enumerate(labels)
    ]


def connected(root, labels, groups=GENDER):
    store = Store(root)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    return connect(store)


def test_mcnemar_is_exact_on_the_flips(tmp_path):
    """Given 10 men of which 6 become women, and 2 women of which 1 becomes a man: 6 against 1 flips.

    Over all prompts a seed counts once: the mean change is 5/12, less 1/12 for continuity, and its variance under
    the null 7 / 12^2.
    """
    labels = rows_of(["male"] * 10 + ["female"] * 2, ["female"] * 6 + ["male"] * 4 + ["male", "female"])
    connection = connected(tmp_path, labels)
    query = "select pairs, flipped, p_value, test from mcnemar where prompt is {} null"
    row = connection.execute(query.format("not")).fetchone()
    assert row == (12, 7, pytest.approx(stats.binomtest(6, 7).pvalue), "exact McNemar")
    changes = np.array([1] * 6 + [0] * 4 + [-1, 0])
    error = max(7 / 12**2, ((changes - 5 / 12) ** 2).sum() / 12**2 * 12 / 11) ** 0.5
    row = connection.execute(query.format("")).fetchone()
    assert row == (12, 7, pytest.approx(2 * stats.t.sf((5 - 1) / 12 / error, 11)), "t over seeds")
    flips = connection.execute("select before, after, n from paired_flips order by all").fetchall()
    assert flips == [("female", "female", 1), ("female", "male", 1), ("male", "female", 6), ("male", "male", 4)]


def test_three_groups_are_tested_pair_by_pair(tmp_path):
    """Six a became b and two b became a; three a became c: the least of two exact p-values, twice."""
    groups = {"gender": ("a", "b", "c")}
    labels = rows_of(["a"] * 9 + ["b"] * 9, ["b"] * 6 + ["c"] * 3 + ["a"] * 2 + ["b"] * 7)
    row = (
        connected(tmp_path, labels, groups)
        .execute("select p_value, test from mcnemar where prompt is not null")
        .fetchone()
    )
    least = min(stats.binomtest(6, 8).pvalue, stats.binomtest(3, 3).pvalue)
    assert row == (pytest.approx(2 * least), "exact McNemar by pairs")


def test_a_seed_that_repeats_in_a_cell_pairs_with_nothing(tmp_path):
    """Two unguided images of seed 0 under one prompt: its guided image is nobody's pair; seed 1 has one."""
    store = Store(tmp_path)
    labels = rows_of(["male", "male"], ["female", "female"])
    twice = [dict(row, image="again") for row in labels if row["setting"] == "none" and row["seed"] == 0]
    write_plan(store, labels + twice, GENDER)
    write_labels(store, labels + twice, GENDER)
    assert connect(store).execute("select sum(n) from paired_flips").fetchall() == [(1,)]


def test_no_images_and_missing_outcomes_of_pairs(tmp_path):
    """Given one seed whose face was never found: one pair that did not flip, nothing tested, no distance to compare."""
    connection = connected(tmp_path / "missing", rows_of(["no_face"], ["no_face"]))
    row = connection.execute("select pairs, flipped, p_value, test from mcnemar where prompt is null").fetchone()
    assert row == (1, 0, 1.0, "no flips")
    for name in ("distance_change", "agreement", "fleiss_kappa"):
        assert connection.execute(f"from {name}").fetchall() == []
    store = Store(tmp_path / "empty")
    store.root.mkdir()
    empty = connect(store)
    for name in ("mcnemar", "paired_flips", "side_effects", "intersections", "mean_share", "cost", "worst_prompts"):
        assert empty.execute(f"from {name}").fetchall() == []


def test_what_failed_is_no_flip_and_what_lost_its_face_is_one(tmp_path):
    """Ten men of whom guidance leaves two, blurs three and has yet to make five."""
    labels = rows_of(["male"] * 10, ["male"] * 2 + ["no_face"] * 3 + [None] * 5)
    connection = connected(tmp_path, labels)
    rows = connection.execute("select pairs, flipped, flipped_share, p_value, test from mcnemar").fetchall()
    assert rows == [(5, 3, 0.6, 1.0, "no flips between groups")] * 2
    assert connection.execute("select count(*) from seed_pairs where flipped").fetchone() == (3,)


def test_distance_change_resamples_the_seeds(tmp_path):
    """Given 20 men of which 10 become women: the distance falls by .5; in one unchanged image by 0, not surely."""
    change = "select distance_change, low, high from distance_change where prompt like '%doctor'"
    value, low, high = (
        connected(tmp_path / "a", rows_of(["male"] * 20, ["male", "female"] * 10)).execute(change).fetchone()
    )
    assert value == pytest.approx(-0.5) and -0.55 < low <= value < high < -0.2
    value, low, high = connected(tmp_path / "b", rows_of(["male"], ["male"])).execute(change).fetchone()
    assert value == 0 and low < -0.2 and high >= 0


def test_change_from_baseline_and_dose_response(tmp_path):
    connection = connected(tmp_path, rows_of(["male"] * 8, ["male", "female"] * 4))
    row = connection.execute("select change_from_baseline, low, high from change_from_baseline").fetchone()
    assert row[0] == -0.5 and row[1] <= -0.5 <= row[2]
    doses = connection.execute("select scale, total_variation, slope from dose_response order by scale").fetchall()
    assert doses == [(0.0, 0.5, None), (4.0, 0.0, -0.125)]


def test_settings_of_one_scale_have_slopes_of_their_own(tmp_path):
    """Two settings of scale 4 at distances 0 and .25, the unguided at .5: each has its slope from scale 0."""
    labels = rows_of(["male"] * 8, ["male", "female"] * 4)
    labels += [
        {"setting": "other", "method": "fair", "seed": seed, "gender": label, "scale": 4.0}
        for seed, label in enumerate(["male"] * 6 + ["female"] * 2)
    ]
    query = "select setting, total_variation, slope from dose_response order by scale, setting"
    rows = connected(tmp_path, labels).execute(query).fetchall()
    assert rows == [("none", 0.5, None), ("fair", 0.0, -0.125), ("other", 0.25, -0.0625)]


def test_changes_of_ten_groups_leave_none_out(tmp_path):
    """Twenty images of the first of ten tones become two of each: the distance falls from .9 to 0."""
    tones = tuple(f"tone {place}" for place in range(10))
    labels = rows_of([tones[0]] * 20, list(tones) * 2)
    connection = connected(tmp_path, labels, {"gender": tones})
    for view, before in (("distance_change", "distance_before"), ("change_from_baseline", "baseline_distance")):
        change = "distance_change" if view == "distance_change" else "change_from_baseline"
        row = connection.execute(f"select {before}, {change}, low, high from {view}").fetchone()
        assert row[:2] == pytest.approx((0.9, -0.9)) and row[2] <= -0.9 <= row[3] < 0


def test_changes_have_q_values_that_agree_with_their_intervals(tmp_path):
    """Given three prompts of which one reaches its target: p < .05 where the interval excludes 0, and scipy's q."""
    labels = rows_of(["male"] * 40, ["male", "female"] * 20)
    labels += rows_of(["male", "female"] * 20, ["female", "male"] * 20, prompt="nurse")
    labels += rows_of(["male"] * 3, ["female"] * 3, prompt="clerk")
    connection = connected(tmp_path, labels)
    for view in ("change_from_baseline", "distance_change"):
        rows = connection.execute(f"select low, high, p_value, q_value from {view} order by prompt").fetchall()
        assert [low <= 0 <= high for low, high, *_ in rows] == [True, False, True]
        assert all((low <= 0 <= high) == (p_value >= 0.05) for low, high, p_value, _ in rows)
        wanted = stats.false_discovery_control([row[2] for row in rows])
        assert [row[3] for row in rows] == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_unchanged_distance_is_seldom_found_changed(tmp_path, share):
    """300 prompts of 16 seeds whose shares no guidance changes, the target a half (numpy seed 8): p < .05 in at most
    5 % of them, within three binomial errors (.038)."""
    rng = np.random.default_rng(8)
    labels = []
    for prompt in range(300):
        before, after = (np.where(rng.random(16) < share, "male", "female").tolist() for _ in range(2))
        labels += rows_of(before, after, prompt=f"p{prompt}")
    connection = connected(tmp_path, labels)
    for view in ("change_from_baseline", "distance_change"):
        ((level,),) = connection.execute(f"select avg((p_value < 0.05)::int) from {view}").fetchall()
        assert level <= 0.05 + 0.038, view


def test_side_effects_and_intersections(tmp_path):
    """Guidance steers gender alone; the skin tones of half the images go from dark to light."""
    labels = [
        {"setting": setting, "seed": seed, "gender": gender, "skin_tone": tone}
        for setting, tones in (("none", ["dark"] * 4), ("fair", ["dark", "light"] * 2))
        for seed, (gender, tone) in enumerate(zip(["male", "male", "male", "female"], tones, strict=True))
    ]
    connection = connected(tmp_path, labels, BOTH)
    rows = connection.execute('select "group", side_effect, low, high, p_value from side_effects order by 1').fetchall()
    assert [row[:2] for row in rows] == [("dark", -0.5), ("light", 0.5)]
    # The test and the interval of the same row agree.
    assert all((low <= 0 <= high) == (p_value >= 0.05) for _, _, low, high, p_value in rows)
    joint = connection.execute(
        "select \"group\", other_group, count, n, share, sparse from intersections where setting = 'none' order by all"
    ).fetchall()
    assert joint == [
        ("female", "dark", 1, 4, 0.25, True),
        ("female", "light", 0, 4, 0.0, True),
        ("male", "dark", 3, 4, 0.75, True),
        ("male", "light", 0, 4, 0.0, True),
    ]


def test_a_prompt_that_a_setting_has_lost_is_no_effect_of_it(tmp_path):
    """Doctors are men and nurses women under both settings, and guided no nurse has a face: no mean is of the same."""
    labels = rows_of(["male"] * 9 + ["female"], ["male"] * 9 + ["female"])
    labels += rows_of(["female"] * 9 + ["male"], ["no_face"] * 10, "nurse")
    connection = connected(tmp_path, [{**row, "attributes": ["skin_tone"]} for row in labels])
    rows = connection.execute("select distinct side_effect, low, high, p_value, reason from side_effects").fetchall()
    assert rows == [(None, None, None, None, "not the same prompts show a group under both settings")]
    assert connection.execute("select distinct slope from dose_response").fetchall() == [(None,)]


def test_what_was_kept(tmp_path):
    """Embeddings (1, 0) without and (.6, .8) with guidance: cosine .6; the occupation is recognised once in two."""
    labels = [
        {"setting": s, "seed": seed, "gender": "male", "embedding": e, "alignment": a, "occupation": o}
        for s, e, a in (("none", [1.0, 0.0], 0.3), ("fair", [0.6, 0.8], 0.2))
        for seed, o in enumerate(["doctor", "nurse"])
    ]
    for row in labels:
        row["direction"] = {"gender": "female" if row["seed"] else "male"} if row["setting"] == "fair" else {}
    connection = connected(tmp_path, labels)
    assert connection.execute("select scene_similarity, n from scene_similarity").fetchone() == (pytest.approx(0.6), 2)
    aligned = connection.execute("select prompt_alignment from prompt_alignment order by setting").fetchall()
    assert aligned == [(pytest.approx(0.2),), (pytest.approx(0.3),)]
    assert connection.execute("select recognition, n from recognition").fetchall() == [(0.5, 2)] * 2
    assert connection.execute("select steering, n from steering").fetchone() == (0.5, 2)


def reference(store, shares, n=None, name="truth", model=None):
    store.write(
        "references",
        name,
        [
            {
                "reference": name,
                "model": model,
                "prompt_name": prompt,
                "attribute": "gender",
                "group": g,
                "share": s,
                "n": n,
            }
            for prompt, share in shares.items()
            for g, s in (("female", share), ("male", 1 - share))
        ],
    )


def test_reference_verdicts_and_bias_amplification(tmp_path):
    """Female shares .9, .5 and .1 against references .7, .52 and .3: amplified, reflected, amplified."""
    labels = [
        {"prompt": prompt, "seed": seed, "gender": "female" if seed < women else "male"}
        for prompt, women in (("a", 90), ("b", 50), ("c", 10))
        for seed in range(100)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    reference(store, {"a": 0.7, "b": 0.52, "c": 0.3})
    connection = connect(store)
    rows = connection.execute(
        "select prompt_name, verdict, tested_verdict from reference_comparison order by 1"
    ).fetchall()
    assert [row[1] for row in rows] == ["amplified", "reflected", "amplified"]
    assert [row[2] for row in rows] == ["amplified", "reflected", "amplified"]
    zhao, directional = connection.execute("select bias_amplification, directional from bias_amplification").fetchone()
    # Favoured: women in a and b, men in c; they gain .2, -.02 and .2.
    assert zhao == pytest.approx((0.2 - 0.02 + 0.2) / 3)
    assert directional == pytest.approx((0.2 - 0.02 + 0.2) / 3)
    connection.execute("create or replace macro reference_tolerance() as 0.3e0")
    counts = connection.execute("select verdict, count from reference_verdicts order by 1").fetchall()
    assert counts == [("amplified", 0), ("mitigated", 0), ("reflected", 3)]


def test_a_reference_is_reflected_at_its_tolerance_and_of_the_same_groups(tmp_path):
    """Female .54 of .5 is within 4 %; a reference that has a third group is no reference of two."""
    labels = [{"seed": seed, "gender": "female" if seed < 54 else "male"} for seed in range(100)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    reference(store, {"doctor": 0.5})
    more = [("female", 0.5), ("male", 0.4), ("nonbinary", 0.1)]
    row = {"reference": "three", "prompt_name": "doctor", "attribute": "gender"}
    store.write("references", "three", [{**row, "group": group, "share": share} for group, share in more])
    rows = connect(store).execute("select reference, verdict from reference_comparison").fetchall()
    assert rows == [("truth", "reflected")]


def test_what_too_few_images_say_of_a_reference_is_not_decided_by_test(tmp_path):
    """Of 3 images against .5, all of one group have p = 1/4: nothing could be found; against 50 of 100 neither."""
    labels = [{"seed": seed, "gender": "male"} for seed in range(3)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    reference(store, {"doctor": 0.5})
    reference(store, {"doctor": 0.5}, n=100, name="counted")
    reference(store, {"doctor": 0.99}, name="rare")
    connection = connect(store)
    query = "select reference, least_p, tested_verdict from reference_comparison order by 1"
    rows = connection.execute(query).fetchall()
    assert [row[::2] for row in rows] == [("counted", "not decided"), ("rare", "amplified"), ("truth", "not decided")]
    fisher = 2 * stats.hypergeom.cdf(0, 103, 50, 3)
    assert [row[1] for row in rows] == pytest.approx([fisher, 2 * 0.01**3, 0.25])
    assert connection.execute("select sum(tested_count) from reference_verdicts").fetchone() == (1,)


def test_a_sweep_is_compared_with_its_own_references(tmp_path):
    """An import is compared with what was imported, not with what is known of a built-in model; a spec says which."""
    labels = [{"seed": seed, "gender": "female"} for seed in range(4)]
    store = Store(tmp_path)
    for sweep, names in (("survey", None), ("portraits", ["planted"]), ("alone", [])):
        write_plan(store, labels, GENDER, sweep=sweep, references=names)
        write_labels(store, labels, GENDER, sweep=sweep)
    reference(store, {"doctor": 0.7}, name="census")
    reference(store, {"doctor": 0.5}, name="planted", model="builtin:portraits")
    rows = connect(store).execute("select sweep, reference from reference_comparison order by all").fetchall()
    assert rows == [("portraits", "planted"), ("survey", "census")]


def test_agreement_of_classifiers(tmp_path):
    """Of 10 images two classifiers agree on 4 women and 3 men: observed .7, expected .5, kappa .4."""
    one = ["female"] * 5 + ["male"] * 5
    other = ["female"] * 4 + ["male"] + ["female"] * 2 + ["male"] * 3
    store = Store(tmp_path)
    labels = [{"seed": seed, "gender": label} for seed, label in enumerate(one)]
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER, classifier="one")
    write_labels(store, [{"seed": s, "gender": v} for s, v in enumerate(other)], GENDER, classifier="other")
    connection = connect(store)
    row = connection.execute("select n, observed, expected, kappa from agreement").fetchone()
    assert row == (10, pytest.approx(0.7), pytest.approx(0.5), pytest.approx(0.4))
    # Fleiss' chance agreement pools both raters: 11 and 9 of 20 votes.
    expected = (11 / 20) ** 2 + (9 / 20) ** 2
    row = connection.execute("select images, kappa from fleiss_kappa").fetchone()
    assert row == (10, pytest.approx((0.7 - expected) / (1 - expected)))


def test_cost_per_image_and_per_finding(tmp_path):
    """Eight men at half a second each: 4 seconds, 2 images per second, one prompt found off target."""
    labels = [{"seed": seed, "gender": "male"} for seed in range(8)]
    store = Store(tmp_path)
    write_plan(store, [*labels, {"seed": 0, "setting": "fair", "gender": "male"}], GENDER)
    write_labels(store, labels, GENDER)
    write_pictures(store, labels)
    rows = connect(store).execute(
        """select setting, images, failed, seconds, device_hours, images_per_second, findings, seconds_per_finding
        from cost order by 1"""
    )
    assert rows.fetchall() == [
        ("fair", 0, 0, None, None, None, 0, None),
        ("none", 8, 0, 4.0, pytest.approx(4 / 3600), 2.0, 1, 4.0),
    ]


def test_findings_are_of_each_attribute(tmp_path):
    """One prompt of eight light men is two findings: half of the 4 seconds for each."""
    labels = [{"seed": seed, "gender": "male", "skin_tone": "light"} for seed in range(8)]
    store, groups = Store(tmp_path), {**GENDER, "skin_tone": ("dark", "light")}
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    write_pictures(store, labels)
    assert connect(store).execute("select findings, seconds_per_finding from cost").fetchall() == [(2, 2.0)]


def test_worst_prompts_come_first(tmp_path):
    """Total variation .5 of four men, .25 of three in four, 0 of two; a prompt without any group comes last.

    Four images of two groups have no outcome with p below 2 / 2^4 = .125, so that nothing is decided.
    """
    labels = [
        {"prompt": prompt, "seed": seed, "gender": label}
        for prompt, women, label_of_rest in (("a", 2, "male"), ("b", 0, "male"), ("c", 1, "male"), ("d", 0, "no_face"))
        for seed, label in enumerate(["female"] * women + [label_of_rest] * (4 - women))
    ]
    rows = connected(tmp_path, labels).execute(
        "select rank, prompt_name, n, total_variation, verdict from worst_prompts order by rank"
    )
    assert rows.fetchall() == [
        (1, "b", 4, 0.5, "not decided"),
        (2, "c", 4, 0.25, "not decided"),
        (3, "a", 4, 0.0, "not decided"),
        (4, "d", 0, None, "no images"),
    ]


def test_correction_takes_known_errors_out(tmp_path):
    """Sensitivity .9, specificity .8: a raw female share of .41 is a true one of .3."""
    labels = [{"seed": seed, "gender": "female" if seed < 41 else "male"} for seed in range(100)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    matrix = (("female", "female", 90), ("female", "male", 10), ("male", "female", 20), ("male", "male", 80))
    store.write(
        "calibration",
        "portraits",
        [{"classifier": "portraits", "attribute": "gender", "truth": t, "label": v, "n": n} for t, v, n in matrix],
    )
    row = (
        connect(store)
        .execute(
            """select share, corrected_share, low, high from corrected_share
            where "group" = 'female' and prompt is null"""
        )
        .fetchone()
    )
    assert row[:2] == pytest.approx((0.41, 0.3))
    # Delta method: sqrt(.41 .59 / 100 + .3^2 .09 / 100 + .7^2 .16 / 100) / .7 = .0819, a little more smoothed.
    assert row[2] == pytest.approx(0.3 - 1.96 * 0.0819, abs=0.01)
    assert row[3] == pytest.approx(0.3 + 1.96 * 0.0819, abs=0.01)
