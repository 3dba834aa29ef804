"""The explorer: what it fetches, and the app in a real browser."""

import csv
import dataclasses
import io
import json
import os

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fairsweep.pages import explore, pictures
from fairsweep.store import Store
from support import browser
from support.pages import deep, served, until
from support.synthetic import GROUPS, build, image_id, write_labels, write_plan

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
    older = [{"model": "n", "prompt": "pilot", "seed": seed, "gender": "male"} for seed in range(4)]
    write_plan(store, older, sweep="older")
    write_labels(store, older, sweep="older")
    os.utime(store.root / "plan" / "older.parquet", (0, 0))
    return store


@pytest.fixture(scope="module")
def sql(store):
    return explore.connect(str(store.root))


def test_options_name_what_is_there(store, sql):
    assert explore.sweeps(sql, str(store.root)) == ["audit", "older"], "the one planned last first"
    found = explore.options(sql, "audit")
    assert found["prompt"] == ["doctor", "firefighter", "nurse"]
    assert found["setting"] == ["fair-scale2", "fair-scale4", "none"]


def walls(sql, order="seed", start=0, size=100, **choice) -> list[dict]:
    explore.gather(sql, dataclasses.replace(CHOICE, **choice))
    return explore.pairs(sql, order, start, size)


def test_pairs_hold_the_unguided_image_of_the_seed(sql):
    assert explore.gather(sql, CHOICE) == 24
    rows = walls(sql)
    assert len(rows) == 24
    for row in rows:
        assert row["image_id"] == image_id("audit", "m", "fair-scale4", row["prompt_name"], row["seed"])
        assert row["unguided_id"] == image_id("audit", "m", "none", row["prompt_name"], row["seed"])
    assert [row["seed"] for row in rows[:8]] == list(range(8))
    assert [answer["classifier"] for answer in rows[0]["answers"]] == ["portraits", "second"]
    assert rows[0]["answers"][1] == {"classifier": "second", "label": "female", "score": 0.2}


def test_pairs_are_paged_and_sorted(sql):
    scores = [row["lowest_score"] for row in walls(sql, "lowest score")]
    # The second classifier scores 0.2 + seed / 10, the first always 0.9; firefighters have the first alone.
    assert scores == pytest.approx(sorted([0.2 + seed / 10 for seed in range(7)] * 2 + [0.9] * 10))
    for order, mark in (("flips", "flipped"), ("disagreement", "disagreed")):
        marks = [row[mark] for row in walls(sql, order)]
        assert True in marks and False in marks and marks == sorted(marks, reverse=True)
    assert walls(sql, "seed", start=12, size=12) == walls(sql)[12:]
    assert {row["prompt_name"] for row in walls(sql, prompt="nurse")} == {"nurse"}


def test_flips_and_disagreements_are_those_of_the_metrics(sql):
    rows = walls(sql)
    query = "select flipped from mcnemar where setting = 'fair-scale4' and versus = 'none' and prompt is null"
    query += " and attribute = 'gender' and classifier = 'portraits'"
    assert [(sum(row["flipped"] for row in rows),)] == sql.sql(query).fetchall()
    for row in rows:
        labels = {answer["label"] for answer in row["answers"]}
        assert row["disagreed"] == (len(labels) > 1)


def test_wall_reads_only_the_pictures_on_screen(store, sql, monkeypatch):
    asked = []
    read = pictures.read
    monkeypatch.setattr(pictures, "read", lambda store, sql, ids: asked.extend(ids) or read(store, sql, ids))
    html = explore.wall(sql, str(store.root), "fair-scale4", walls(sql, size=3))
    assert len(asked) == 6 and html.count("<img") == 6 and html.count('loading="lazy"') == 6


def test_text_from_a_spec_is_escaped(store, sql):
    row = {**walls(sql, size=1)[0], "prompt_name": "<script>x</script>"}
    root = str(store.root)
    assert "<script>" not in explore.wall(sql, root, "<b>", [row]) and "<b>" not in explore.wall(sql, root, "<b>x", [])


