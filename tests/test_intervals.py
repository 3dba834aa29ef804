"""Intervals of what is no share of a group, against the truths of simulated sweeps (shares: test_coverage.py)."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from fairsweep.measure import summary
from fairsweep.measure.catalogue import create
from fairsweep.measure.metrics import list_metrics
from fairsweep.store.files import Files
from fairsweep.store.schemas import FOLDERS


@pytest.fixture(scope="module")
def views():
    """Every view over an empty store; a test puts tables in the place of base and staging views."""
    connection = duckdb.connect()
    create(connection, {kind: Files() for kind in FOLDERS})
    return connection


def images_of(values):
    """Return the rows of models x prompts x seeds values, each of an image of its own."""
    model, prompt, seed = (axis.ravel() for axis in np.indices(values.shape))
    columns = {"model": model.astype(str), "prompt": prompt.astype(str), "seed": seed, "value": values.ravel()}
    return pa.table({"image_id": pa.array(range(values.size)), **columns})


def cosines(views, values):
    """Put the values in the place of what `prompt_alignment` and `scene_similarity` are means of."""
    views.register("drawn", images_of(values))
    views.execute(
        """create or replace temp table plan as
        select 's' as sweep, model, 'none' as setting, prompt, prompt as prompt_name, seed, image_id from drawn;
        create or replace temp table features as
        select image_id, 'clip' as classifier, value as score from drawn;
        create or replace temp table readers as select 's' as sweep, 'clip' as classifier;
        create or replace temp view scene_tallies as select false as floor, * from prompt_alignment_tallies"""
    )


def covered(views, query, truth):
    """Return how often the query's low and high hold the truths, which have its rows' order."""
    low, high = np.array(views.execute(query).fetchall(), float).T
    return ((low <= truth.ravel()) & (truth.ravel() <= high)).mean()


@pytest.mark.parametrize("view", ["prompt_alignment", "scene_similarity"])
@pytest.mark.parametrize("seeds", [2, 8, 32])
def test_the_cosine_of_a_prompt(views, view, seeds):
    """2,000 prompts of so many images (numpy seed 31): .95 within three standard errors (.005)."""
    random = np.random.default_rng(31)
    means = random.uniform(0.1, 0.4, (200, 10, 1))
    cosines(views, means + random.normal(0, 0.05, (200, 10, seeds)))
    query = f"select low, high from {view} order by model::int, prompt::int"
    assert covered(views, query, means) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("prompts", "seed_effect"), [(3, 0), (3, 0.7), (20, 0), (20, 0.7)])
def test_mean_cosines(views, prompts, seed_effect):
    """300 models, 16 seeds, each of which moves all prompts alike (numpy seed 32): between .90 and .99 hold the mean of
    these prompts and, from ten on, of prompts like these (.95, with a standard error of .013)."""
    random = np.random.default_rng(32)
    own = 0.3 + random.normal(0, 0.05, (300, prompts, 1))
    shared = random.normal(0, 0.05 * seed_effect, (300, 1, 16))
    cosines(views, own + shared + random.normal(0, 0.05, (300, prompts, 16)))
    views.execute(
        """create or replace temp table distributions as
        select distinct sweep, model, setting, 'gender' as attribute, 'clip' as classifier from plan;
        create or replace temp table distributions_without_seeds as select *, 0 as seed_block from distributions"""
    )
    figures = ("prompt_alignment", "scene_similarity")
    metrics = [metric for metric in list_metrics() if metric.name in figures]
    there = ["distributions", "distributions_without_seeds", "scene_tallies", "readers"]
    query = summary.summary_query(views, metrics, summary.bodies(), there)
    for figure in figures:
        columns = f"select {figure}_low, {figure}_high from ({query}) order by model::int"
        assert 0.90 <= covered(views, columns, own.mean(1)) <= 0.99
        columns = f"select {figure}_population_low, {figure}_population_high from ({query}) order by model::int"
        if prompts < 10:
            assert set(views.execute(columns).fetchall()) == {(None, None)}
        else:
            assert 0.90 <= covered(views, columns, np.full(300, 0.3)) <= 0.99
    views.execute("drop table temp.distributions; drop table temp.distributions_without_seeds")


@pytest.mark.parametrize("chance", [0.5, 0.9])
def test_the_proportion_that_is_recognised(views, chance):
    """2,000 prompts of 32 images (numpy seed 33): 93 to 99 % hold the chance, within three standard errors (.005)."""
    random = np.random.default_rng(33)
    views.register("drawn", images_of((random.random((200, 10, 32)) < chance).astype(int)))
    views.execute(
        """create or replace temp table recognition_values as
        select 's' as sweep, model, 'none' as setting, prompt, prompt as prompt_name, seed, image_id as image,
            'occupation' as variable, 'c' as classifier, value
        from drawn"""
    )
    assert 0.915 <= covered(views, "select low, high from recognition", np.full(2000, chance)) <= 0.99


@pytest.mark.parametrize("seeds", [8, 32])
def test_soft_shares(views, seeds):
    """2,000 prompts of so many images whose scores spread evenly over .2 to .8 (numpy seed 34): .95 within .02."""
    random = np.random.default_rng(34)
    views.register("drawn", images_of(random.uniform(0.2, 0.8, (200, 10, seeds))))
    views.execute(
        """create or replace temp table plan as
        select 's' as sweep, model, 'none' as setting, prompt, prompt as prompt_name, seed, image_id from drawn;
        create or replace temp table targets as
        select 's' as sweep, 'gender' as attribute, unnest(['female', 'male']) as "group", 0.5e0 as target,
            unnest([1, 2]) as position, null::varchar[] as unknown_to;
        create or replace temp table label_rows as
        select image_id, 'gender' as attribute, 'c' as classifier, 'male' as label, null as error,
            map {'female': value, 'male': 1 - value} as scores
        from drawn;
        create or replace temp table readers as select 's' as sweep, 'c' as classifier"""
    )
    query = """select low, high from soft_share where "group" = 'female'"""
    assert covered(views, query, np.full(2000, 0.5)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("prompts", "spread"), [(1, 1.0), (4, 0.0), (4, 1.0)])
def test_edited_pictures_that_keep_their_group(views, prompts, spread):
    """600 models edit 24 pictures, once by each prompt; a picture keeps its group more or less easily (numpy seed 35).
    Of one image of each picture 93 to 98 % hold the proportion among pictures like these; of several, which tell as
    much as one at least, 93 % or more (standard error .009)."""
    random = np.random.default_rng(35)
    ease = 1 + random.normal(0, spread, (600, 1, 24))
    kept = random.random((600, prompts, 24)) < 1 / (1 + np.exp(-ease))
    nodes, weights = np.polynomial.hermite_e.hermegauss(32)
    truth = (weights / weights.sum()) @ (1 / (1 + np.exp(-1 - spread * nodes)))
    views.register("drawn", images_of(kept))
    views.execute(
        """create or replace temp table plan as
        select 's' as sweep, model, 'none' as setting, prompt, prompt as prompt_name from drawn;
        create or replace temp table edits as
        select prompt_key('s', model, 'none', prompt) as cell, setting_key('s', model, 'none') as setting,
            'gender' as attribute, 'c' as classifier, seed as source, 'female' as before,
            if(value, 'female', 'male') as after
        from drawn"""
    )
    query = "select low, high from edit_flips where prompt is null and kept order by model::int"
    held = covered(views, query, np.full(600, truth))
    assert held >= 0.93 - 3 * 0.009
    assert prompts > 1 or held <= 0.98
