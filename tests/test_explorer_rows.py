"""What the explorer fetches: options, pairs of pictures, filters, files, and answers to SQL."""

import csv
import dataclasses
import io
import json

import pytest
from PIL import Image

from fairsweep.pages import explore
from fairsweep.pages.opened import OpenStore
from fairsweep.pages.thumbnails import Thumbnails
from fairsweep.store import Store
from fairsweep.store.files import DamageError
from support import browser
from support.explorer import CHOICE, find, walls
from support.pages import served, until
from support.synthetic import GROUPS, build, image_id, write_labels, write_plan


def test_options_name_what_is_there(explorer_store, explorer_sql):
    assert explore.sweeps(explorer_sql, str(explorer_store.root)) == ["audit", "older"], "the one planned last first"
    assert explore.groups(explorer_sql, "audit") == {name: list(groups) for name, groups in GROUPS.items()}
    assert explore.unguided(explorer_sql, "audit") == ["none"]
    found = explore.options(explorer_sql, "audit")
    assert found["prompt"] == ["doctor", "firefighter", "nurse"]
    assert found["setting"] == ["fair-scale2", "fair-scale4", "none"]


def test_pairs_hold_the_unguided_image_of_the_seed(explorer_sql):
    assert explore.gather(explorer_sql, CHOICE) == 24
    rows = walls(explorer_sql)
    assert len(rows) == 24
    for row in rows:
        assert row["image_id"] == image_id("audit", "m", "fair-scale4", row["prompt_name"], row["seed"])
        assert row["unguided_id"] == image_id("audit", "m", "none", row["prompt_name"], row["seed"])
    assert [row["seed"] for row in rows[:8]] == list(range(8))
    assert [answer["classifier"] for answer in rows[0]["answers"]] == ["portraits", "second"]
    assert rows[0]["answers"][1] == {"classifier": "second", "label": "female", "score": 0.2}


def test_pairs_are_paged_and_sorted(explorer_sql):
    scores = [row["lowest_score"] for row in walls(explorer_sql, "lowest score")]
    # The second classifier scores 0.2 + seed / 10, the first always 0.9; firefighters have the first alone.
    assert scores == pytest.approx(sorted([0.2 + seed / 10 for seed in range(7)] * 2 + [0.9] * 10))
    for order, mark in (("flips", "flipped"), ("disagreement", "disagreed")):
        marks = [row[mark] for row in walls(explorer_sql, order)]
        assert True in marks and False in marks and marks == sorted(marks, reverse=True)
    assert walls(explorer_sql, "seed", start=12, size=12) == walls(explorer_sql)[12:]
    assert {row["prompt_name"] for row in walls(explorer_sql, prompt="nurse")} == {"nurse"}


def test_flips_and_disagreements_are_those_of_the_metrics(explorer_sql):
    rows = walls(explorer_sql)
    query = "select flipped from mcnemar where setting = 'fair-scale4' and versus = 'none' and prompt is null"
    query += " and attribute = 'gender' and classifier = 'portraits'"
    assert [(sum(row["flipped"] for row in rows),)] == explorer_sql.sql(query).fetchall()
    for row in rows:
        labels = {answer["label"] for answer in row["answers"]}
        assert row["disagreed"] == (len(labels) > 1)


def test_worst_prompts_come_first(explorer_sql):
    """In the setting that is looked at: the distances are those of the metric."""
    found = explorer_sql.sql(
        """select prompt_name from total_variation where setting = 'fair-scale2' and attribute = 'gender'
        and classifier = 'portraits' order by total_variation desc, prompt_name"""
    ).fetchall()
    worst = [row[0] for row in found]
    rows = walls(explorer_sql, "worst prompts", setting="fair-scale2")
    assert list(dict.fromkeys(row["prompt_name"] for row in rows)) == worst
    shares = explore.shares(explorer_sql, dataclasses.replace(CHOICE, setting="fair-scale2"))
    assert list(dict.fromkeys(row["prompt_name"] for row in shares)) == worst


def test_filters_keep_what_they_say(explorer_sql):
    every = walls(explorer_sql)
    outcomes = explorer_sql.sql(
        """select image_id, outcome from outcomes
        where setting = 'fair-scale4' and attribute = 'gender' and classifier = 'portraits'"""
    )
    outcome = dict(outcomes.fetchall())
    assert set(outcome.values()) == {"female", "male", "no_face"}
    kept = {
        explore.Filters(group="female"): [row for row in every if outcome[row["image_id"]] == "female"],
        explore.Filters(missing=True): [row for row in every if outcome[row["image_id"]] == "no_face"],
        explore.Filters(flipped=True): [row for row in every if row["flipped"]],
        explore.Filters(disagreed=True): [row for row in every if row["disagreed"]],
        explore.Filters(group="male", disagreed=True): [
            row for row in every if row["disagreed"] and outcome[row["image_id"]] == "male"
        ],
    }
    for filters, rows in kept.items():
        assert walls(explorer_sql, filters=filters) == rows and 0 < len(rows) < len(every), filters
        assert explore.count(explorer_sql, filters) == len(rows)


