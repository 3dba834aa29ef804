"""What is pooled over prompts and seeds: its intervals count a seed's images together; null where none holds."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from fairsweep.measure.catalogue import connect, create
from fairsweep.store import Store
from fairsweep.store.files import Files
from fairsweep.store.schemas import FOLDERS
from support.synthetic import write_labels, write_pictures, write_plan

GENDER = {"gender": ("female", "male")}
CELLS, PROMPTS, SEEDS = 200, 10, 16


@pytest.fixture(scope="module")
def views():
    """Every view over an empty store; a test puts tables in the place of staging views."""
    connection = duckdb.connect()
    create(connection, {kind: Files() for kind in FOLDERS})
    return connection


def drawn(prompt_spread: float, seed_spread: float, shift: float, random):
    """Return cells x prompts x seeds of 0 and 1, and the mean chance of 1 over each cell's prompts."""
    prompts = shift + random.normal(0, prompt_spread, (CELLS, PROMPTS, 1))
    leaning = random.normal(0, seed_spread, (CELLS, 1, SEEDS)) + random.normal(size=(CELLS, PROMPTS, SEEDS))
    truth = stats.norm.cdf(prompts[..., 0] / (1 + seed_spread**2) ** 0.5).mean(1)
    return (prompts + leaning > 0).astype(int), truth


@pytest.mark.parametrize(("prompt_spread", "seed_spread"), [(0.3, 0.5), (0.3, 0), (0, 0.5)])
def test_intervals_of_intersections_count_seeds_together(views, prompt_spread, seed_spread):
    """200 cells of 10 prompts x 16 seeds (numpy seed 8), two attributes of which one is independent and even: the four
    simultaneous intervals all hold their truth in 90 to 100 % of the cells (95 %, standard error 1.5 %)."""
    random = np.random.default_rng(8)
    labels, truth = drawn(prompt_spread, seed_spread, 0.5, random)
    other = random.integers(2, size=labels.shape)
    images = labels.size
    rows = {
        "model": np.repeat(np.arange(CELLS), PROMPTS * SEEDS).astype(str).tolist() * 2,
        "seed": pa.array(np.tile(np.arange(SEEDS), CELLS * PROMPTS * 2), pa.int64()),
        "image_id": np.tile(np.arange(images), 2).astype(str).tolist(),
        "attribute": ["age"] * images + ["gender"] * images,
        "label": [("young", "old")[v] for v in other.ravel()] + [("female", "male")[v] for v in labels.ravel()],
    }
    views.register("images_drawn", pa.table(rows))
    views.execute(
        """create or replace temp table label_rows as
        select image_id, attribute, 'c' as classifier, label, null as error from images_drawn;
        create or replace temp table plan as
        select distinct 's' as sweep, model, 'none' as setting, image_id, seed from images_drawn;
        create or replace temp table targets as
        select 's' as sweep, 'age' as attribute, unnest(['young', 'old']) as "group", 0.5e0 as target, 1 as position,
            null::varchar[] as unknown_to
        union all select 's', 'gender', unnest(['female', 'male']), 0.5e0, 1, null"""
    )
    views.register("truths", pa.table({"model": [str(cell) for cell in range(CELLS)], "truth": truth}))
    ((covered,),) = views.execute(
        """select avg(held::int) from (
            select model, bool_and(low <= chance and high >= chance) as held
            from (
                select *, if(other_group = 'male', truth, 1 - truth) / 2 as chance
                from intersections join truths using (model)
            ) group by model)"""
    ).fetchall()
    assert covered >= 0.90


@pytest.mark.parametrize(("prompt_spread", "seed_spread"), [(0.3, 0.5), (0.3, 0), (0, 0.5)])
def test_the_design_effect_makes_pooled_intervals_cover(views, prompt_spread, seed_spread):
    """The share of 200 cells of 10 prompts x 16 seeds (numpy seed 9) plus and minus t standard errors widened by the
    design effect holds the truth in 91 % or more."""
    labels, truth = drawn(prompt_spread, seed_spread, 0.5, np.random.default_rng(9))
    counts = np.stack([(labels == 0).sum(1), (labels == 1).sum(1)], -1).reshape(-1, 2)
    rows = {
        "model": np.repeat(np.arange(CELLS), SEEDS).astype(str).tolist(),
        "seed": pa.array(np.tile(np.arange(SEEDS), CELLS), pa.int64()),
        "counts": pa.array(counts.tolist(), pa.list_(pa.int64())),
    }
    views.register("seeds_drawn", pa.table(rows))
    views.execute(
        """create or replace temp table seed_counts as
        select 's' as sweep, model, 'none' as setting, seed, 'a' as attribute, 'c' as classifier, counts,
            list_sum(counts)::bigint as n from seeds_drawn"""
    )
    effects = views.execute("select design_effect, t, seeds from design_effects order by model::int").fetchall()
    effect, t, seeds = (np.array(column) for column in zip(*effects, strict=True))
    assert t == pytest.approx(stats.t.isf(0.025, seeds - 1), rel=1e-5)
    share = labels.mean((1, 2))
    error = (share * (1 - share) / (PROMPTS * SEEDS) * effect) ** 0.5
    assert (abs(share - truth) <= t * error).mean() >= 0.91


