"""What editing does to the groups that pictures show, on tables small enough to count by hand."""

import pytest

from fairsweep.measure.catalogue import connect
from fairsweep.measure.sql import rows
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan

GENDER = {"gender": ("female", "male")}
# Source picture -> the group that it is known to show, and what its image shows unguided and guided.
PICTURES = {
    "a": ("female", "male", "female"),
    "b": ("female", "male", "female"),
    "c": ("female", "female", "female"),
    "d": ("male", "male", "male"),
    "e": ("male", "no_face", "male"),
    "f": (None, "male", "male"),
}


@pytest.fixture
def connection(tmp_path):
    """Return a connection to a store of six edited pictures, one of which is known by its label alone."""
    labels = [
        {
            "setting": setting,
            "seed": seed,
            "gender": after[number],
            "source": source,
            "source_groups": {"gender": known} if known else {},
        }
        for seed, (source, (known, *after)) in enumerate(PICTURES.items())
        for number, setting in enumerate(("none", "fair"))
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER, references=["jobs"])
    write_labels(store, labels, GENDER)
    store.write_labels("portraits", [{"image_id": "f", "attribute": "gender", "label": "female"}])
    shares = {"female": 0.1, "male": 0.9}
    known = {"reference": "jobs", "prompt_name": "doctor", "attribute": "gender"}
    store.write("references", "jobs", [known | {"group": group, "share": share} for group, share in shares.items()])
    with connect(store) as opened:
        yield opened


def test_flips_are_counted_by_what_pictures_showed(connection):
    found = {
        (row["setting"], row["before"], row["after"]): (row["n"], row["images"], row["source_pictures"], row["kept"])
        for row in rows(connection.execute("from edit_flips where prompt is not null"))
    }
    assert found == {
        ("none", "female", "female"): (1, 4, 4, True),
        ("none", "female", "male"): (3, 4, 4, False),
        ("none", "male", "male"): (1, 2, 2, True),
        ("none", "male", "no_face"): (1, 2, 2, False),
        ("fair", "female", "female"): (3, 4, 4, True),
        ("fair", "female", "male"): (1, 4, 4, False),
        ("fair", "male", "male"): (2, 2, 2, True),
    }
    # One prompt: over all prompts the same.
    assert connection.execute(
        "select count(*) from edit_flips as one join edit_flips as whole using (setting, before, after, n, images, low)"
        " where one.prompt is not null and whole.prompt is null"
    ).fetchone() == (7,)
    for view in ("edit_flips", "edit_pull"):
        query = f"select distinct prompt_name from {view} where prompt is null"
        assert connection.execute(query).fetchall() == [(None,)]
    # Wilson's interval of 3 of 4.
    query = "select low, high from edit_flips where setting = 'none' and after = 'male' and before = 'female'"
    assert connection.execute(query).fetchall()[0] == pytest.approx((0.30064, 0.95441), abs=1e-4)


def test_the_pull_is_a_paired_change_beside_that_without_guidance(connection):
    pulls = {
        (row["setting"], row["group"]): row
        for row in rows(connection.execute("from edit_pull where prompt is not null"))
    }
    none, fair = pulls["none", "male"], pulls["fair", "male"]
    assert (none["n"], none["share_before"], none["share_after"]) == (5, 0.2, 0.8)
    assert (none["gained"], none["lost"], none["change"]) == (3, 0, pytest.approx(0.6))
    # All of three changes one way: 2 * 0.5 ** 3.
    assert (none["p_value"], none["unguided_change"], none["pulled"]) == (pytest.approx(0.25), None, True)
    assert (none["reference_share"], pulls["none", "female"]["pulled"]) == (0.9, True)
    assert (fair["gained"], fair["lost"], fair["p_value"]) == (1, 0, 1.0)
    assert (fair["change"], fair["unguided_change"]) == (pytest.approx(1 / 6), pytest.approx(0.6))


def test_a_reference_of_a_third_group_says_nothing(connection):
    """Of those pictures 10 % are known to be neither: what the declared groups share is not the whole."""
    connection.execute(
        """create or replace temp table reference_shares as
        select 'jobs' as reference, 'doctor' as prompt_name, 'gender' as attribute,
            unnest(['female', 'male', 'other']) as "group", unnest([0.1, 0.8, 0.1]) as share"""
    )
    assert connection.execute("select distinct reference_share, pulled from edit_pull").fetchall() == [(None, None)]


def test_a_picture_counts_once_however_many_images_it_has(tmp_path):
    """Two images each of three pictures: one becomes male in both, one in one, one goes forth and stays."""
    after = {"a": ("male", "male"), "b": ("male", "female"), "c": ("female", "female")}
    labels = [
        {"seed": 2 * number + k, "gender": label, "source": source, "source_groups": {"gender": "female"}}
        for number, (source, pair) in enumerate(after.items())
        for k, label in enumerate(pair)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    with connect(store) as opened:
        query = "select n, source_pictures, gained, lost, change, p_value from edit_pull where \"group\" = 'male'"
        for found in opened.execute(query).fetchall():
            assert found == (6, 3, 2, 0, pytest.approx(0.5), pytest.approx(0.5))
        [(n, images, pictures, low)] = opened.execute(
            "select n, images, source_pictures, low from edit_flips where after = 'male' and prompt is not null"
        ).fetchall()
        # As wide as of three images.
        assert (n, images, pictures) == (3, 6, 3)
        assert low == pytest.approx(0.12, abs=0.01)


def test_a_sweep_from_noise_has_no_edits(tmp_path):
    labels = [{"seed": seed, "gender": "male"} for seed in range(3)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    with connect(store) as opened:
        assert opened.execute("from edit_flips").fetchall() == opened.execute("from edit_pull").fetchall() == []