def test_download_holds_the_rows_shown(sql):
    rows = walls(sql, size=5)
    read = list(csv.DictReader(io.StringIO(explore.as_csv(rows).decode())))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]
    assert [json.loads(row["answers"]) for row in read] == [row["answers"] for row in rows]


def test_sql_sees_every_view_and_nothing_outside_the_store(sql, tmp_path):
    assert explore.query(sql, "from share").num_rows == sql.sql("from main.share").shape[0]
    (tmp_path / "other.csv").write_text("a\n1\n")
    for text in (f"from '{tmp_path}/other.csv'", "set enable_external_access = true", "select"):
        with pytest.raises(explore.SqlError):
            explore.query(sql, text)


def choose(driver, option: str) -> None:
    menus = until(lambda: [menu for menu in deep(driver, "select") if option in menu.text])
    Select(menus[0]).select_by_visible_text(option)


def press(driver, name: str) -> None:
    tab = next(tab for tab in deep(driver, "[role=tab]") if tab.text == name)
    tab.send_keys("\n")
    until(lambda: tab.get_attribute("data-state") == "active")


def focused(driver):
    script = "let a = document.activeElement; while (a.shadowRoot) a = a.shadowRoot.activeElement; return a"
    return driver.execute_script(script)


def type_keys(driver, *keys) -> None:
    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver, wanted) -> None:
    """Press Tab until what has the focus is `wanted`."""
    for _ in range(30):
        type_keys(driver, Keys.TAB)
        if wanted(focused(driver)):
            return
    raise AssertionError("Tab does not lead there")


def plotted(driver) -> list[str]:
    return [row.get_attribute("textContent") for row in deep(driver, ".shares tbody tr")]


def shown(driver) -> list[str]:
    return [pair.get_attribute("data-image") for pair in deep(driver, ".pair")]


def all_pictures_loaded(driver) -> bool:
    return all(driver.execute_script("return arguments[0].naturalWidth", image) for image in deep(driver, ".pair img"))


