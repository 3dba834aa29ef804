"""The exact tests and their verdicts: against scipy, against all outcomes listed by hand, and over simulated models."""

from itertools import product

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from fairsweep.measure.catalogue import connect, create
from fairsweep.store import Store
from fairsweep.store.files import Files
from fairsweep.store.schemas import FOLDERS
from support.synthetic import write_labels, write_plan

GENDER = {"gender": ("female", "male")}
TONES = {"tone": ("light", "medium", "dark")}


@pytest.fixture(scope="module")
def views():
    """Every view over an empty store; a test puts a table in the place of `group_counts`."""
    connection = duckdb.connect()
    create(connection, {kind: Files() for kind in FOLDERS})
    return connection


def put(connection, counts, targets, models=None):
    """Put prompts x groups counts in the place of `group_counts`."""
    prompts = len(counts)
    rows = pa.table(
        {
            "model": [str(name) for name in (models if models is not None else [0] * prompts)],
            "prompt": [f"p{place}" for place in range(prompts)],
            "counts": pa.array(np.asarray(counts).tolist(), pa.list_(pa.int64())),
        }
    )
    connection.register("drawn", rows)
    connection.execute(
        """create or replace temp table group_counts as
        select
            's' as sweep, model, 'none' as setting, prompt, prompt as prompt_name, 'a' as attribute,
            'c' as classifier, list_sum(counts)::bigint as images, list_sum(counts)::bigint as n, 0::bigint as missing,
            list_transform(counts, lambda k, i: 'g' || i) as groups, counts, $1::double[] as targets,
            list_transform(counts, lambda k: k / list_sum(counts)::double) as shares, 1.96e0 as z_one,
            null::varchar as reason
        from drawn""",
        [list(map(float, targets))],
    )


def exact_p(counts, targets):
    """Return the chance of an outcome whose Pearson statistic is at least as large, over all outcomes."""
    n, targets = sum(counts), np.array(targets)
    outcomes = np.array([o for o in product(range(n + 1), repeat=len(counts)) if sum(o) == n])
    pearson = ((outcomes - n * targets) ** 2 / (n * targets)).sum(1)
    observed = ((np.array(counts) - n * targets) ** 2 / (n * targets)).sum()
    return stats.multinomial.pmf(outcomes, n, targets)[pearson >= observed - 1e-9].sum().clip(max=1)


@pytest.mark.parametrize("targets", [(0.5, 0.3, 0.2), (0.98, 0.01, 0.01), (1 / 3, 1 / 3, 1 / 3), (0.1, 0.2, 0.3, 0.4)])
def test_three_and_four_groups_are_tested_exactly(views, targets):
    counts = np.random.default_rng(1).multinomial(7, targets, size=20)
    put(views, counts, targets)
    rows = views.execute("select prompt, p_value, q_value from target_test order by prompt[2:]::int").fetchall()
    wanted = [exact_p(line.tolist(), targets) for line in counts]
    assert [row[1] for row in rows] == pytest.approx(wanted, abs=1e-9)
    assert [row[2] for row in rows] == pytest.approx(stats.false_discovery_control(wanted).tolist())


def test_outcomes_too_many_to_list_are_tested_by_each_group(views):
    """Ten groups of 40 images: ten times the least of scipy's ten binomial p-values, twice the smaller tail."""
    counts = np.random.default_rng(2).multinomial(40, [0.1] * 10, size=30)
    put(views, counts, [0.1] * 10)
    rows = views.execute("select p_value from target_test order by prompt[2:]::int").fetchall()
    tails = 2 * np.minimum(stats.binom.cdf(counts, 40, 0.1), stats.binom.sf(counts - 1, 40, 0.1))
    assert [row[0] for row in rows] == pytest.approx(np.minimum(1, 10 * tails.min(1)).tolist(), abs=1e-9)


