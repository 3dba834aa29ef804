"""The explorer: what it fetches, and the app in a real browser."""

import csv
import dataclasses
import io
import json
import os

import pytest
import requests
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fairsweep.pages import explore, explorer, key
from fairsweep.pages.opened import OpenStore
from fairsweep.pages.thumbnails import Thumbnails
from fairsweep.store import Store
from fairsweep.store.files import DamageError
from support import browser
from support.pages import served, until
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
    assert explore.groups(sql, "audit") == {name: list(groups) for name, groups in GROUPS.items()}
    assert explore.unguided(sql, "audit") == ["none"]
    found = explore.options(sql, "audit")
    assert found["prompt"] == ["doctor", "firefighter", "nurse"]
    assert found["setting"] == ["fair-scale2", "fair-scale4", "none"]


def walls(sql, order="seed", start=0, size=100, filters=explore.NONE, **choice) -> list[dict]:
    explore.gather(sql, dataclasses.replace(CHOICE, **choice))
    return explore.pairs(sql, order, start, size, filters)


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


def test_worst_prompts_come_first(sql):
    """In the setting that is looked at: the distances are those of the metric."""
    found = sql.sql(
        """select prompt_name from total_variation where setting = 'fair-scale2' and attribute = 'gender'
        and classifier = 'portraits' order by total_variation desc, prompt_name"""
    ).fetchall()
    worst = [row[0] for row in found]
    rows = walls(sql, "worst prompts", setting="fair-scale2")
    assert list(dict.fromkeys(row["prompt_name"] for row in rows)) == worst
    shares = explore.shares(sql, dataclasses.replace(CHOICE, setting="fair-scale2"))
    assert list(dict.fromkeys(row["prompt_name"] for row in shares)) == worst


def test_filters_keep_what_they_say(sql):
    every = walls(sql)
    outcomes = sql.sql(
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
        assert walls(sql, filters=filters) == rows and 0 < len(rows) < len(every), filters
        assert explore.count(sql, filters) == len(rows)


def test_settings_of_a_seed_stand_beside_it(sql):
    rows = walls(sql, size=5)
    others = explore.beside(sql, CHOICE, rows, ["fair-scale2"])
    for row in rows:
        (other,) = others[row["image_id"]]
        assert other["image_id"] == image_id("audit", "m", "fair-scale2", row["prompt_name"], row["seed"])
        assert [answer["classifier"] for answer in other["answers"]] == ["portraits"]
    assert explore.beside(sql, CHOICE, rows, []) == {}


def test_a_picture_is_told_with_its_labels_and_its_seed(sql):
    key = image_id("audit", "m", "fair-scale4", "doctor", 3)
    found = explore.picture(sql, "audit", key)
    assert (found["prompt"], found["seed"], found["setting"]) == ("a photo of the face of a doctor", 3, "fair-scale4")
    assert [(row["attribute"], row["classifier"]) for row in found["labels"]] == [
        ("gender", "portraits"),
        ("gender", "second"),
        ("occupation", "portraits"),
        ("skin_tone", "portraits"),
    ]
    assert [row["setting"] for row in found["siblings"]] == ["none", "fair-scale2", "fair-scale4"]
    assert explore.picture(sql, "audit", "nobody") is None


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


def find(driver, selector: str) -> list:
    return driver.find_elements("css selector", selector)


def by_id(driver, name: str):
    return driver.find_element("id", name)


def choose(driver, name: str, option: str) -> None:
    """Choose in a control and wait until the page is that of its address."""
    before = find(driver, "main")[0]
    Select(by_id(driver, name)).select_by_visible_text(option)
    until(lambda: before != find(driver, "main")[0])


def tick(driver, selector: str) -> None:
    before = find(driver, "main")[0]
    find(driver, selector)[0].click()
    until(lambda: before != find(driver, "main")[0])


def view(driver, name: str) -> None:
    driver.find_element("link text", name).click()
    until(lambda: find(driver, "nav [aria-current=page]")[0].text == name)


def focused(driver):
    return driver.switch_to.active_element


def type_keys(driver, *keys) -> None:
    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver, wanted) -> None:
    """Press Tab until what has the focus is `wanted`."""
    for _ in range(30):
        type_keys(driver, Keys.TAB)
        if until(lambda: [wanted(focused(driver))])[0]:
            return
    raise AssertionError("Tab does not lead there")


def plotted(driver) -> list[str]:
    return [row.get_attribute("textContent") for row in find(driver, ".shares tbody tr")]


def shown(driver) -> list[str]:
    return [pair.get_attribute("data-image") for pair in find(driver, ".pair")]