def ask(driver, query: str) -> None:
    """Replace the query in the editor and run it, by keys alone."""
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(query).perform()
    # A busy page takes its time: what is run is what the editor holds by then.
    until(lambda: focused(driver).get_attribute("textContent") == query)
    ActionChains(driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()


def test_app_in_a_browser(store, sql, tmp_path):
    with browser.chromium() as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        until(lambda: deep(driver, ".shares tbody tr"))
        expected = sql.sql(
            """select share, low, high from main.share where setting = 'fair-scale2' and prompt_name = 'doctor'
            and attribute = 'gender' and classifier = 'portraits' and "group" = 'female'"""
        )
        ((value, low, high),) = expected.fetchall()
        text = f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
        assert [text in row for row in plotted(driver) if "doctor" in row] == [True]

        press(driver, "Pictures")
        choose(driver, "fair-scale4")
        for order in explore.ORDERS:
            choose(driver, order)
            rows = walls(sql, order, size=24)
            until(lambda rows=rows: shown(driver) == [row["image_id"] for row in rows])
        until(lambda: all_pictures_loaded(driver))
        download = {"behavior": "allow", "downloadPath": str(tmp_path)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", download)
        next(button for button in deep(driver, "button,a") if "Download these rows" in button.text).send_keys(
            Keys.ENTER
        )
        (file,) = until(lambda: list(tmp_path.glob("*.csv")))
        saved = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
        assert [row["image_id"] for row in saved] == shown(driver)
        assert [row["flipped"] for row in saved] == [str(row["flipped"]) for row in rows]

        choose(driver, "12")
        until(lambda: shown(driver) == [row["image_id"] for row in rows[:12]])
        (page,) = deep(driver, "input[type=number], input[inputmode=numeric], input[inputmode=decimal]")
        page.send_keys(Keys.BACKSPACE, "2", Keys.TAB)
        until(lambda: shown(driver) == [row["image_id"] for row in rows[12:24]])

        press(driver, "Shares")
        choose(driver, "skin_tone")
        until(
            lambda: [head.text.split()[0] for head in deep(driver, ".shares thead th")][1:] == list(GROUPS["skin_tone"])
        )
        choose(driver, "gender")
        choose(driver, "second")
        until(lambda: ["100 % [63, 100]" in row for row in plotted(driver) if "nurse" in row] == [True])
        choose(driver, "older")
        until(lambda: [row.split()[0] for row in plotted(driver)] == ["pilot"])
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []
        assert browser.overflow(driver) == 0


def test_app_by_keyboard(store, sql):
    with browser.chromium() as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        until(lambda: len(deep(driver, ".shares tbody tr")) == 3)
        tab_to(driver, lambda element: element.tag_name == "select" and "nurse" in element.text)
        type_keys(driver, "n")
        until(lambda: [row.text.split()[0] for row in deep(driver, ".shares tbody tr")] == ["nurse"])
        tab_to(driver, lambda element: element.get_attribute("role") == "tab")
        type_keys(driver, Keys.ARROW_RIGHT)
        rows = walls(sql, "flips", setting="fair-scale2", prompt="nurse")
        until(lambda: len(deep(driver, ".pair")) == len(rows) == 8)
        tab_to(driver, lambda element: element.tag_name == "select" and "flips" in element.text)
        type_keys(driver, "f")
        until(lambda: shown(driver) == [row["image_id"] for row in rows])

        press(driver, "SQL")
        until(lambda: deep(driver, "[role=textbox]"))
        tab_to(driver, lambda element: element.get_attribute("role") == "textbox")
        query = (
            "select prompt_name, setting, sum(count)::int as n, max(share) as most from share "
            "where n > 4 group by all order by all"
        )
        ask(driver, query)
        wanted = sql.sql(query).fetchall()

        def table() -> list[tuple]:
            cells = [row.find_elements("css selector", "td") for row in deep(driver, "table tbody tr")]
            return [(row[0].text, row[1].text, int(row[2].text), float(row[3].text)) for row in cells]

        until(lambda: len(deep(driver, "table tbody tr")) == len(wanted) == 9)
        assert table() == [(*row[:3], pytest.approx(row[3], abs=0.001)) for row in wanted]
        ask(driver, "select nonsense")
        until(lambda: any("nonsense" in note.text for note in deep(driver, "marimo-callout-output")))
        type_keys(driver, Keys.ESCAPE)
        tab_to(driver, lambda element: element.text == "Run")
        assert browser.errors(driver) == []


def test_app_fits_a_phone(store):
    with browser.chromium(width=390, dark=True) as driver, served("explore", store) as (_, (address,)):
        driver.get(address)
        until(lambda: deep(driver, ".shares tbody tr"))
        assert browser.overflow(driver) == 0
        press(driver, "Pictures")
        until(lambda: deep(driver, ".pair"))
        assert browser.overflow(driver) == 0
        press(driver, "SQL")
        until(lambda: deep(driver, "[role=textbox]"))
        assert browser.overflow(driver) == 0
        assert browser.errors(driver) == []


def test_text_cannot_become_part_of_the_page(tmp_path):
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    link = "https://example.org/picture.png"
    hostile = build(tmp_path, prompts=(evil, link), models=(evil,), settings=("none", evil), seeds=2)
    with browser.chromium() as driver, served("explore", hostile) as (_, (address,)):
        driver.get(address)
        until(lambda: deep(driver, ".shares tbody tr"))
        assert evil in [row.find_element("tag name", "th").text for row in deep(driver, ".shares tbody tr")]
        press(driver, "Pictures")
        until(lambda: len(deep(driver, ".pair")) == 4)
        press(driver, "SQL")
        until(lambda: deep(driver, "[role=textbox]"))[0].click()
        ask(driver, "select distinct model, setting, prompt, prompt_name from plan")
        until(lambda: len(deep(driver, "table tbody tr")) == 4)
        assert driver.title == "fairsweep explorer" and not deep(driver, "img[src=x]")
        # The page may try to show the address as a picture, and is refused.
        refused = [error for error in browser.errors(driver) if "Content Security Policy" not in error]
        assert refused == [] and browser.foreign_requests(driver) == []


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
    html = explore.training_wall(explore.connect(str(store.root)), str(store.root), rows)
    assert html.count("<img") == 9 and html.count("<li") == 2 and "corpus.captions" in html
    assert "<img" not in explore.training_wall(sql, str(store.root), [])
