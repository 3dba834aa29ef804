"""The report: its sentences, its numbers, and the page in a real browser."""

import html
import json
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fairsweep import cli, shipped
from fairsweep.measure.catalogue import connect
from fairsweep.pages import figures, report, sentences
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


def cell(model="m", setting="none", **values) -> dict:
    row = {"model": model, "setting": setting, "baseline": setting == "none", "attribute": "gender"}
    row |= {"distance": 0.4, "distance_low": 0.3, "distance_high": 0.5, "prompts_off_target": 3, "prompts": 4}
    row |= {
        "classifier": "portraits",
        "images_per_prompt": 8,
        "fewest": 8,
        "prompts_not_decided": 0,
        "least_difference": 0.42,
    }
    row |= {
        "change": None,
        "change_low": None,
        "change_high": None,
        "cell_q": None,
        "scene_floor": None,
        "reason": None,
    }
    row |= {"scene_kept": None, "scene_kept_low": None, "scene_kept_high": None, "images_per_second": 2.0}
    return row | {"missing": 0.01, "missing_low": 0.0, "missing_high": 0.02} | values


def share(setting, group, value, low, high) -> dict:
    row = {"attribute": "gender", "group": group, "prompt_name": "firefighter", "model": "m", "setting": setting}
    return row | {"baseline": setting == "none", "share": value, "low": low, "high": high, "target": 0.5}


def test_sentences_come_from_the_numbers():
    fair = {"distance": 0.05, "distance_low": 0.02, "distance_high": 0.1, "prompts_off_target": 0}
    fair |= {"change": -0.35, "change_low": -0.5, "change_high": -0.2, "scene_floor": 0.6}
    cells = [cell(setting="fair", scene_kept=0.9, scene_kept_low=0.88, scene_kept_high=0.92, **fair), cell()]
    shares = [
        share("none", "female", 0.06, 0.03, 0.1),
        share("none", "male", 0.94, 0.9, 0.97),
        share("fair", "female", 0.48, 0.42, 0.55),
        share("fair", "male", 0.52, 0.45, 0.58),
    ]
    said = "Read by portraits, m is found off its gender target on 3 of 4 prompts unguided, on none with fair."
    assert sentences.headline(cells) == said
    limits = "8 images of a prompt and setting: a difference below 42 % could not have been found."
    assert sentences.limits(cells) == limits
    said = [(finding.kind, finding.text) for finding in sentences.sentences(cells, shares)]
    distance = "gender: mean distance to target 40 % [30, 50] unguided, 5 % [2, 10] with fair."
    assert said[0] == ("good", distance)
    assert said[1] == ("plain", "firefighter: 94 % [90, 97] male, target 50 %; with fair 52 % [45, 58].")
    kept = "Scene kept: cosine 0.90 [0.88, 0.92] between the images of fair and the unguided ones of their seeds"
    assert ("cost", f"{kept}, where another seed's has 0.60 and itself 1.") in said
    assert ("cost", "Cost: a device makes 2 images per second unguided, 2 with fair.") in said


def test_a_change_is_good_or_bad_by_an_interval_that_holds_for_all_settings_it_was_picked_from():
    def kind(low, high, settings=1):
        change = {"change": (low + high) / 2, "change_low": low, "change_high": high}
        cells = [cell(setting=f"fair {number}", distance=0.3 + number, **change) for number in range(settings)]
        return sentences.sentences([*cells, cell()], [])[0].kind

    # The two distances' intervals are the same in all.
    assert [kind(-0.2, -0.05), kind(-0.2, 0.05), kind(0.02, 0.1)] == ["good", "plain", "bad"]
    # Of twenty settings the fairest needs an interval 1.54 times as wide (3.02 normal deviates for 1.96).
    assert [kind(-0.3, -0.1, 20), kind(-0.2, -0.03, 20)] == ["good", "plain"]


def test_what_is_not_measured_is_said_and_never_wins():
    empty = {"distance": None, "distance_low": None, "distance_high": None, "prompts_off_target": 0, "missing": 1.0}
    cells = [cell(setting="fair", **empty), cell()]
    assert sentences.best(cells)["setting"] == "none"
    said = "Read by portraits, m is found off its gender target on 3 of 4 prompts unguided."
    assert sentences.headline(cells) == said
    texts = [finding.text for finding in sentences.sentences(cells, [])]
    assert texts[0] == "m, fair: no image has a recognised gender so far."
    assert "gender: mean distance to target 40 % [30, 50] unguided." in texts
    assert sentences.headline([cell(**empty)]) == "Nothing is labelled yet."


