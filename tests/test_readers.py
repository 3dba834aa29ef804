"""Two sweeps in one store that share images: of each every view says what it says where the sweep is alone."""

import math
from pathlib import Path

import pytest

from fairsweep.measure import beside, summary
from fairsweep.measure.catalogue import connect
from fairsweep.pages import explore
from fairsweep.plan import declared
from fairsweep.spec import load_spec
from fairsweep.store import Store
from support.synthetic import GROUPS, write_labels, write_plan

SHARED = "both"
# Sweep -> its seeds, of which half are the other's too, and its classifiers.
SWEEPS = {"one": (range(8), ("clip",)), "two": (range(4, 12), ("faces", "tones"))}


def labels(seeds, classifier: str) -> list[dict]:
    """Return what a classifier sees: each something else, and each something of everything that views read."""
    shift = len(classifier)
    rows = []
    for place, prompt in enumerate(("doctor", "nurse", "judge")):
        for guided in (0, 1):
            for seed in seeds:
                gender = ("female", "male", "no_face")[(seed * (place + 1) + shift + guided) % 5 % 3]
                rows.append(
                    {
                        "setting": "fair-scale2" if guided else "none",
                        "prompt": prompt,
                        "seed": seed,
                        "scale": 2.0 if guided else None,
                        "direction": {"gender": ("female", "male")[seed % 2]} if guided else {},
                        "gender": gender,
                        "skin_tone": GROUPS["skin_tone"][(seed + shift + place) % 3],
                        "occupation": prompt if (seed + shift) % 4 else "nurse",
                        "scores": {"female": 0.5 + 0.03 * shift, "male": 0.5 - 0.03 * shift, "light": 0.1},
                        "alignment": 0.2 + 0.01 * seed + 0.02 * shift,
                        "embedding": [1.0, 0.1 * seed, 0.3 * shift * guided],
                    }
                )
    return rows


def write(store: Store, *sweeps: str) -> Store:
    for sweep in sweeps:
        seeds, classifiers = SWEEPS[sweep]
        write_plan(store, labels(seeds, ""), sweep=sweep, readers=list(classifiers), ids=SHARED)
        for classifier in classifiers:
            write_labels(store, labels(seeds, classifier), sweep=SHARED, classifier=classifier)
    return store


def answers(store: Store) -> dict[str, dict[str, list]]:
    """Return the rows of every view that has a row per sweep, staged ones too, by sweep."""
    with connect(store) as connection:
        connection.execute("set threads = 1")
        parts = summary.in_order(connection)
        for part in parts:
            if not summary.reads_summary(connection, part.sql):
                connection.execute(f'create or replace temp table "{part.name}" as {part.sql}')
        names = [part.name for part in parts]
        query = summary.query(connection, parts, names)
        connection.execute(f"create or replace temp table summary as {query}")
        said: dict[str, dict[str, list]] = {sweep: {} for sweep in SWEEPS}
        for view in ("summary", *names):
            columns = [row[0] for row in connection.execute(f'describe "{view}"').fetchall()]
            for sweep in SWEEPS if "sweep" in columns else ():
                rows = connection.execute(f'from "{view}" where sweep = ? order by all', [sweep]).fetchall()
                said[sweep][view] = rows
    return said


def alike(one: object, other: object) -> bool:
    """Tell whether two answers are the same, but for the order in which floats were summed."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return alike(sorted(one.items()), sorted(other.items()))
    return one == other


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Store:
    return write(Store(tmp_path_factory.mktemp("together")), *SWEEPS)


@pytest.fixture(scope="module")
def mixed(together) -> dict[str, dict[str, list]]:
    return answers(together)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_view_says_of_a_sweep_what_it_says_where_it_is_alone(mixed, tmp_path, sweep):
    alone = answers(write(Store(tmp_path), sweep))[sweep]
    # Asked where there are several classifiers alone, whoever's they are: a sweep with one has nothing to compare.
    del alone["ratings"]
    assert [view for view in alone if not alike(mixed[sweep][view], alone[view])] == []
    assert len(alone) > 60 and {"summary", "outcomes", "seed_pairs"} < {view for view, rows in alone.items() if rows}


def test_side_by_side_each_sweep_is_read_by_its_own(together):
    with connect(together) as connection:
        chosen = beside.readers(connection, list(SWEEPS), ["gender"])
        assert chosen == {"gender": {"one": "clip", "two": "faces"}}
        connection.execute(f"create temp view settings as {beside.scope(connection, list(SWEEPS))['settings']}")
        (readers,) = connection.execute("select distinct list_sort(readers) from settings").fetchone()
        assert readers == ["clip", "faces", "faces, clip", "tones"]


def test_the_explorer_shows_what_the_sweep_s_own_classifiers_say(together):
    with connect(together) as connection:
        shown = explore.Choice("one", "m", "fair-scale2", "gender", "clip")
        assert explore.gather(connection, shown) == 3 * 8
        pairs = explore.pairs(connection)
        assert {answer["classifier"] for row in pairs for answer in row["answers"]} == {"clip"}
        assert {answer["classifier"] for row in pairs for answer in row["unguided_answers"]} == {"clip"}
        assert not any(row["disagreed"] for row in pairs)
        # Of seed 4, which the other sweep has, too.
        image = next(row["image_id"] for row in pairs if row["seed"] == 4)
        around = explore.beside(connection, shown, [row for row in pairs if row["seed"] == 4], ["none"])
        assert {each["classifier"] for rows in around.values() for row in rows for each in row["answers"]} == {"clip"}
        for sweep, (_, classifiers) in SWEEPS.items():
            labels = explore.picture(connection, sweep, image)["labels"]
            assert {row["classifier"] for row in labels} == {*classifiers}


def test_a_sweep_names_the_classifiers_of_its_spec():
    spec = load_spec(Path(__file__).parents[1] / "jobs" / "demo.yaml")
    assert all(row["readers"] == [each.name for each in spec.classifiers] for row in declared.settings(spec))
