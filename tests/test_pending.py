"""What a sweep has still to make is neither there nor missing; what failed is missing."""

import pytest

from fairsweep.measure import views
from fairsweep.pages import report
from fairsweep.store import Store
from support.checks import ask
from support.synthetic import GROUPS, image_id, write_labels, write_plan

GENDER = {"gender": GROUPS["gender"]}
CELLS = ("none", "fair")


def half(root, readers=("portraits",), made=2, failed=1) -> Store:
    """Write a sweep of two prompts and four seeds; of the doctor's, the first are made and some after them failed."""
    store = Store(root)
    labels = [
        {"prompt": prompt, "setting": setting, "seed": seed, "gender": ("female", "male")[seed % 2]}
        for prompt in ("doctor", "nurse")
        for setting in CELLS
        for seed in range(4)
    ]
    write_plan(store, labels, GENDER, readers=readers and list(readers))
    write_labels(store, [row for row in labels if row["prompt"] == "doctor" and row["seed"] < made], GENDER)
    images = [
        {
            "image_id": image_id("audit", "m", setting, "doctor", seed),
            "model": "m",
            "setting": setting,
            "error": None if seed < made else "no memory",
        }
        for setting in CELLS
        for seed in range(made + failed)
    ]
    store.write_images(images)
    return store


# Of few images each is looked at, of many their numbers are.
@pytest.mark.parametrize("looked_at", [1000, 0])
def test_what_is_not_made_yet_is_in_no_figure_and_what_failed_is(tmp_path, monkeypatch, looked_at):
    monkeypatch.setattr(views, "MOST_LOOKED_AT", looked_at)
    half(tmp_path)
    counts = "select prompt_name, setting, failed, images from missing_share order by all"
    assert ask(tmp_path, counts) == [("doctor", "fair", 1, 3), ("doctor", "none", 1, 3)]
    pairs = "select before, after, n, pairs from paired_flips order by all"
    assert ask(tmp_path, pairs) == [("failed", "failed", 1, 3), ("female", "female", 1, 3), ("male", "male", 1, 3)]
    assert ask(tmp_path, "select (select count(*) from plan), (select count(*) from planned)") == [(6, 16)]


def test_a_report_of_half_a_sweep_says_so_first(tmp_path):
    html = report.render(half(tmp_path, made=3, failed=0)).replace("\xa0", " ")
    assert "<h1>Unfinished: 6 of 16 images are made. The model m, as read by the classifier portraits, is found" in html
    assert "3 images of a prompt and setting" in html and "4 of 16" not in html
    assert "<h3>Images without a group</h3>" not in html
    assert "recognised gender: 0 % unguided, 0 % with fair" in html


def test_a_sweep_whose_images_all_were_tried_is_finished_and_read_without_a_look_at_them(tmp_path):
    store = half(tmp_path, made=3)
    rest = [("nurse", seed) for seed in range(4)]
    store.write_images(
        [
            {"image_id": image_id("audit", "m", setting, *place), "model": "m", "setting": setting}
            for setting in CELLS
            for place in rest
        ]
    )
    (view,) = ask(tmp_path, "select sql from duckdb_views() where view_name = 'plan'")
    assert "image_rows" not in view[0]
    assert "Unfinished" not in report.render(store)


def test_sweeps_side_by_side_say_how_much_of_all_is_there(tmp_path):
    store = half(tmp_path, made=4, failed=0)
    labels = [{"setting": setting, "seed": seed, "gender": "male"} for setting in CELLS for seed in range(4)]
    write_plan(store, labels, GENDER, sweep="later")
    write_labels(store, labels, GENDER, sweep="later")
    html = report.render(store, ["audit", "later"])
    assert "<h1>Unfinished: 8 of 24 images are made. The model " in html
    assert "4 images of a prompt and setting" in html


def test_images_from_elsewhere_are_not_waited_for(tmp_path):
    """Of what came in without its images only some have one; a sweep that was made here stands beside it."""
    half(tmp_path, readers=None)
    assert ask(tmp_path, "select count(*) from plan") == [(16,)]
    labels = [{"setting": "none", "seed": seed, "gender": "male"} for seed in range(4)]
    write_plan(Store(tmp_path), labels, GENDER, sweep="ours", readers=["portraits"])
    assert ask(tmp_path, "select sweep, count(*) from plan group by all") == [("audit", 16)]
