"""What the report shows of several sweeps, of imports, of variables and of edits."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fairsweep import cli
from fairsweep.measure.catalogue import connect
from fairsweep.pages import report
from fairsweep.store import Store
from support import browser
from support.synthetic import build, write_labels, write_plan


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
    assert "as read by the classifier portraits, imported," in html
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
