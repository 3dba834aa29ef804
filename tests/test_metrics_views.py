"""What a cell shows beyond its shares, against hand-computed tables."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan

GENDER = {"gender": ("female", "male")}
BOTH = {"gender": ("female", "male"), "tone": ("light", "dark")}


def store_of(root, labels, groups=GENDER):
    store = Store(root)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    return connect(store)


def drawn(**women):
    """Ten images of each prompt, so many of them women."""
    return [
        {"prompt": prompt, "seed": seed, "gender": "female" if seed < count else "male"}
        for prompt, count in women.items()
        for seed in range(10)
    ]


def test_mutual_information_of_attribute_and_prompt(tmp_path):
    """Nurses 10 of 10 women and doctors none: the prompt tells all. 5 and 5: it tells nothing."""
    query = "select plain, entropy, normalised, p_value from mutual_information"
    row = store_of(tmp_path / "all", drawn(nurse=10, doctor=0)).execute(query).fetchone()
    # Less what chance adds in 20 images: one degree of freedom over 2 n ln 2.
    assert row[:3] == pytest.approx((1.0, 1.0, 1 - 1 / (40 * math.log(2))))
    # Pearson's statistic is 20, of which 19 / 20 count.
    assert row[3] == pytest.approx(stats.chi2.sf(19, 1))
    row = store_of(tmp_path / "none", drawn(nurse=5, doctor=5)).execute(query).fetchone()
    assert row == (0.0, 1.0, 0.0, 1.0)


def test_a_model_of_one_group_leaves_a_bit_to_its_target(tmp_path):
    """FairMOP's model that always draws one group of two: the divergence from an even target is 1 bit."""
    connection = store_of(tmp_path, drawn(nurse=0, doctor=0))
    assert connection.execute("select distinct kl_divergence from kl_divergence").fetchall() == [(1.0,)]
    assert connection.execute("select distinct normalised_entropy from normalised_entropy").fetchall() == [(0.0,)]
    assert connection.execute("select normalised, p_value from mutual_information").fetchall() == [(None, None)]


def test_intersections_have_an_entropy_and_a_distance(tmp_path):
    """Of 8 images 4 are light women and 4 dark men: 1 bit of 2, half the images in the wrong place."""
    labels = [{"seed": s, "gender": BOTH["gender"][s % 2], "tone": BOTH["tone"][s % 2]} for s in range(8)]
    row = store_of(tmp_path, labels, BOTH).execute(
        "select n, entropy, normalised_entropy, total_variation, noise_floor from intersection_entropy"
    )
    floor = 4 * math.sqrt(2 * 0.25 * 0.75 / (math.pi * 8)) / 2
    assert row.fetchone() == (8, 1.0, 0.5, 0.5, pytest.approx(floor))


def test_soft_shares_count_doubt(tmp_path):
    """Three images read as female with .9, .6 and .6: a soft share of .7, while all three are labelled female."""
    store = Store(tmp_path)
    labels = [{"seed": seed, "gender": "female"} for seed in range(3)]
    write_plan(store, labels, GENDER)
    scores = [{"female": sure, "male": 1 - sure} for sure in (0.9, 0.6, 0.6)]
    write_labels(store, [{**row, "scores": score} for row, score in zip(labels, scores, strict=True)], GENDER)
    rows = (
        connect(store).execute('select "group", n, soft_share, low, high from soft_share order by position').fetchall()
    )
    half = stats.t.isf(0.025, 2) * np.std([0.9, 0.6, 0.6], ddof=1) / 3**0.5
    assert rows[0] == ("female", 3, pytest.approx(0.7), pytest.approx(max(0, 0.7 - half)), pytest.approx(1.0))
    assert rows[1][2] == pytest.approx(0.3)


def test_the_gap_of_alignment_is_within_prompts(tmp_path):
    """Women score .3 and men .2 as doctors, .5 and .4 as nurses: a gap of .1, whoever is shown more often where."""
    labels = [
        {"prompt": prompt, "seed": seed, "gender": gender, "alignment": score}
        for prompt, scores in (("doctor", (0.3, 0.2, 0.2)), ("nurse", (0.5, 0.5, 0.4)), ("pilot", (0.9, 0.5, 0.5)))
        for seed, (gender, score) in enumerate(
            zip(("female", "female" if prompt == "nurse" else "male", "male"), scores, strict=True)
        )
    ]
    rows = store_of(tmp_path, labels).execute(
        'select prompts, n, alignment_gap, low, high, p_value from alignment_gap order by "group"'
    )
    (women, men) = rows.fetchall()
    gaps = [0.1, 0.1, 0.4]
    test = stats.ttest_1samp(gaps, 0)
    half = stats.t.isf(0.025, 2) * np.std(gaps, ddof=1) / 3**0.5
    assert women == (3, 4, *[pytest.approx(v, abs=1e-6) for v in (0.2, 0.2 - half, 0.2 + half, test.pvalue)])
    assert men[2] == pytest.approx(-0.2)


