"""What the intervals, the tests and the correction promise, over simulated models whose truth is known."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from fairsweep.imports import Source
from fairsweep.imports.sweep import write_sweep
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_plan

PROMPTS, SEEDS = 2000, 100


def simulate(root, draws, groups, models=None, prompts_per_model=None):
    """Import `draws`, an integer array of prompts x images: positions in `groups`."""
    (attribute,) = groups
    store = Store(root)
    prompts, images = draws.shape
    where = np.repeat(np.arange(prompts), images)
    table = pa.table(
        {
            "image_id": [f"{i:032x}" for i in range(draws.size)],
            "model": [models[i] for i in where] if models else ["m"] * draws.size,
            "setting": ["none"] * draws.size,
            "prompt": [f"prompt {i % (prompts_per_model or prompts)}" for i in where],
            "seed": pa.array(np.tile(np.arange(images), prompts), pa.int64()),
            "attribute": [attribute] * draws.size,
            "label": np.array(groups[attribute])[draws.ravel()].tolist(),
        }
    )
    write_sweep(store, Source(root / "x.csv", "simulated", groups=groups), table)
    return store


@pytest.fixture(scope="module")
def fair(tmp_path_factory):
    """2,000 prompts of a fair model, 100 images each (numpy seed 20)."""
    draws = np.random.default_rng(20).integers(2, size=(PROMPTS, SEEDS))
    return connect(simulate(tmp_path_factory.mktemp("fair"), draws, {"gender": ("female", "male")}))


def test_intervals_cover_the_truth(fair):
    query = "select avg((low <= 0.5 and high >= 0.5)::int) from share where \"group\" = 'female'"
    assert 0.935 <= fair.execute(query).fetchone()[0] <= 0.97
    assert 0.935 <= fair.execute("select avg((low <= 1e-9)::int) from total_variation").fetchone()[0] <= 0.97


def test_the_noise_floor_is_what_a_fair_model_scores(fair):
    """Mean of 2,000 prompts; the standard error of the mean is 0.0007."""
    assert abs(fair.execute("select avg(above_floor) from total_variation").fetchone()[0]) < 0.003


def test_no_false_discoveries_in_a_fair_model(fair):
    assert fair.execute("select count(*) from target_test where verdict = 'off target'").fetchone()[0] <= 2


def test_false_discovery_rate_holds_among_true_ones(tmp_path):
    """Twenty models of 200 prompts, a quarter at a female share of .75, 60 images each (numpy seed 21).

    The q-values are scipy's; of the discoveries 3.75 % are expected to be false, with a standard error of 0.7 %.
    """
    draws = np.random.default_rng(21).random((4000, 60)) > np.where(np.arange(4000) % 4 == 0, 0.75, 0.5)[:, None]
    models = [f"model {prompt // 200}" for prompt in range(4000)]
    store = simulate(tmp_path, draws.astype(int), {"gender": ("female", "male")}, models=models)
    rows = connect(store).execute("select model, prompt_name, p_value, q_value, verdict from target_test").fetchall()
    for model in set(models):
        p_values, q_values = zip(*(row[2:4] for row in rows if row[0] == model), strict=True)
        assert q_values == pytest.approx(stats.false_discovery_control(p_values).tolist())
    found = [int(row[1].split()[1]) for row in rows if row[4] == "off target"]
    assert len(found) > 500
    assert np.mean([prompt % 4 != 0 for prompt in found]) <= 0.05


def test_simultaneous_intervals_of_three_groups(tmp_path):
    """2,000 prompts of shares .5, .3, .2 (numpy seed 22): all three intervals hold together in at least 93.5 %."""
    draws = np.random.default_rng(22).choice(3, p=[0.5, 0.3, 0.2], size=(PROMPTS, SEEDS))
    connection = connect(simulate(tmp_path, draws, {"tone": ("light", "medium", "dark")}))
    covered = connection.execute(
        """select avg(held::int) from (
            select bool_and(low <= [0.5, 0.3, 0.2][position] and high >= [0.5, 0.3, 0.2][position]) as held
            from share group by prompt)"""
    ).fetchone()[0]
    assert covered >= 0.935


@pytest.mark.parametrize(
    ("groups", "truth", "matrix"),
    [
        (("female", "male"), (0.3, 0.7), ((0.9, 0.2), (0.1, 0.8))),
        (("light", "medium", "dark"), (0.5, 0.3, 0.2), ((0.85, 0.1, 0.05), (0.1, 0.8, 0.15), (0.05, 0.1, 0.8))),
    ],
)
def test_corrected_shares_are_unbiased(tmp_path, groups, truth, matrix):
    """400 prompts of 200 images, read with known errors (numpy seed 23): raw shares are off, corrected ones are not.

    Tolerance of a mean share: 4 standard errors; of the coverage: 0.95 within 4.5 of 0.01.
    """
    rng = np.random.default_rng(23)
    true = rng.choice(len(groups), p=truth, size=(400, 200))
    edges = np.cumsum(np.array(matrix), axis=0)
    read = (rng.random(true.shape)[..., None] > edges.T[true]).sum(-1).clip(max=len(groups) - 1)
    store = simulate(tmp_path, read, {"attribute": groups})
    rows = [
        {"classifier": "imported", "attribute": "attribute", "truth": t, "label": v, "n": round(100_000 * matrix[j][i])}
        for i, t in enumerate(groups)
        for j, v in enumerate(groups)
    ]
    store.write("calibration", "imported", rows)
    found = (
        connect(store)
        .execute(
            """select position, avg(share), avg(corrected_share), avg((low <= truth and high >= truth)::int) from (
            select *, list_position($1, "group") as position, $2[list_position($1, "group")] as truth
            from corrected_share where prompt is not null) group by 1 order by 1""",
            [list(groups), list(truth)],
        )
        .fetchall()
    )
    for (_, _, corrected, covered), wanted in zip(found, truth, strict=True):
        assert corrected == pytest.approx(wanted, abs=0.006)
        assert 0.905 <= covered <= 0.98
    assert max(abs(raw - wanted) for (_, raw, _, _), wanted in zip(found, truth, strict=True)) > 0.03


def test_shares_stay_apart_from_another_sweep(tmp_path):
    """A second sweep in the same store has its own rows, and no classifier that never looked at it."""
    store = simulate(tmp_path, np.zeros((1, 4), int), {"gender": ("female", "male")})
    write_plan(store, [{"seed": 0}], {"gender": ("female", "male")}, sweep="other")
    assert connect(store).execute("select distinct sweep from share").fetchall() == [("simulated",)]


def test_intervals_stay_when_another_sweep_arrives(tmp_path):
    """Seeds are dealt to blocks within their sweep: one of other seeds changes no interval (numpy seed 26)."""
    draws = np.random.default_rng(26).integers(2, size=(3, 20))
    store = simulate(tmp_path, draws, {"gender": ("female", "male")})
    query = "select low, high from mean_share where sweep = 'simulated' order by position"
    before = connect(store).execute(query).fetchall()
    write_plan(store, [{"seed": -1 - seed} for seed in range(3)], {"gender": ("female", "male")}, sweep="other")
    after = connect(store).execute(query).fetchall()
    assert np.array(after) == pytest.approx(np.array(before), abs=1e-12)


def test_mean_intervals_cover_when_prompts_share_their_seeds(tmp_path):
    """600 models of 12 prompts x 24 seeds (numpy seed 24), the same seed leaning the same way under every prompt.

    Over prompts like these the truth is .5 by symmetry; over these prompts it is the mean of their own. Each 95 %
    interval covers its truth in 92 to 98 % of the cells: three binomial errors of 600 cells are 2.7 %.
    """
    rng = np.random.default_rng(24)
    own = rng.normal(0, 0.5, (600, 12, 1))
    leaning = own + rng.normal(0, 0.7, (600, 1, 24)) + rng.normal(0, 1, (600, 12, 24))
    models = [f"model {i // 12}" for i in range(7200)]
    draws = (leaning > 0).astype(int).reshape(7200, 24)
    connection = connect(simulate(tmp_path, draws, {"gender": ("female", "male")}, models, prompts_per_model=12))
    rows = connection.execute(
        """select low, high, population_low, population_high from mean_share
        where "group" = 'male' order by split_part(model, ' ', 2)::int"""
    ).fetchall()
    low, high, population_low, population_high = np.array(rows).T
    truth = stats.norm.cdf(own[..., 0] / np.sqrt(1 + 0.7**2)).mean(1)
    assert 0.92 <= ((low <= truth) & (truth <= high)).mean() <= 0.98
    assert 0.92 <= ((population_low <= 0.5) & (population_high >= 0.5)).mean() <= 0.98
    # One block of seeds left out is one eighth of the images, in every prompt and cell alike.
    sizes = "select distinct seed_block, images, n from distributions_without_seeds order by 1"
    assert connection.execute(sizes).fetchall() == [(block, 21, 21) for block in range(8)]


@pytest.mark.parametrize(("prompts", "seeds", "seed_effect"), [(10, 24, 0.7), (40, 8, 0)])
def test_prompts_that_tell_nothing_are_seldom_found_to_tell(tmp_path, prompts, seeds, seed_effect):
    """300 models of so many alike prompts x seeds that they share (numpy seed 25): p < .05 in at most 5 % of them,
    within three binomial errors (.038). Few images of many prompts are where a limit fails first."""
    rng = np.random.default_rng(25)
    leaning = rng.normal(0, seed_effect, (300, 1, seeds)) + rng.normal(0, 1, (300, prompts, seeds))
    draws = (leaning > 0).astype(int).reshape(300 * prompts, seeds)
    models = [f"model {i // prompts}" for i in range(300 * prompts)]
    groups = {"gender": ("female", "male")}
    connection = connect(simulate(tmp_path, draws, groups, models=models, prompts_per_model=prompts))
    query = "select avg((p_value < 0.05)::int), count(p_value) from mutual_information"
    level, models_tested = connection.execute(query).fetchone()
    assert level <= 0.05 + 0.038 and models_tested == 300