@pytest.mark.parametrize("targets", [(0.98, 0.01, 0.01), (0.5, 0.3, 0.2), (0.91, *[0.01] * 9)])
@pytest.mark.parametrize("images", [8, 32])
def test_a_model_on_target_is_seldom_off_target_anywhere(views, targets, images):
    """Forty models of 150 prompts on target (numpy seed 3): p <= .05 in at most 5 % of the prompts, and a prompt off
    target in at most 5 % of the models, each within three standard errors (6,000 prompts .0084; 40 models .103)."""
    counts = np.random.default_rng(3).multinomial(images, targets, size=40 * 150)
    put(views, counts, targets, models=np.repeat(np.arange(40), 150))
    ((level,),) = views.execute("select avg((p_value <= 0.05)::int) from target_test").fetchall()
    assert level <= 0.05 + 0.0084
    ((models,),) = views.execute(
        "select count(distinct model) from target_test where verdict = 'off target'"
    ).fetchall()
    assert models / 40 <= 0.05 + 0.103


def test_directions_dealt_by_quota_make_the_test_conservative(views):
    """Half the images steered to each group, 80 % of them arrive (numpy seed 4): on target, p <= .05 in at most 5 %."""
    rng = np.random.default_rng(4)
    women = rng.binomial(16, 0.8, 4000) + rng.binomial(16, 0.2, 4000)
    put(views, np.c_[women, 32 - women], (0.5, 0.5))
    ((level,),) = views.execute("select avg((p_value <= 0.05)::int) from target_test").fetchall()
    assert level <= 0.05


def test_two_samples_are_fishers_exact_test(views):
    cases = [(3, 10, 7, 12), (0, 8, 5, 9), (5, 5, 5, 5), (40, 100, 600, 1000), (1, 30, 0, 40)]
    ours = views.execute(
        "select fisher_test(t[1], t[2], t[3], t[4]) from (select unnest($1::bigint[][]) as t)", [cases]
    ).fetchall()
    wanted = []
    for k, n, j, m in cases:
        one_sided = [stats.fisher_exact([[k, n - k], [j, m - j]], side).pvalue for side in ("less", "greater")]
        wanted.append(min(1, 2 * min(one_sided)))
    assert [row[0] for row in ours] == pytest.approx(wanted, abs=1e-9)


def verdict_of(root, drawn, groups=GENDER):
    (attribute,) = groups
    labels = [{"seed": seed, attribute: label} for seed, label in enumerate(drawn)]
    store = Store(root)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    return connect(store).execute("select verdict, least_p, least_difference from target_test").fetchone()


def test_images_without_a_group_are_no_success(tmp_path):
    """98 of 100 images without a face leave nothing decided, and so do 11 of 100 beside 89 that look fair."""
    assert verdict_of(tmp_path / "a", ["no_face"] * 98 + ["female", "male"])[0] == "not decided"
    assert verdict_of(tmp_path / "b", ["no_face"] * 11 + ["female", "male"] * 44 + ["male"])[0] == "not decided"
    assert verdict_of(tmp_path / "c", ["no_face"] * 10 + ["female", "male"] * 45)[0] == "on target"


def test_what_few_images_cannot_find_is_said(tmp_path):
    """Five images all male have p = 2 / 2^5 = .0625, the least there is; of ten, 9 to 1 (p = .0215) is found."""
    assert verdict_of(tmp_path / "five", ["male"] * 5) == ("not decided", pytest.approx(0.0625), None)
    verdict, least_p, difference = verdict_of(tmp_path / "ten", ["male", "female"] * 5)
    assert (verdict, least_p, difference) == ("on target", pytest.approx(2 / 2**10), pytest.approx(0.4))
    # Of four images of three groups alike, only four of one group (p = 3 / 81) are significant: total variation 2/3.
    verdict, least_p, difference = verdict_of(tmp_path / "tones", ["light"] * 3 + ["dark"], TONES)
    assert (verdict, least_p, difference) == ("on target", pytest.approx(3 / 81), pytest.approx(2 / 3))