def test_settings_of_a_seed_stand_beside_it(explorer_sql):
    rows = walls(explorer_sql, size=5)
    others = explore.beside(explorer_sql, CHOICE, rows, ["fair-scale2"])
    for row in rows:
        (other,) = others[row["image_id"]]
        assert other["image_id"] == image_id("audit", "m", "fair-scale2", row["prompt_name"], row["seed"])
        assert [answer["classifier"] for answer in other["answers"]] == ["portraits"]
    assert explore.beside(explorer_sql, CHOICE, rows, []) == {}


def test_a_picture_is_told_with_its_labels_and_its_seed(explorer_sql):
    key = image_id("audit", "m", "fair-scale4", "doctor", 3)
    found = explore.picture(explorer_sql, "audit", key)
    assert (found["prompt"], found["seed"], found["setting"]) == ("a photo of the face of a doctor", 3, "fair-scale4")
    assert [(row["attribute"], row["classifier"]) for row in found["labels"]] == [
        ("gender", "portraits"),
        ("gender", "second"),
        ("occupation", "portraits"),
        ("skin_tone", "portraits"),
    ]
    assert [row["setting"] for row in found["siblings"]] == ["none", "fair-scale2", "fair-scale4"]
    assert explore.picture(explorer_sql, "audit", "nobody") is None


def test_small_pictures_are_read_once_and_a_damaged_one_costs_itself():
    asked = []

    def read(ids):
        asked.append(list(ids))
        if "bad" in ids:
            raise DamageError("a page is damaged")
        return {key: key.encode() for key in ids}

    thumbnails = Thumbnails(read)
    thumbnails.want(["one", "two", "one"])
    assert (thumbnails.get("one"), thumbnails.get("two"), asked) == (b"one", b"two", [["one", "two"]])
    thumbnails.want(["one", "bad", "three"])
    assert (thumbnails.get("bad"), thumbnails.get("three")) == (None, b"three")
    thumbnails.forget()
    assert thumbnails.get("one") == b"one" and asked[-1] == ["one"]


def test_download_holds_the_rows_shown(explorer_sql):
    rows = walls(explorer_sql, size=5)
    read = list(csv.DictReader(io.StringIO(explore.as_csv(rows).decode())))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]
    assert [json.loads(row["answers"]) for row in read] == [row["answers"] for row in rows]


def test_sql_sees_every_view_and_nothing_outside_the_store(explorer_sql, tmp_path):
    assert explore.query(explorer_sql, "from share").num_rows == explorer_sql.sql("from main.share").shape[0]
    (tmp_path / "other.csv").write_text("a\n1\n")
    for text in (f"from '{tmp_path}/other.csv'", "set enable_external_access = true", "select"):
        with pytest.raises(explore.SqlError):
            explore.query(explorer_sql, text)


def test_a_store_without_a_sweep_and_one_that_grows(tmp_path):
    store = Store(tmp_path)
    write_labels(store, [{"seed": 0, "gender": "female"}], sweep="later")
    app = OpenStore(str(tmp_path))
    assert app.sweeps == []
    write_plan(store, [{"seed": 0}], sweep="later")
    app.follow()
    assert app.sweeps == [], "asked again only after a while"
    app._looked -= 60
    app.follow()
    assert app.sweeps == ["later"]


def test_training_images_stand_beside_the_generated_ones(tmp_path):
    """Two ways of matching, seven and three images of doctors, half of them in the store and half where they lie."""
    store = build(tmp_path / "store")
    matched = [
        {"model": "corpus", "setting": setting, "prompt": "doctor", "seed": seed, "gender": "female"}
        for setting, count in (("captions", 7), ("nearest-100", 3))
        for seed in range(count)
    ]
    write_plan(store, matched, sweep="audit-data")
    write_labels(store, matched, sweep="audit-data")
    shared = {
        "sweep": "audit",
        "source": "corpus",
        "data_sweep": "audit-data",
        "prompt": "doctor",
        "prompt_name": "doctor",
    }
    store.write("matchings", "audit", [shared | {"match": match, "n": 3} for match in ("captions", "nearest-100")])
    sql = explore.connect(str(store.root))
    rows = explore.training(sql, CHOICE)
    assert [(row["setting"], row["label"]) for row in rows] == [("captions", "female")] * 6 + [
        ("nearest-100", "female")
    ] * 3
    assert explore.training(sql, dataclasses.replace(CHOICE, prompt="doctor")) == rows
    assert explore.training(sql, dataclasses.replace(CHOICE, prompt="nurse")) == []
    picture = tmp_path / "where it lies.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    stored = picture.read_bytes()
    store.write_images(
        [
            row | {"image": {"bytes": None, "path": str(picture)} if place % 2 else {"bytes": stored, "path": None}}
            for place, row in enumerate(rows)
        ]
    )
    app = OpenStore(str(store.root))
    assert all(app.thumbnails.get(row["image_id"]) for row in rows)
    with browser.chromium() as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        driver.get(f"{address.split('/?')[0]}/pictures?sweep=audit")
        walls = find(driver, ".training .pair")
        assert [wall.get_attribute("data-matching") for wall in walls] == ["corpus.captions", "corpus.nearest-100"]
        assert [len(wall.find_elements("css selector", "img")) for wall in walls] == [6, 3]
        # A training image is enlarged as any other.
        walls[0].find_element("css selector", "a").click()
        until(lambda: find(driver, ".enlarged"))
        assert "corpus" in find(driver, ".enlarged")[0].text
