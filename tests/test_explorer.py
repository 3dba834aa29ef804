"""The explorer: what it fetches, and the app in a real browser."""

import csv
import io

import browser
import pytest
from pages import deep, served, until
from selenium.webdriver.support.select import Select
from synthetic import build, image_id

from fairsweep import explore, pictures
from fairsweep.store import Store

CHOICE = explore.Choice("audit", "m", "fair-scale4", "gender", "portraits")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = build(tmp_path_factory.mktemp("explore"))
    labels = [
        {"image_id": image_id("audit", "m", setting, prompt, seed), "attribute": "gender", "score": 0.2 + seed / 10}
        for setting in ("none", "fair-scale4")
        for prompt in ("doctor", "nurse")
        for seed in range(8)
    ]
    store.write_labels("second", [{**row, "label": "female", "scores": {}} for row in labels])
    return store


@pytest.fixture(scope="module")
def sql(store):
    return explore.connect(str(store.root))


def test_options_name_what_is_there(sql):
    found = explore.options(sql, "audit")
    assert found["sweep"] == ["audit"] and found["prompt"] == ["doctor", "firefighter", "nurse"]
    assert found["setting"] == ["fair-scale2", "fair-scale4", "none"]


def test_pairs_hold_the_unguided_image_of_the_seed(sql):
    rows = explore.pairs(sql, CHOICE)
    assert len(rows) == 24 and rows[0]["total"] == 24
    for row in rows:
        assert row["image_id"] == image_id("audit", "m", "fair-scale4", row["prompt_name"], row["seed"])
        assert row["unguided_id"] == image_id("audit", "m", "none", row["prompt_name"], row["seed"])
    assert [row["seed"] for row in rows[:8]] == list(range(8))


def test_pairs_are_paged_and_sorted(sql):
    scores = [row["lowest_score"] for row in explore.pairs(sql, CHOICE, "lowest score")]
    assert scores == sorted(scores)
    for order, mark in (("flips", "flipped"), ("disagreement", "disagreed")):
        marks = [row[mark] for row in explore.pairs(sql, CHOICE, order)]
        assert True in marks and False in marks and marks == sorted(marks, reverse=True)
    second = explore.pairs(sql, CHOICE, "seed", start=12, size=12)
    assert second == explore.pairs(sql, CHOICE)[12:]
    one = explore.pairs(sql, explore.Choice(**{**vars(CHOICE), "prompt": "nurse"}))
    assert {row["prompt_name"] for row in one} == {"nurse"}


def test_wall_reads_only_the_pictures_on_screen(sql, monkeypatch):
    asked = []
    read = pictures.read
    monkeypatch.setattr(pictures, "read", lambda connection, ids: asked.extend(ids) or read(connection, ids))
    rows = explore.pairs(sql, CHOICE, size=3)
    html = explore.wall(sql, "fair-scale4", rows)
    assert len(asked) == 6 and html.count("<img") == 6 and html.count('loading="lazy"') == 6


def test_text_from_a_spec_is_escaped(sql):
    row = {**explore.pairs(sql, CHOICE, size=1)[0], "prompt_name": "<script>x</script>"}
    assert "<script>" not in explore.wall(sql, "<b>", [row]) and "<b>" not in explore.wall(sql, "<b>x", [])


def test_download_holds_the_rows_shown(sql):
    rows = explore.pairs(sql, CHOICE, size=5)
    read = list(csv.DictReader(io.StringIO(explore.as_csv(rows).decode())))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]


def test_sql_sees_every_view_and_nothing_outside_the_store(sql, tmp_path):
    assert explore.query(sql, "from share").num_rows == sql.sql("from share").shape[0]
    (tmp_path / "other.csv").write_text("a\n1\n")
    for text in (f"from '{tmp_path}/other.csv'", "set enable_external_access = true", "select"):
        with pytest.raises(explore.SqlError):
            explore.query(sql, text)


def choose(driver, option: str) -> None:
    menus = [menu for menu in deep(driver, "select") if option in menu.text]
    Select(menus[0]).select_by_visible_text(option)


def press(driver, name: str) -> None:
    tab = next(tab for tab in deep(driver, "[role=tab]") if tab.text == name)
    tab.send_keys("\n")
    until(lambda: tab.get_attribute("data-state") == "active")


def test_app_in_a_browser(store):
    with browser.chromium() as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        until(lambda: deep(driver, ".shares tbody tr"))
        expected = explore.connect(str(store.root)).execute(
            """select share, low, high from share where setting = 'fair-scale2' and prompt_name = 'doctor'
            and attribute = 'gender' and classifier = 'portraits' and "group" = 'female'"""
        )
        value, low, high = expected.fetchone()
        shown = [row.get_attribute("textContent") for row in deep(driver, ".shares tbody tr")]
        assert any(
            "doctor" in row and f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" in row for row in shown
        )

        choose(driver, "nurse")
        until(lambda: len(deep(driver, ".shares tbody tr")) == 1)
        press(driver, "Pictures")
        until(lambda: len(deep(driver, ".pair")) == 8)
        until(
            lambda: all(driver.execute_script("return arguments[0].naturalWidth", i) for i in deep(driver, ".pair img"))
        )
        press(driver, "SQL")
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []
        assert browser.overflow(driver) == 0


def test_app_fits_a_phone(store):
    with browser.chromium(width=390, dark=True) as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        until(lambda: deep(driver, ".shares tbody tr"))
        press(driver, "Pictures")
        until(lambda: deep(driver, ".pair"))
        assert browser.overflow(driver) == 0
        assert browser.errors(driver) == []
