"""What `status` counts: as one query over the settled views would, and anew as soon as a file changes."""

import random
from datetime import datetime, timedelta

import duckdb
import pytest

from fairsweep.measure import status, views
from fairsweep.store import Store
from fairsweep.store.compact import compact

# The same by the views that every metric reads, which tell of each failure whether it counts.
PLAIN = """
with cells as (
    select sweep, model, setting, count(*) as planned,
        count(*) filter (where made.found and made.error is null) as done,
        count(*) filter (where made.error is not null) as failed,
        min(made.error) as error
    from plan left join (select image_id, error, true as found from images) as made using (image_id)
    group by all
),
per_image as (
    select image_id, classifier, bool_or(error is not null) as failed from labels group by all
),
readers as (select distinct sweep, classifier from plan join per_image using (image_id)),
labelled as (
    select sweep, model, setting, min(done) as labelled from (
        select sweep, model, setting, classifier, count(*) filter (where not per_image.failed) as done
        from plan join readers using (sweep) left join per_image using (image_id, classifier) group by all
    ) group by all
)
select sweep, model, setting, planned, done, coalesce(labelled, 0) as labelled, failed, coalesce(error, '') as error
from cells left join labelled using (sweep, model, setting) order by all
"""


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Keep every answer, in a folder of the test's own."""
    monkeypatch.setattr(status, "_home", lambda: tmp_path / "cache")
    monkeypatch.setattr(status, "_WORTH_SECONDS", 0.0)


def ask(store: Store, query: str) -> list[tuple]:
    """Return the rows of a query over the base views alone."""
    with duckdb.connect() as sql:
        views.create(sql, store.files())
        return sql.execute(query).fetchall()


def write(store: Store, chance: random.Random) -> None:
    """Write some of everything: sweeps that share images, failures that were made good or not, labels of some."""
    ids = [f"image {number}" for number in range(60)]
    for number, sweep in enumerate(("one", "two", "not begun")):
        rows = [
            {"image_id": i, "sweep": sweep, "model": f"m{place % 2}", "setting": f"s{place % 3}"}
            for place, i in enumerate(ids[20 * number : 20 * number + 40])
        ]
        store.write("plan", sweep, rows)
    now = datetime(2026, 1, 1)
    for _ in range(3):
        for start in range(0, 40, 4):
            rows = [{"image_id": i, "model": "m", "setting": "s"} for i in ids[start : start + 4]]
            made = {i for (i,) in ask(store, "select image_id from images where error is null")}
            now += timedelta(seconds=1)
            rows = [row | {"error": chance.choice([None, "no memory", "a NaN"]), "created": now} for row in rows]
            if rows := [row for row in rows if row["image_id"] not in made]:
                store.write_images(rows)
            for classifier in chance.sample(["clip", "it's mine", "features"], 2):
                names = ("_image",) if classifier == "features" else ("gender", "age")
                labels = [
                    {"image_id": row["image_id"], "attribute": name, "label": "x", "error": chance.choice([None, "?"])}
                    for row in rows
                    for name in names
                ]
                if labels:
                    store.write_labels(classifier, labels)
        if chance.random() < 0.5:
            compact(store, lambda: None, grace=0)


def ask_of(store: Store, sweep: str, *classifiers: str) -> None:
    """Keep a spec with classifiers, as a run does."""
    store.write_spec(sweep, {"spec": {"classifiers": [{"name": name} for name in classifiers]}})


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_what_the_views_say(tmp_path, kept, seed):
    store = Store(tmp_path / "store")
    store.place.root.mkdir()
    assert status.status(store) == []
    write(store, random.Random(seed))
    rows = status.status(store)
    assert rows == ask(store, PLAIN)
    assert len(rows) == 18 and {row[5] for row in rows} > {0} and sum(row[6] for row in rows) > 0


def test_it_is_counted_anew_only_when_a_file_changes(tmp_path, kept, monkeypatch):
    store = Store(tmp_path / "store")
    write(store, random.Random(0))
    times, count = [], status.count
    monkeypatch.setattr(status, "count", lambda *read: times.append(1) or count(*read))
    rows = status.status(store)
    assert status.status(store) == rows and len(times) == 1
    # A plan is called after its sweep, whatever it holds.
    store.write("plan", "one", [{"image_id": "image 50", "sweep": "one", "model": "m1", "setting": "s1"}])
    changed = status.status(store)
    assert changed == ask(store, PLAIN) != rows and len(times) == 2
    store.write_images([{"image_id": "image 50", "model": "m1", "setting": "s1"}])
    assert status.status(store) == ask(store, PLAIN) and len(times) == 3
    store.write_labels("clip", [{"image_id": "image 50", "attribute": "gender", "label": "x"}])
    assert status.status(store) == ask(store, PLAIN) and len(times) == 4
    compact(store, lambda: None, grace=0)
    assert status.status(store) == ask(store, PLAIN) and len(times) == 5
    assert status.status(store) == ask(store, PLAIN) and len(times) == 5


def test_a_sweep_is_labelled_once_its_own_classifiers_are_through(tmp_path, kept):
    """Two sweeps share images: what the classifiers of one labelled neither adds to the other nor is missing there."""
    store, ids = Store(tmp_path / "store"), [f"image {number}" for number in range(6)]
    cell = {"model": "m", "setting": "s"}
    for sweep, first, classifiers in (("one", 0, ("clip",)), ("two", 2, ("clip", "faces", "hair"))):
        store.write("plan", sweep, [{"image_id": i, "sweep": sweep, **cell} for i in ids[first : first + 4]])
        ask_of(store, sweep, *classifiers)
    store.write_images([{"image_id": i, **cell} for i in ids])
    for classifier, labelled in (("clip", ids), ("faces", ids[2:])):
        store.write_labels(classifier, [{"image_id": i, "attribute": "gender", "label": "x"} for i in labelled])
    assert [(row[0], row[5]) for row in status.status(store)] == [("one", 4), ("two", 0)]
    store.write_labels("hair", [{"image_id": i, "attribute": "hair", "label": "x"} for i in ids[2:]])
    assert [(row[0], row[5]) for row in status.status(store)] == [("one", 4), ("two", 4)]
    # A spec that asks for fewer counts at once.
    ask_of(store, "two", "no one")
    assert [(row[0], row[5]) for row in status.status(store)] == [("one", 4), ("two", 0)]