def test_what_no_prompt_can_show_alone_a_cell_can(tmp_path):
    """Ten prompts of the same five seeds, all 50 images male: no prompt can be found off target, the cell is.

    The mean is .5 off, less half an image in 50; the null's variance is 1/4 / 50; Student's t over five seeds.
    """
    labels = [{"prompt": f"p{p}", "seed": seed, "gender": "male"} for p in range(10) for seed in range(5)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    connection = connect(store)
    assert connection.execute("select distinct verdict from target_test").fetchall() == [("not decided",)]
    (row,) = connection.execute("select seeds, n, p_value, q_value, least_difference from cell_test").fetchall()
    error = (0.25 / 50) ** 0.5
    p_value = 2 * stats.t.sf((0.5 - 0.01) / error, 4)
    assert row == (5, 50, *[pytest.approx(p_value)] * 2, pytest.approx(stats.t.isf(0.025, 4) * error + 0.01, rel=1e-4))
    assert p_value < 0.05


@pytest.mark.parametrize(("targets", "seeds"), [((0.5, 0.5), 32), ((0.9, 0.1), 8), ((0.5, 0.3, 0.2), 8)])
def test_a_cell_on_target_is_seldom_off_it_where_prompts_share_seeds(views, targets, seeds):
    """400 cells of 20 prompts on target (numpy seed 6), a seed leaning the same way under every prompt (correlation
    .2): p <= .05 in at most 5 %, within three standard errors (.033)."""
    rng = np.random.default_rng(6)
    leaning = rng.normal(0, 0.5, (400, seeds, 1)) + rng.normal(size=(400, seeds, 20))
    drawn = np.searchsorted(stats.norm.ppf(np.cumsum(targets)[:-1]), leaning.ravel() / 1.25**0.5).reshape(leaning.shape)
    counts = np.stack([(drawn == group).sum(2) for group in range(len(targets))], -1).reshape(-1, len(targets))
    rows = {
        "model": [str(cell) for cell in np.repeat(np.arange(400), seeds)],
        "seed": pa.array(np.tile(np.arange(seeds), 400), pa.int64()),
        "counts": pa.array(counts.tolist(), pa.list_(pa.int64())),
    }
    views.register("seeds_drawn", pa.table(rows))
    views.execute(
        """create or replace temp table seed_counts as
        select 's' as sweep, model, 'none' as setting, seed, 'a' as attribute, 'c' as classifier, counts,
            list_sum(counts)::bigint as n, $1::double[] as targets
        from seeds_drawn""",
        [list(targets)],
    )
    ((level,),) = views.execute("select avg((p_value <= 0.05)::int) from cell_test").fetchall()
    assert level <= 0.05 + 0.033


@pytest.mark.parametrize(("accuracy", "share"), [(0.8, 0.5), (0.95, 0.9)])
def test_intervals_of_kappa_cover_away_from_zero(views, accuracy, share):
    """300 studies of 100 images read by three classifiers (numpy seed 7): 95 % intervals cover the kappa of 200,000
    images in 91 % or more, for two of them (Cohen) and for all (Fleiss)."""
    rng = np.random.default_rng(7)

    def read(studies, images):
        truth = rng.random((studies, images, 1)) < share
        return (truth ^ (rng.random((studies, images, 3)) > accuracy)).astype(int)

    many = read(1, 200_000)[0]
    agreed, shares = (many[:, 0] == many[:, 1]).mean(), np.array([many.mean(), 1 - many.mean()])
    kappa = (agreed - (shares**2).sum()) / (1 - (shares**2).sum())
    labels = read(300, 100)
    rows = {
        "sweep": [str(study) for study in np.repeat(np.arange(300), 300)],
        "image": np.tile(np.repeat(np.arange(100), 3), 300),
        "classifier": ["one", "three", "two"] * 30_000,
        "label": np.array(["female", "male"])[labels.ravel()].tolist(),
    }
    views.register("labels_drawn", pa.table(rows))
    views.execute(
        "create or replace temp table ratings as select *, 'a' as attribute, true as declared from labels_drawn"
    )
    for name in ("agreement", "fleiss_kappa"):
        query = f"select avg((low <= $1 and high >= $1)::int) from {name}"
        ((covered,),) = views.execute(query, [float(kappa)]).fetchall()
        assert covered >= 0.91


def test_kappa_is_not_sure_where_all_agree(tmp_path):
    """Ten images on which two classifiers agree: observed 1, chance .5; Wilson's bound of 10 of 10 is .722."""
    store = Store(tmp_path)
    labels = [{"seed": seed, "gender": ("female", "male")[seed % 2]} for seed in range(10)]
    write_plan(store, labels, GENDER)
    for classifier in ("one", "other"):
        write_labels(store, labels, GENDER, classifier=classifier)
    connection = connect(store)
    low = (stats.binomtest(10, 10).proportion_ci(0.95, "wilson").low - 0.5) / 0.5
    for name in ("agreement", "fleiss_kappa"):
        row = connection.execute(f"select kappa, low, high from {name}").fetchone()
        assert row == (1.0, pytest.approx(low), 1.0)