def test_how_alike_the_images_of_a_group_are(tmp_path):
    """Women (1, 0), (1, 0), (0, 1): one pair of three alike, a mean cosine of 1/3; squares: 5 of 9."""
    vectors = [("female", [1.0, 0.0]), ("female", [1.0, 0.0]), ("female", [0.0, 1.0]), ("male", [0.6, 0.8])]
    labels = [{"seed": seed, "gender": group, "embedding": v} for seed, (group, v) in enumerate(vectors)]
    rows = store_of(tmp_path, labels).execute(
        'select "group", n, mean_cosine, vendi from homogenisation order by "group"'
    )
    assert rows.fetchall() == [
        ("female", 3, pytest.approx(1 / 3), pytest.approx(9 / 5)),
        ("male", 1, None, pytest.approx(1.0)),
    ]


def test_expected_maximum_unfairness_of_two_prompts_and_images(tmp_path):
    """Over all pairs of three prompts of female shares 0, .5 and .8, and two images of each, every outcome weighed."""
    connection = store_of(tmp_path, drawn(a=0, b=5, c=8))
    connection.execute("create or replace macro unfairness_prompts() as 2")
    connection.execute("create or replace macro unfairness_images() as 2")

    def mean_of_largest(pair):
        total = 0
        for counts in product(range(3), repeat=2):
            chance = np.prod([stats.binom.pmf(k, 2, share) for k, share in zip(counts, pair, strict=True)])
            total += chance * max(abs(k - 1) for k in counts)
        return total

    wanted = np.mean([mean_of_largest(pair) for pair in combinations((0.0, 0.5, 0.8), 2)])
    row = connection.execute(
        "select prompts, drawn, expected_maximum_unfairness, fair from expected_maximum_unfairness"
    ).fetchone()
    assert row == (3, 2, pytest.approx(wanted), pytest.approx(mean_of_largest((0.5, 0.5))))


def test_two_models_are_compared_seed_by_seed(tmp_path):
    """Of two prompts m shows women 0, 1, 1, 2 times on four seeds, n 0, 0, 1, 1 times: .25 more on average."""
    women = {"m": (0, 1, 1, 2), "n": (0, 0, 1, 1)}
    labels = [
        {"model": model, "prompt": prompt, "seed": seed, "gender": "female" if place < count else "male"}
        for model, counts in women.items()
        for seed, count in enumerate(counts)
        for place, prompt in enumerate(("doctor", "nurse"))
    ]
    row = store_of(tmp_path, labels).execute(
        """select model, versus, seeds, share, other_share, difference, low, high, p_value from model_comparison
        where "group" = 'female'"""
    )
    test = stats.ttest_rel([0, 0.5, 0.5, 1], [0, 0, 0.5, 0.5])
    interval = test.confidence_interval()
    wanted = [pytest.approx(value) for value in (0.5, 0.25, 0.25, interval.low, interval.high, test.pvalue)]
    assert row.fetchone() == ("m", "n", 4, *wanted)


def test_embeddings_of_unlike_lengths_have_no_cosine(tmp_path):
    labels = [
        {"setting": setting, "seed": seed, "gender": "male", "embedding": vector}
        for setting, vectors in (("none", ([1.0, 0.0], [0.0, 1.0])), ("fair", ([1.0, 0.0], [0.6, 0.8, 0.0])))
        for seed, vector in enumerate(vectors)
    ]
    connection = store_of(tmp_path, labels)
    assert connection.execute("select n, scene_similarity from scene_similarity").fetchall() == [(1, 1.0)]
    query = "select scene_similarity, scene_floor from summary where setting = 'fair'"
    assert connection.execute(query).fetchall() == [(1.0, 0.0)]