def all_pictures_loaded(driver) -> bool:
    script = "arguments[0].loading = 'eager'; return arguments[0].naturalWidth"
    return all(driver.execute_script(script, image) for image in find(driver, ".pair img"))


def downloaded(driver, folder, label: str) -> list[dict]:
    behavior = {"behavior": "allow", "downloadPath": str(folder)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    driver.find_element("link text", label).send_keys(Keys.ENTER)
    (file,) = until(lambda: list(folder.glob("*.csv")))
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def address(store):
    with served("explore", store) as (_, (address,)):
        yield address


def test_shares_in_a_browser(address, sql, tmp_path):
    with browser.chromium() as driver:
        driver.get(address)
        assert "access_token" not in driver.current_url
        expected = sql.sql(
            """select share, low, high from main.share where setting = 'fair-scale2' and prompt_name = 'doctor'
            and attribute = 'gender' and classifier = 'portraits' and "group" = 'female'"""
        )
        ((value, low, high),) = expected.fetchall()
        text = f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
        assert [text in row for row in plotted(driver) if "doctor" in row] == [True]
        saved = downloaded(driver, tmp_path, "Download these shares")
        assert {row["setting"] for row in saved} == {"none", "fair-scale2"} and len(saved) == 12

        tick(driver, "#beside1")
        assert [len(row.find_elements("css selector", "circle")) for row in find(driver, ".shares tbody tr")] == [3] * 3
        assert [name.text for name in find(driver, ".setting")] == ["fair-scale2", "fair-scale4"]
        tick(driver, "#beside1")
        choose(driver, "attribute", "skin_tone")
        assert [head.text.split()[0] for head in find(driver, ".shares thead th")][1:] == list(GROUPS["skin_tone"])
        choose(driver, "attribute", "gender")
        choose(driver, "classifier", "second")
        assert ["100 % [63, 100]" in row for row in plotted(driver) if "nurse" in row] == [True]
        driver.find_element("link text", "nurse").click()
        until(lambda: find(driver, ".pair"))
        assert Select(by_id(driver, "prompt")).first_selected_option.text == "nurse"
        view(driver, "Shares")
        choose(driver, "sweep", "older")
        assert [row.split()[0] for row in plotted(driver)] == ["pilot"]
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []
        assert browser.overflow(driver) == 0


def test_pictures_in_a_browser(address, sql, tmp_path):
    with browser.chromium() as driver:
        driver.get(address)
        view(driver, "Pictures")
        choose(driver, "setting", "fair-scale4")
        for order in explore.ORDERS:
            if order != "seed":
                choose(driver, "order", order)
            rows = walls(sql, order, size=24)
            assert shown(driver) == [row["image_id"] for row in rows]
        until(lambda: all_pictures_loaded(driver))
        saved = downloaded(driver, tmp_path, "Download these rows")
        assert [row["image_id"] for row in saved] == shown(driver)
        assert [row["flipped"] for row in saved] == [str(row["flipped"]) for row in rows]

        choose(driver, "size", "12")
        by_id(driver, "next").click()
        ids = [row["image_id"] for row in rows]
        until(lambda: shown(driver) == ids[12:])
        assert not find(driver, "#next")
        by_id(driver, "previous").click()
        until(lambda: shown(driver) == ids[:12])
        by_id(driver, "page").send_keys(Keys.CONTROL, "a", Keys.NULL, "2", Keys.ENTER)
        until(lambda: shown(driver) == ids[12:])
        by_id(driver, "page").send_keys(Keys.CONTROL, "a", Keys.NULL, "77", Keys.ENTER)
        until(lambda: by_id(driver, "page").get_attribute("value") == "2" and shown(driver) == ids[12:])
        # Another choice begins at its first page.
        choose(driver, "size", "24")
        assert shown(driver) == ids

        for name, filters in {
            "missing": explore.Filters(missing=True),
            "flipped": explore.Filters(flipped=True),
            "disagreed": explore.Filters(disagreed=True),
        }.items():
            tick(driver, f"#{name}")
            assert shown(driver) == [row["image_id"] for row in walls(sql, "flips", filters=filters)]
            tick(driver, f"#{name}")
        choose(driver, "group", "female")
        rows = walls(sql, "flips", filters=explore.Filters(group="female"))
        assert shown(driver) == [row["image_id"] for row in rows]
        choose(driver, "prompt", "nurse")
        rows = walls(sql, "flips", filters=explore.Filters(group="female"), prompt="nurse")
        assert shown(driver) == [row["image_id"] for row in rows]

        tick(driver, "#beside1")
        names = [caption.text.split("\n")[0].split(" ")[0] for caption in find(driver, ".pair:first-child figcaption")]
        assert names == ["unguided", "fair-scale4", "fair-scale2"]
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []


def test_a_link_brings_back_what_is_on_screen(address):
    """Another browser, which was let in before, and Back and Forward."""
    with browser.chromium() as driver:
        driver.get(address)
        view(driver, "Pictures")
        choose(driver, "setting", "fair-scale4")
        choose(driver, "order", "worst prompts")
        tick(driver, "#flipped")
        link, ids = driver.current_url, shown(driver)
        tick(driver, "#flipped")
        assert shown(driver) != ids
        driver.back()
        until(lambda: shown(driver) == ids)
        assert by_id(driver, "flipped").is_selected()
    with browser.chromium() as driver:
        driver.get(link)
        assert "open the address that the command printed" in find(driver, "body")[0].text
        driver.get(address)
        driver.get(link)
        assert shown(driver) == ids
        assert Select(by_id(driver, "order")).first_selected_option.text == "worst prompts"


def test_what_a_link_names_and_is_not_there_is_said(address):
    with browser.chromium() as driver:
        driver.get(address)
        driver.get(f"{address.split('/?')[0]}/shares?sweep=gone&model=m&setting=fair-scale9")
        notes = [note.text for note in find(driver, ".note")]
        assert notes == [
            "There is no sweep “gone” here: this is “audit”.",
            "There is no setting “fair-scale9” here: this is “fair-scale2”.",
        ]
        driver.get(f"{address.split('/?')[0]}/picture?image=gone")
        assert [note.text for note in find(driver, ".note")] == ["the store has no such picture"]


def test_a_picture_is_enlarged_with_what_was_seen_on_it(address):
    with browser.chromium() as driver:
        driver.get(address)
        view(driver, "Pictures")
        choose(driver, "setting", "fair-scale4")
        choose(driver, "prompt", "nurse")
        link = driver.current_url
        find(driver, ".pair:nth-child(3) figure:last-child a")[0].click()
        until(lambda: find(driver, ".enlarged img"))
        text = find(driver, ".enlarged")[0].text
        for part in (
            "a photo of the face of a nurse",
            "seed\n2",
            "fair-scale4",
            "female (gender)",
            "portraits",
            "second",
        ):
            assert part in text, part
        assert "40 %" in text, "the second classifier's score of seed 2"
        until(lambda: driver.execute_script("return document.querySelector('.enlarged img').naturalWidth") == 16)
        assert [sibling.text for sibling in find(driver, ".siblings li")] == ["none", "fair-scale2", "fair-scale4"]
        driver.find_element("link text", "none").click()
        until(lambda: "steered to" not in find(driver, ".enlarged")[0].text)
        by_id(driver, "back").click()
        until(lambda: driver.current_url == link)
        assert browser.errors(driver) == []


def test_first_content_is_light(address):
    """What the first page and its pictures take from the server: the page names no picture of another page."""
    with browser.chromium() as driver:
        driver.get(address)
        asked = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        asked += ".map(entry => [entry.name, entry.transferSize])"
        entries = dict(driver.execute_script(asked))
        assert sum(entries.values()) < 100_000 and not [name for name in entries if "/small/" in name]
        view(driver, "Pictures")
        choose(driver, "size", "12")
        assert len(find(driver, ".pair img")) == len(find(driver, ".pair img[loading=lazy]")) == 24


def test_app_by_keyboard(address, sql):
    with browser.chromium() as driver:
        driver.get(address)
        # Tab goes over the views and stays on the one that is shown, however often it is pressed.
        for _ in range(15):
            type_keys(driver, Keys.TAB)
        assert find(driver, "nav [aria-current=page]")[0].text == "Shares"
        driver.get(driver.current_url)
        tab_to(driver, lambda element: element.get_attribute("id") == "prompt")
        type_keys(driver, "n")
        until(lambda: [row.text.split()[0] for row in find(driver, ".shares tbody tr")] == ["nurse"])
        until(lambda: focused(driver).get_attribute("id") == "prompt")  # The control keeps the focus.
        driver.execute_script("document.activeElement.blur(); document.querySelector('h1').scrollIntoView()")
        driver.get(driver.current_url)
        tab_to(driver, lambda element: element.text == "Pictures")
        type_keys(driver, Keys.ENTER)
        rows = walls(sql, "flips", setting="fair-scale2", prompt="nurse")
        until(lambda: len(find(driver, ".pair")) == len(rows) == 8)
        tab_to(driver, lambda element: element.get_attribute("id") == "order")
        type_keys(driver, "f")
        until(lambda: shown(driver) == [row["image_id"] for row in rows])

        view(driver, "SQL")
        tab_to(driver, lambda element: element.get_attribute("id") == "query")
        query = (
            "select prompt_name, setting, sum(count)::int as n, max(share) as most from share "
            "where n > 4 group by all order by all"
        )
        ask(driver, query)
        wanted = sql.sql(query).fetchall()

        def table() -> list[tuple]:
            cells = [row.find_elements("css selector", "td") for row in find(driver, "main table tbody tr")]
            return [(row[0].text, row[1].text, int(row[2].text), float(row[3].text)) for row in cells]

        until(lambda: len(find(driver, "main table tbody tr")) == len(wanted) == 9)
        until(lambda: table() == [(*row[:3], pytest.approx(row[3], abs=0.001)) for row in wanted])
        assert "9 rows" in find(driver, ".pager")[0].text
        ask(driver, "select nonsense")
        until(lambda: any("nonsense" in note.text for note in find(driver, "pre.note")))
        tab_to(driver, lambda element: element.text == "Run")
        assert browser.errors(driver) == []


def ask(driver, query: str) -> None:
    """Replace the query in the editor and run it, by keys alone."""
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(query).perform()
    ActionChains(driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()


def test_a_long_answer_has_pages_and_is_saved_whole(address, tmp_path):
    with browser.chromium() as driver:
        driver.get(address)
        driver.get(f"{address.split('/?')[0]}/sql?query=select+range+as+n+from+range(250)&page=3")
        assert [cell.text for cell in find(driver, "main table tbody td")] == [str(n) for n in range(200, 250)]
        assert "250 rows" in find(driver, ".pager")[0].text and not find(driver, "#next")
        saved = downloaded(driver, tmp_path, "Download this answer")
        assert [row["n"] for row in saved] == [str(n) for n in range(250)]
        driver.find_element("css selector", "details summary").click()
        driver.find_element("link text", "mcnemar").click()
        until(lambda: 'from "mcnemar"' in by_id(driver, "query").get_attribute("value"))
        assert find(driver, "main table thead th")


def test_app_without_a_script(address):
    with browser.chromium() as driver:
        driver.get(address)
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        driver.get(driver.current_url)
        Select(by_id(driver, "prompt")).select_by_visible_text("nurse")
        find(driver, "button.show")[0].click()
        until(lambda: [row.text.split()[0] for row in find(driver, ".shares tbody tr")] == ["nurse"])


@pytest.mark.parametrize("width", [390, 1280])
def test_app_fits_its_screen_in_the_dark(address, width):
    with browser.chromium(width=width, dark=True) as driver:
        driver.get(address)
        assert find(driver, ".shares tbody tr") and browser.overflow(driver) == 0
        view(driver, "Pictures")
        assert find(driver, ".pair") and browser.overflow(driver) == 0
        find(driver, ".pair a")[0].click()
        until(lambda: find(driver, ".enlarged"))
        assert browser.overflow(driver) == 0
        view(driver, "SQL")
        driver.get(f"{driver.current_url}&query=from+share")
        assert find(driver, "main table") and browser.overflow(driver) == 0
        assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"
        assert browser.errors(driver) == []


def test_text_cannot_become_part_of_the_page(tmp_path):
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    link = "https://example.org/picture.png"
    hostile = build(tmp_path, prompts=(evil, link), models=(evil,), settings=("none", evil), seeds=2)
    with browser.chromium() as driver, served("explore", hostile) as (_, (address,)):
        driver.get(address)
        assert evil in [row.find_element("tag name", "th").text for row in find(driver, ".shares tbody tr")]
        view(driver, "Pictures")
        assert len(find(driver, ".pair")) == 4
        find(driver, ".pair a")[0].click()
        until(lambda: find(driver, ".enlarged"))
        view(driver, "SQL")
        by_id(driver, "query").click()
        ask(driver, "select distinct model, setting, prompt, prompt_name from plan")
        until(lambda: len(find(driver, "main table tbody tr")) == 4)
        assert "explorer" in driver.title and not find(driver, "img[src=x]")
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []


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


def test_the_key_is_this_users_alone_and_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = key.of_this_user()
    assert key.of_this_user() == made and len(made) >= 32
    assert (tmp_path / "fairsweep" / "explorer-key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "fairsweep" / "explorer-key"))
    assert key.of_this_user() != made, "where nothing can be kept, a new one each time"


@pytest.mark.parametrize(
    "size", ["page=9" * 3, "page=x", "page=-1", "size=7", "order=;drop", "group=nobody", "beside=no"]
)
def test_nonsense_in_an_address_is_the_first_page(store, address, size):
    with requests.Session() as session:
        session.get(address)
        answer = session.get(f"{address.split('/?')[0]}/pictures?{size}")
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"] == explorer.POLICY


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
