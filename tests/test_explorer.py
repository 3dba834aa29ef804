"""The explorer in a real browser: each of its controls, by mouse and by keys, on screens of two widths."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fairsweep.pages import explore
from fairsweep.store import Store
from support import browser
from support.explorer import (
    all_pictures_loaded,
    ask,
    build_store,
    by_id,
    choose,
    downloaded,
    find,
    focused,
    plotted,
    shown,
    tab_to,
    tick,
    type_keys,
    view,
    walls,
)
from support.pages import served, until
from support.synthetic import GROUPS


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return build_store(tmp_path_factory.mktemp("explore"))


@pytest.fixture(scope="module")
def sql(store):
    return explore.connect(str(store.root))


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
        # On paper what can only be clicked is left out.
        assert find(driver, ".bar nav")[0].is_displayed()
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert not find(driver, ".bar nav")[0].is_displayed()
        assert browser.errors(driver) == []