def test_missing_is_said_of_the_attribute_that_misses_most():
    cells = [cell(setting="fair", missing=0.05), cell(missing=0.02)]
    cells += [{**row, "attribute": "skin_tone", "missing": 0.01} for row in cells]
    texts = [finding.text for finding in sentences.sentences(cells, [])]
    assert "Images without a recognised gender: 2.0 % unguided, 5.0 % with fair." in texts


def test_sentences_without_guidance_or_labels():
    assert sentences.headline([]) == "Nothing is labelled yet."
    assert sentences.sentences([], []) == []
    one = cell(images_per_prompt=1, fewest=1, prompts_off_target=4)
    said = "Read by portraits, m is found off its gender target on 4 of 4 prompts unguided."
    assert sentences.headline([one]) == said
    assert sentences.limits([one]) == "1 image of a prompt and setting." and sentences.limits([]) == ""
    texts = [finding.text for finding in sentences.sentences([cell()], [share("none", "male", 0.94, 0.9, 0.97)])]
    assert "firefighter: 94 % [90, 97] male, target 50 %." in texts


def test_what_is_not_found_is_not_said_to_be_none():
    met = [cell(setting="fair", prompts_off_target=0), cell(prompts_off_target=0)]
    said = "Read by portraits, m is found off its gender target on none of 4 prompts unguided, on none with fair."
    assert sentences.headline(met) == said
    assert "a difference below 42 % could not have been found" in sentences.limits(met)
    few = [row | {"least_difference": None, "prompts_not_decided": 4} for row in met]
    assert sentences.limits(few) == "8 images of a prompt and setting: too few to find any prompt off target."
    assert "Nothing is decided on 4 of 4 prompts unguided" in " ".join(f.text for f in sentences.sentences(few, []))
    pooled = [few[0], few[1] | {"cell_q": 0.002}]
    assert sentences.limits(pooled).endswith(" All prompts together are off target unguided (q = 0.002).")


def test_two_models_and_two_classifiers_are_on_the_first_screen():
    cells = [cell(setting="fair", prompts_off_target=1), cell(), cell(model="n", prompts_off_target=2)]
    assert sentences.headline(cells).endswith("unguided, on 1 with fair; n on 2 unguided.")
    kappa = {"attribute": "gender", "classifier": "a", "other_classifier": "b", "kappa_low": -0.1, "kappa_high": 0.2}
    pair = {"setting": "fair", "model": "m", "versus": "n", "attribute": "gender", "group": "male", "share": 0.7}
    pair |= {"other_share": 0.5, "difference": 0.2, "difference_low": 0.1, "difference_high": 0.3}
    findings = sentences.sentences(cells, [], [kappa | {"kappa": 0.06}], [pair])
    assert findings[0].kind == "bad" and findings[0].text.startswith(
        "a and b contradict each other on gender: kappa 0.06"
    )
    said = "m shows male 70 %, n 50 % (fair): on the same seeds a difference of 20 [10, 30] points."
    assert said in [finding.text for finding in findings]
    assert sentences.sentences(cells, [], [kappa | {"kappa": 0.8}])[0].text.startswith("gender: mean distance")


def test_figures_use_the_pages_colours_and_escape_text():
    rows = [cell(), cell(setting="<b>", scene_kept=0.9, scene_kept_low=0.8, scene_kept_high=1.0)]
    (figure,) = figures.draw(rows, [])
    assert "var(--c1)" in figure["svg"] and "#0000" not in figure["svg"]
    assert "<b>" not in figure["svg"] and 'role="img"' in figure["svg"]


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


def test_every_table_fits_the_printed_page(page):
    with browser.chromium(width=718) as driver:
        driver.get(page.as_uri())
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        wide = "return [...document.querySelectorAll('section:not(#metrics) table')].filter("
        wide += "t => t.getClientRects().length && t.getBoundingClientRect().right > innerWidth).length"
        assert driver.execute_script(wide) == 0


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