def corrected(root, rates, n=100, women=41):
    labels = [{"seed": seed, "gender": "female" if seed < women else "male"} for seed in range(100)]
    store = Store(root)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    rows = [
        {"classifier": "portraits", "attribute": "gender", "truth": truth, "label": label, "n": round(n * rate)}
        for truth, sure in zip(GENDER["gender"], rates, strict=True)
        for label, rate in zip(GENDER["gender"], (sure, 1 - sure), strict=True)
    ]
    store.write("calibration", "portraits", rows)
    query = """select share, corrected_share, low, high, unconstrained from corrected_share
        where "group" = 'female' and prompt is null"""
    return connect(store).execute(query).fetchone()


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.52, 0.49), (0.6, 0.5)])
def test_a_calibration_that_tells_nothing_corrects_nothing(rates, tmp_path):
    """Labels that hardly depend on the truth: within three standard errors of no dependence, no correction."""
    assert corrected(tmp_path, rates) == (0.41, None, None, None, None)


def test_cleams_published_correction(tmp_path):
    """CLEAM (Teo et al., NeurIPS 2023): a share of .610 read with accuracies .947 and .983 is one of .63763."""
    share, value, low, high, _ = corrected(tmp_path, (0.947, 1 - 0.983), n=100_000, women=61)
    assert share == 0.61 and value == pytest.approx(0.63763, abs=5e-6) and low < value < high


def test_failures_take_time_and_make_no_images(tmp_path):
    """Six images at half a second and two failures at two seconds: 7 s in all, and 2 images a second."""
    labels = [{"seed": seed, "gender": "male"} for seed in range(6)]
    failures = [{"seed": seed, "gender": "male"} for seed in (6, 7)]
    store = Store(tmp_path)
    write_plan(store, labels + failures, GENDER)
    write_pictures(store, labels)
    write_pictures(store, [{**row, "seconds": 2.0, "error": "out of memory"} for row in failures])
    row = connect(store).execute("select images, failed, seconds, images_per_second from cost").fetchone()
    assert row == (6, 2, 7.0, 2.0)


def test_steering_beyond_what_was_there_already(tmp_path):
    """Of 8 doctors 6 are men unguided. Steered to female 7 of 8 arrive; to male, 6 of 8, as many as by chance."""
    labels = [{"seed": s, "gender": "male" if s < 6 else "female"} for s in range(8)]
    for seed in range(16):
        goal = "female" if seed < 8 else "male"
        label = goal if seed not in (0, 8, 9) else ("male" if goal == "female" else "female")
        labels.append({"seed": seed, "setting": "fair", "direction": {"gender": goal}, "gender": label})
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    row = connect(store).execute("select steering, by_chance, p_value, q_value from steering").fetchone()
    one_sided = stats.fisher_exact([[7, 1], [2, 6]], "greater").pvalue
    assert row == (13 / 16, 0.5, *[pytest.approx(2 * 2 * one_sided)] * 2)


@pytest.mark.parametrize("unguided", [[], [{"seed": s, "gender": "no_face"} for s in range(8)]])
def test_steering_is_not_found_where_there_is_nothing_to_compare_it_with(tmp_path, unguided):
    guided = [{"seed": s, "setting": "fair", "direction": {"gender": "male"}, "gender": "male"} for s in range(8)]
    store = Store(tmp_path)
    write_plan(store, unguided + guided, GENDER)
    write_labels(store, unguided + guided, GENDER)
    (row,) = connect(store).execute("select steering, by_chance, p_value, q_value, reason from steering").fetchall()
    assert row == (1.0, None, None, None, "no unguided image shows a declared group")
