"""The report as a page: one file that holds what the views say, in a real browser, on paper and on a phone."""

import html
import json
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fairsweep import cli, shipped
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support import browser
from support.synthetic import build, write_labels, write_plan

EVIL = "<script>document.title='broken'</script>"
NOTES = "<img src=x onerror=\"document.title='broken'\"> & all"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = build(tmp_path_factory.mktemp("report"), prompts=("doctor", "nurse", EVIL), models=("m", "n"))
    (store.root / "specs").mkdir(exist_ok=True)
    spec = {"name": "audit", "notes": NOTES, "classifiers": [{"name": "portraits"}]}
    (store.root / "specs" / "audit.json").write_text(json.dumps({"fingerprint": "abc", "spec": spec}))
    return store


@pytest.fixture(scope="module")
def page(store, tmp_path_factory):
    own = store.root / "metrics"
    own.mkdir()
    header = "-- Counts <b>planned</b> images.\n-- one row per: sweep\n"
    (own / "planned_here.sql").write_text(header + "select sweep, count(*) as planted from plan group by 1")
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert cli.run(["report", "--store", str(store.root), "-o", str(path)]) == 0
    return path


def test_page_is_one_file_with_one_script_of_its_own_and_no_addresses_to_load(page):
    html = page.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script(.*?)</script", html, re.DOTALL)
    assert script == ">" + (shipped.path("dashboards") / "report" / "page.js").read_text(encoding="utf-8")
    assert "script-src 'sha256-" in html and "default-src 'none'" in html
    assert "<img src=x" not in html and "<b>planned" not in html
    assert not re.search(r'(src|href)="(?!data:|#|https://arxiv\.org)', html)
    assert "&lt;script&gt;" in html and "planned_here" in html and "fairsweep sql" in html


def test_models_side_by_side_are_first_unguided_and_say_which_distance(page):
    html = page.read_text(encoding="utf-8")
    titles = re.findall(r"<h3>(gender, .*?): models by distance to target</h3>", html)
    assert titles == ["gender, none", "gender, fair-scale2", "gender, fair-scale4"]
    boards = re.findall(r"models by distance to target</h3>(.*?)</table>", html, re.DOTALL)
    assert len(boards) == 6 and all("without what chance adds" in board for board in boards)


def test_page_in_a_browser(page, store):
    connection = connect(store)
    expected = connection.execute(
        """select prompt_name, share, low, high from share
        where model = 'm' and setting = 'none' and attribute = 'gender' and "group" = 'female'"""
    ).fetchall()
    with browser.chromium() as driver:
        driver.get(page.as_uri())
        assert driver.title == "audit · fairsweep report"
        rows = {}
        for line in driver.find_elements(By.CSS_SELECTOR, "h3#shares-1 + table tbody tr"):
            rows[line.find_element(By.TAG_NAME, "th").text] = line.find_element(By.CSS_SELECTOR, "td.say").text
        for prompt, value, low, high in expected:
            assert f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" in rows[prompt]
        assert driver.find_element(By.TAG_NAME, "h1").rect["y"] < 300
        loaded = "i => { i.loading = 'eager'; return i.decode().then(() => i.naturalWidth) }"
        widths = driver.execute_async_script(f"Promise.all([...document.images].map({loaded})).then(arguments[0])")
        assert len(widths) >= 3 * 3 * 6 and min(widths) > 0

        before = driver.find_element(By.ID, "shares").text
        setting = driver.find_element(By.CSS_SELECTOR, "input[name=s]:checked")
        setting.send_keys(Keys.ARROW_LEFT if setting.get_attribute("id") != "s0" else Keys.ARROW_RIGHT)
        assert driver.find_element(By.ID, "shares").text != before
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []


def test_each_attribute_has_its_own_order_of_prompts(tmp_path):
    """All doctors are men of two skin tones, nurses are of both genders and one tone: guidance changes both."""
    tones, genders = ("light", "dark"), ("female", "male")
    labels = [
        {"prompt": prompt, "setting": setting, "seed": seed, "gender": gender, "skin_tone": tone}
        for setting in ("none", "fair")
        for seed in range(8)
        for prompt, gender, tone in (
            ("doctor", "male" if setting == "none" else genders[seed % 2], tones[seed % 2]),
            ("nurse", genders[seed % 2], "light" if setting == "none" else tones[seed % 2]),
        )
    ]
    store = Store(tmp_path)
    write_plan(store, labels, {"gender": genders, "skin_tone": tones})
    write_labels(store, labels, {"gender": genders, "skin_tone": tones})
    assert cli.run(["report", "--store", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 0
    read = "return [...document.querySelectorAll('.shares tbody[data-prompts]')].map("
    read += "list => [...list.children].map(item => item.dataset.prompt))"
    with browser.chromium() as driver:
        driver.get((tmp_path / "report.html").as_uri())
        assert driver.execute_script(read) == [["doctor", "nurse"], ["nurse", "doctor"]]
        for order, wanted in (
            ("name", [["doctor", "nurse"]] * 2),
            ("change", [["doctor", "nurse"], ["nurse", "doctor"]]),
        ):
            choice = driver.find_element(By.CSS_SELECTOR, f".find option[value={order}]")
            choice.click()
            assert driver.execute_script(read) == wanted


def test_every_table_fits_the_printed_page(page):
    with browser.chromium(width=718) as driver:
        driver.get(page.as_uri())
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        wide = "return [...document.querySelectorAll('section:not(#metrics) table')].filter("
        wide += "t => t.getClientRects().length && t.getBoundingClientRect().right > innerWidth).length"
        assert driver.execute_script(wide) == 0


def test_paper_is_light_whatever_the_screen_is(page):
    with browser.chromium(dark=True) as driver:
        driver.get(page.as_uri())
        ink = "return getComputedStyle(document.body).color"
        assert driver.execute_script(ink) == "rgb(236, 238, 241)"
        assert browser.printed(driver) > 1 and driver.execute_script(ink) == "rgb(27, 29, 34)"


def test_page_on_a_phone_in_the_dark(page):
    with browser.chromium(width=390, dark=True) as driver:
        driver.get(page.as_uri())
        assert browser.overflow(driver) == 0
        dark = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert dark == "rgb(21, 23, 27)"
        driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        assert driver.switch_to.active_element.text == "Skip to the answer"


@pytest.mark.parametrize("label", ["no_face", None], ids=["no face", "nothing made"])
def test_a_setting_without_any_label(label, tmp_path):
    """A sweep that was cut off before a setting and guidance that leaves no face have a report all the same."""
    groups = ("female", "male")
    labels = [{"seed": seed, "gender": groups[seed % 4 == 0], "skin_tone": "light"} for seed in range(8)]
    guided = [{"setting": "fair", "seed": seed, "scale": 2.0, "gender": label, "skin_tone": label} for seed in range(8)]
    store = Store(tmp_path)
    write_plan(store, labels + guided)
    write_labels(store, labels + (guided if label else []))
    assert cli.run(["report", "--store", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 0
    assert "m, fair: no image has a recognised skin tone so far." in (tmp_path / "report.html").read_text()


def test_every_query_of_the_page_runs_in_a_client(page, store):
    queries = re.findall(r"<pre><code>(.*?)</code></pre>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) > 30
    connection = connect(store)
    for query in queries:
        connection.execute(html.unescape(query)).fetchall()


def test_checks_hold_what_the_views_say(page, store):
    """Flips, missing groups, corrections and costs on the page are the rows of their views."""
    with browser.chromium() as driver:
        driver.get(page.as_uri())
        shown = {
            table.get_attribute("aria-label").removesuffix(", table"): table.find_elements(By.CSS_SELECTOR, "tbody tr")
            for table in driver.find_elements(By.CSS_SELECTOR, "#checks .scroll")
        }
        counts = {title: len(rows) for title, rows in shown.items()}
        costs = [row.text for row in shown["Cost"]]
    sql = connect(store)
    assert counts["Flips"] == sql.sql("from mcnemar where prompt is null").shape[0]
    assert counts["All prompts together"] == sql.sql("from cell_test").shape[0]
    assert counts["Differences of models"] == sql.sql("from model_comparison").shape[0]
    assert counts["Images without a group"] == min(10, sql.sql("from missing_share where missing_share > 0").shape[0])
    assert counts["Corrected for classifier error"] == sql.sql("from corrected_share where prompt is null").shape[0]
    for model, setting, images, speed in sql.sql(
        "select model, setting, images, images_per_second from cost"
    ).fetchall():
        (line,) = [line for line in costs if line.startswith(f"{model} {setting} {images} ")]
        assert f" {speed:.3f} " in f"{line} "


def test_unknown_sweep_and_store_are_one_clear_line(store, tmp_path, capsys):
    assert cli.run(["report", "--store", str(store.root), "--sweep", "nope"]) == 2
    assert "holds no sweep 'nope': choose one of audit" in capsys.readouterr().err
    assert cli.run(["report", "--store", str(tmp_path / "none")]) == 2
    assert "there is no store at" in capsys.readouterr().err


def wide(driver, selector: str) -> int:
    """Return by how many pixels what a selector finds is wider than its place."""
    element = driver.find_element(By.CSS_SELECTOR, selector)
    return driver.execute_script("return arguments[0].scrollWidth - arguments[0].clientWidth", element)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_column_of_the_settings_is_on_screen(page, width):
    with browser.chromium(width=width) as driver:
        driver.get(page.as_uri())
        assert wide(driver, "#settings .scroll") == 0
        cells = driver.find_elements(By.CSS_SELECTOR, "#settings tbody tr:first-child td")
        assert len(cells) >= 10
        assert all(cell.is_displayed() and cell.rect["x"] + cell.rect["width"] <= width for cell in cells)


def test_distances_and_shares_have_one_unit(page, store, capsys):
    """Per cent in the headline's findings, in the tables and in the terminal."""
    html = page.read_text(encoding="utf-8")
    (table,) = re.findall(r'aria-label="settings, table">(.*?)</table>', html, re.DOTALL)
    for name in ("distance", "missing"):
        cells = re.findall(rf'data-name="{name}">(.*?)<', table)
        assert cells and all(re.fullmatch(r"[\d.]+ % ?", cell) for cell in cells), cells
    assert re.search(r"mean distance to target \d+ % \[\d+, \d+\] unguided".replace(" %", "\u00a0%"), html)