def test_what_one_model_has_lost_counts_under_neither(tmp_path):
    """Both models show the same people; of n no nurse has a face, and one doctor. Nor is the model a fairer one."""
    labels = [
        {
            "model": model,
            "prompt": prompt,
            "seed": seed,
            "gender": "female" if (prompt == "nurse") != (seed < 3) else "male",
        }
        for model in "mn"
        for prompt in ("doctor", "nurse")
        for seed in range(40)
    ]
    for row in labels:
        if row["model"] == "n" and (row["prompt"] == "nurse" or row["seed"] == 0):
            row["gender"] = "no_face"
    connection = store_of(tmp_path, labels)
    query = (
        """select n, seeds, share, other_share, difference, low, high from model_comparison where "group" = 'female'"""
    )
    (row,) = connection.execute(query).fetchall()
    assert row == (39, 39, 2 / 39, 2 / 39, 0.0, -row[6], pytest.approx(stats.t.isf(0.025, 38) / 39))
    rows = connection.execute("select model, best, worst, tied from leaderboard order by model").fetchall()
    assert rows == [("m", 1, 2, ["n"]), ("n", 1, 2, ["m"])]


def test_seeds_of_unlike_numbers_of_pairs_weigh_by_them(tmp_path):
    """Seed 0 has three prompts and women in two more of m's, seed 1 one and in one fewer: (2 - 1) / 4."""
    pairs = [(0, "female", "male"), (0, "female", "male"), (0, "male", "male"), (1, "male", "female")]
    labels = [
        {"model": model, "prompt": f"p{place}", "seed": seed, "gender": gender}
        for place, (seed, *genders) in enumerate(pairs)
        for model, gender in zip("mn", genders, strict=True)
    ]
    query = """select n, share, other_share, difference, high from model_comparison where "group" = 'female'"""
    (row,) = store_of(tmp_path, labels).execute(query).fetchall()
    error = (2 * ((2 - 3 / 4) ** 2 + (-1 - 1 / 4) ** 2)) ** 0.5 / 4
    assert row == (4, 0.5, 0.25, 0.25, pytest.approx(0.25 + stats.t.isf(0.025, 1) * error))


def test_the_floor_of_a_kept_scene_is_another_seeds_image(tmp_path):
    """Unguided (1, 0) and (0, 1), guided (1, 0) and (.6, .8): .9 is kept on average, .3 of the other seed's."""
    labels = [
        {"setting": setting, "seed": seed, "gender": "male", "embedding": vector}
        for setting, vectors in (("none", ([1.0, 0.0], [0.0, 1.0])), ("fair", ([1.0, 0.0], [0.6, 0.8])))
        for seed, vector in enumerate(vectors)
    ]
    connection = store_of(tmp_path, labels)
    assert connection.execute("select scene_similarity from scene_similarity").fetchone() == (pytest.approx(0.9),)
    rows = connection.execute("select setting, n, scene_floor from scene_floor order by setting").fetchall()
    assert rows == [("fair", 2, pytest.approx(0.3)), ("none", 2, pytest.approx(0.0))]


def test_one_seed_has_no_floor(tmp_path):
    image = {"seed": 0, "gender": "male", "embedding": [1.0, 0.0]}
    labels = [image | {"setting": setting} for setting in ("none", "fair")]
    connection = store_of(tmp_path, labels)
    assert connection.execute("select n, scene_similarity from scene_similarity").fetchall() == [(1, 1.0)]
    assert connection.execute("from scene_floor").fetchall() == []


def test_an_embedding_of_zeros_is_like_no_other(tmp_path):
    """Of three women one has no direction: one pair is left."""
    vectors = ([1.0, 0.0], [0.6, 0.8], [0.0, 0.0])
    labels = [{"seed": seed, "gender": "female", "embedding": vector} for seed, vector in enumerate(vectors)]
    rows = store_of(tmp_path, labels).execute("select mean_cosine from homogenisation").fetchall()
    assert rows == [(pytest.approx(0.6),)]


def test_a_seed_that_a_cell_names_twice_has_no_scene_to_keep(tmp_path):
    """Which of two images of seed 0 would be compared with the unguided one is not known; seed 1 keeps .6."""
    labels = [
        {"setting": setting, "seed": seed, "gender": "male", "embedding": vector}
        for setting, seed, vector in (
            ("none", 0, [1.0, 0.0]),
            ("none", 1, [1.0, 0.0]),
            ("fair", 0, [1.0, 0.0]),
            ("fair", 0, [0.0, 1.0]),
            ("fair", 1, [0.6, 0.8]),
        )
    ]
    for number, row in enumerate(labels):
        row["image"] = (number,)
    rows = store_of(tmp_path, labels).execute("select n, scene_similarity from scene_similarity").fetchall()
    assert rows == [(1, pytest.approx(0.6))]