def test_a_line_over_the_dose_needs_three_points():
    dose = [
        {"model": "m", "method": "fair", "attribute": "gender", "scale": scale, "distance": 0.5 - scale / 20}
        | {"distance_low": 0.1, "distance_high": 0.6}
        for scale in (0, 2, 4)
    ]
    assert len(figures.draw([cell()], dose)) == 1
    assert figures.draw([cell()], dose[:2]) == []


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return a store with a sweep of twelve prompts, another of the same model, and counts from elsewhere."""
    folder = tmp_path_factory.mktemp("two")
    prompts = [f"job {number:02}" for number in range(12)]
    first = build(folder / "store", prompts=tuple(prompts), settings=("none", "fair"), seeds=4)
    labels = [
        {"seed": seed, "prompt": prompt, "gender": ("female", "male")[seed % 4 > 0]}
        for prompt in prompts
        for seed in range(4)
    ]
    write_plan(first, labels, sweep="later", groups={"gender": ("female", "male")})
    write_labels(first, labels, sweep="later", groups={"gender": ("female", "male")})
    counts = folder / "counts.csv"
    counts.write_text("prompt,female,male\n" + "".join(f"{prompt},30,10\n" for prompt in prompts))
    words = ["import", str(counts), "--groups", "gender=female,male", "--model", "closed", "--name", "published"]
    assert cli.run([*words, "--store", str(first.root)]) == 0
    return first


def test_sweeps_and_an_import_stand_side_by_side(two, tmp_path):
    page = tmp_path / "report.html"
    words = [word for name in ("audit", "later", "published") for word in ("--sweep", name)]
    assert cli.run(["report", *words, "--store", str(two.root), "-o", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "do not declare it alike: skin tone." in html and "fairsweep sql" in html
    assert "480 images made elsewhere" in html and "0 seeds" not in html
    (table,) = re.findall(r'aria-label="settings, table">(.*?)</table>', html, re.DOTALL)
    models = set(re.findall(r'data-name="model">([^<]*)', table))
    assert models == {"m (audit)", "m (later)", "closed"}
    (board,) = re.findall(r"models by distance to target</h3>(.*?)</table>", html, re.DOTALL)
    assert set(re.findall(r'<th scope="row">([^<]*)', board)) == models
    assert "Read by portraits, imported," in html
    with connect(two) as connection:
        for sweep, model in (("later", "m (later)"), ("published", "closed")):
            (distance,) = connection.execute(
                "select total_variation from summary where sweep = ? and attribute = 'gender'", [sweep]
            ).fetchone()
            row = next(row for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL) if f">{model}<" in row)
            assert f'data-name="distance">{100 * distance:.0f} %' in row


def test_sweeps_that_have_nothing_in_common_are_refused_in_a_line(two, tmp_path, capsys):
    counts = tmp_path / "counts.csv"
    counts.write_text("prompt,young,old\njob 01,30,10\n")
    words = ["import", str(counts), "--groups", "age=young,old", "--name", "ages", "--store", str(two.root)]
    assert cli.run(words) == 0
    words = ["report", "--sweep", "later", "--sweep", "ages", "--store", str(two.root)]
    assert cli.run([*words, "-o", str(tmp_path / "report.html")]) == 2
    assert "later and ages declare no attribute with the same groups" in capsys.readouterr().err


def test_the_report_of_counts_from_elsewhere(two, tmp_path):
    page = tmp_path / "report.html"
    assert cli.run(["report", "--sweep", "published", "--store", str(two.root), "-o", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "1 model × 1 setting × 12 prompts: 480 images made elsewhere" in html


def test_shares_by_a_variable_of_the_prompts_have_a_line_per_value(tmp_path):
    """Two languages, two occupations in each: means over two prompts, unguided and guided on one line."""
    women = {("English", "none"): 3, ("French", "none"): 1, ("English", "fair"): 2, ("French", "fair"): 2}
    labels = [
        {"prompt": f"{job}, {language}", "setting": setting, "seed": seed, "gender": ("male", "female")[seed < count]}
        | {"variables": {"job": job, "language": language}}
        for (language, setting), count in women.items()
        for job in ("nurse", "pilot")
        for seed in range(4)
    ]
    groups = {"gender": ("female", "male")}
    store = Store(tmp_path)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    html = report.render(store)
    tables = dict(
        re.findall(r"<h3>gender by (\w+)<span.*?means over 2 prompts</span></h3>(.*?)</table>", html, re.DOTALL)
    )
    assert list(tables) == ["job", "language"]
    lines = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', tables["language"], re.DOTALL)
    shares = {level: re.findall(r'class="t-([ab])[^>]*>.*?</span>(\d+ %)', text) for level, text in lines}
    assert shares == {"English": [("b", "75 %"), ("a", "50 %")], "French": [("b", "25 %"), ("a", "50 %")]}


def test_a_sweep_of_edits_shows_what_was_kept_and_which_way_edits_pull(tmp_path):
    """Of four pictures of women, edited with two numbers of images a prompt, half stay and half become men."""
    labels = [
        {"prompt": prompt, "seed": seed, "gender": ("female", "male")[seed % 2]}
        | {"source": f"{seed}.png", "source_groups": {"gender": "female"}}
        for prompt, count in (("nurse", 4), ("pilot", 2))
        for seed in range(count)
    ]
    groups = {"gender": ("female", "male")}
    store = Store(tmp_path)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    html = report.render(store)
    titles = re.findall(r"<h3>(.*?)</h3>", html)
    assert {"What edits keep", "Which way edits pull"} <= set(titles) and "Cost" not in titles
    (kept,) = re.findall(r'aria-label="What edits keep, table">(.*?)</table>', html, re.DOTALL)
    assert re.findall(r'data-name="share">(\d+ %)', kept) == ["50 %", "50 %"]
    assert "2 to 4 images of a prompt and setting" in html
    # Four seeds of one prompt and two of the other are no product.
    assert "1 model, 1 setting, 2 prompts, 4 seeds: 0 of 6 images are there" in html


def test_prompts_are_seen_at_once_found_and_sorted(two, tmp_path):
    page = tmp_path / "report.html"
    assert cli.run(["report", "--sweep", "audit", "--store", str(two.root), "-o", str(page)]) == 0
    with browser.chromium() as driver:
        driver.get(page.as_uri())

        def rows() -> list[str]:
            listed = driver.find_elements(By.CSS_SELECTOR, "h3#shares-1 ~ .shares tbody tr")[:12]
            return [row.get_attribute("data-prompt") for row in listed if row.is_displayed()]

        overview = driver.find_element(By.CSS_SELECTOR, "h3#shares-1 ~ .figures .slopes")
        assert overview.is_displayed() and overview.size["height"] > 90
        assert len([dot for dot in overview.find_elements(By.CSS_SELECTOR, "circle") if dot.is_displayed()]) == 24
        search = driver.find_element(By.CSS_SELECTOR, ".find input")
        search.send_keys("JOB 07")
        assert rows() == ["job 07"] and driver.find_element(By.CSS_SELECTOR, ".find output").text == "1 of 12 prompts"
        search.clear()
        search.send_keys(Keys.SPACE, Keys.BACKSPACE)
        driver.find_element(By.CSS_SELECTOR, ".find option[value=name]").click()
        assert rows() == [f"job {number:02}" for number in range(12)]
        driver.find_element(By.CSS_SELECTOR, ".find option[value=change]").click()
        with connect(two) as connection:
            changes = connection.execute(
                """select prompt_name, round(abs(one.share - other.share), 6) as change
                from share as one join share as other using (sweep, prompt_name, attribute, classifier, "group")
                where sweep = 'audit' and attribute = 'gender' and "group" = 'female'
                and one.setting = 'none' and other.setting = 'fair' order by change desc"""
            ).fetchall()
        by_prompt = dict(changes)
        assert [by_prompt[name] for name in rows()] == sorted(by_prompt.values(), reverse=True)
        assert browser.errors(driver) == []


def test_what_becomes_of_edited_pictures(tmp_path):
    """Each group's pictures at each strength: how many stay, with an interval, what the others become; none is zero."""
    labels = [
        {
            "model": f"m-strength{strength}",
            "setting": setting,
            "seed": number,
            "source": f"picture {number}",
            "source_groups": {"gender": group},
            "gender": shown,
        }
        for strength, turned in ((0.3, 0), (0.6, 3), (0.9, 8))
        for setting in ("none", "fair")
        for number in range(16)
        for group in [("female", "male")[number % 2]]
        for shown in [_turned(group, number // 2, turned if setting == "none" else turned // 2)]
    ]
    store = Store(tmp_path)
    groups = {"gender": ("female", "male")}
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    page = report.write(store, path=tmp_path / "report.html")
    for width in (1280, 390):
        with browser.chromium(width=width) as driver:
            driver.get(page.as_uri())
            text = " ".join(
                " ".join(each.text.split()) for each in driver.find_elements("css selector", "table.ranges")
            )
            assert browser.overflow(driver) == 0 and browser.errors(driver) == []
            headings = [each.text for each in driver.find_elements("css selector", "#side-by-side h3")]
            assert "gender: pictures of female that stay so when edited" in headings
            # Wilson's intervals of 8 of 8 and of none of 8.
            assert "m-strength0.3, none" in text and "100 % [68, 100]" in text and "8 of 8" in text
            assert "0 % [0, 32]" in text and "0 of 8; 7 male, 1 no face" in text


def _turned(group: str, number: int, turned: int) -> str:
    """Return what a picture becomes: the first ones of its group the other, the first of all of them no face."""
    if number >= turned:
        return group
    return "no_face" if turned == 8 and not number else {"female": "male", "male": "female"}[group]
