"""The explorer in a real browser: each of its controls, by mouse and by keys, on screens of two widths."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fairsweep.pages import explore
from support import browser
from support.explorer import (
    all_pictures_loaded,
    ask,
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
from support.pages import until
from support.synthetic import GROUPS, image_id


def test_shares_in_a_browser(explorer_address, explorer_sql, tmp_path):
    with browser.chromium() as driver:
        driver.get(explorer_address)
        assert "access_token" not in driver.current_url
        expected = explorer_sql.sql(
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


def test_pictures_in_a_browser(explorer_address, explorer_sql, tmp_path):
    with browser.chromium() as driver:
        driver.get(explorer_address)
        view(driver, "Pictures")
        choose(driver, "setting", "fair-scale4")
        for order in explore.ORDERS:
            if order != "seed":
                choose(driver, "order", order)
            rows = walls(explorer_sql, order, size=24)
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
            assert shown(driver) == [row["image_id"] for row in walls(explorer_sql, "flips", filters=filters)]
            tick(driver, f"#{name}")
        choose(driver, "group", "female")
        rows = walls(explorer_sql, "flips", filters=explore.Filters(group="female"))
        assert shown(driver) == [row["image_id"] for row in rows]
        choose(driver, "prompt", "nurse")
        rows = walls(explorer_sql, "flips", filters=explore.Filters(group="female"), prompt="nurse")
        assert shown(driver) == [row["image_id"] for row in rows]

        tick(driver, "#beside1")
        names = [caption.text.split("\n")[0].split(" ")[0] for caption in find(driver, ".pair:first-child figcaption")]
        assert names == ["unguided", "fair-scale4", "fair-scale2"]
        assert browser.errors(driver) == [] and browser.foreign_requests(driver) == []


def test_a_picture_is_enlarged_with_what_was_seen_on_it(explorer_address):
    with browser.chromium() as driver:
        driver.get(explorer_address)
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


def test_first_content_is_light(explorer_address):
    """What the first page and its pictures take from the server: the page names no picture of another page."""
    with browser.chromium() as driver:
        driver.get(explorer_address)
        asked = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        asked += ".map(entry => [entry.name, entry.transferSize])"
        entries = dict(driver.execute_script(asked))
        assert sum(entries.values()) < 100_000 and not [name for name in entries if "/small/" in name]
        view(driver, "Pictures")
        choose(driver, "size", "12")
        assert len(find(driver, ".pair img")) == len(find(driver, ".pair img[loading=lazy]")) == 24


def test_app_by_keyboard(explorer_address, explorer_sql):
    with browser.chromium() as driver:
        driver.get(explorer_address)
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
        rows = walls(explorer_sql, "flips", setting="fair-scale2", prompt="nurse")
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
        wanted = explorer_sql.sql(query).fetchall()

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


def test_a_long_answer_has_pages_and_is_saved_whole(explorer_address, tmp_path):
    with browser.chromium() as driver:
        driver.get(explorer_address)
        driver.get(f"{explorer_address.split('/?')[0]}/sql?query=select+range+as+n+from+range(250)&page=3")
        assert [cell.text for cell in find(driver, "main table tbody td")] == [str(n) for n in range(200, 250)]
        assert "250 rows" in find(driver, ".pager")[0].text and not find(driver, "#next")
        saved = downloaded(driver, tmp_path, "Download this answer")
        assert [row["n"] for row in saved] == [str(n) for n in range(250)]
        driver.find_element("css selector", "details summary").click()
        driver.find_element("link text", "mcnemar").click()
        until(lambda: 'from "mcnemar"' in by_id(driver, "query").get_attribute("value"))
        assert find(driver, "main table thead th")


def test_app_without_a_script(explorer_address):
    with browser.chromium() as driver:
        driver.get(explorer_address)
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        driver.get(driver.current_url)
        Select(by_id(driver, "prompt")).select_by_visible_text("nurse")
        find(driver, "button.show")[0].click()
        until(lambda: [row.text.split()[0] for row in find(driver, ".shares tbody tr")] == ["nurse"])


@pytest.mark.parametrize("width", [390, 1280])
def test_app_fits_its_screen_in_the_dark(explorer_address, width):
    with browser.chromium(width=width, dark=True) as driver:
        driver.get(explorer_address)
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


def test_app_on_paper(explorer_address):
    """Dark ink of a dark screen too, without what can only be clicked, a picture with its labels on one page."""
    with browser.chromium(dark=True) as driver:
        driver.get(explorer_address)
        base = explorer_address.split("/?")[0]
        for address, least in {
            "shares": ".shares tbody tr",
            "pictures": ".pair",
            f"picture?image={image_id('audit', 'm', 'fair-scale4', 'nurse', 2)}": ".enlarged img",
            "sql?query=select+*+from+share+limit+9": "main table",
        }.items():
            driver.get(f"{base}/{address}")
            assert find(driver, ".bar nav")[0].is_displayed()
            until(lambda: all_pictures_loaded(driver))
            pages = browser.printed(driver)
            assert pages == 1 or address == "pictures", (address, pages)
            assert find(driver, least)[0].is_displayed()
            for clicked in (".bar nav", ".pager", "button", ".button", ".back", "details", "label[for=query]"):
                assert not any(element.is_displayed() for element in find(driver, clicked)), (address, clicked)
            ink = driver.execute_script("return getComputedStyle(document.body).color")
            assert ink == "rgb(27, 29, 34)"
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
