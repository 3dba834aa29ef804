"""Look at the explorer as tests do: its store and its address as fixtures, what it fetches, its controls in a browser.

Looking changes nothing, so that all tests share one store and one server.
"""

import csv
import dataclasses
import io
import os

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fairsweep.pages import explore
from fairsweep.store import Store
from support.pages import served, until
from support.synthetic import build, image_id, write_labels, write_plan

CHOICE = explore.Choice("audit", "m", "fair-scale4", "gender", "portraits")


@pytest.fixture(scope="session")
def explorer_store(tmp_path_factory) -> Store:
    """Return a store of two sweeps, the older one small; a second classifier reads two prompts of the other."""
    store = build(tmp_path_factory.mktemp("explorer") / "store")
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


@pytest.fixture(scope="session")
def explorer_sql(explorer_store):
    """Return a connection as the explorer has it."""
    return explore.connect(str(explorer_store.root))


@pytest.fixture(scope="session")
def explorer_address(explorer_store):
    """Yield the address that `fairsweep explore` prints, key and all."""
    with served("explore", explorer_store) as (_, (address,)):
        yield address


def walls(sql, order="seed", start=0, size=100, filters=explore.NONE, **choice) -> list[dict]:
    """Return the rows of a wall of pictures."""
    explore.gather(sql, dataclasses.replace(CHOICE, **choice))
    return explore.pairs(sql, order, start, size, filters)


def find(driver, selector: str) -> list:
    """List the elements that a selector names."""
    return driver.find_elements("css selector", selector)


def by_id(driver, name: str):
    """Return the element of an id."""
    return driver.find_element("id", name)


def choose(driver, name: str, option: str) -> None:
    """Choose in a control and wait until the page is that of its address."""
    before = find(driver, "main")[0]
    Select(by_id(driver, name)).select_by_visible_text(option)
    until(lambda: before != find(driver, "main")[0])


def tick(driver, selector: str) -> None:
    """Click in a control and wait until the page is that of its address."""
    before = find(driver, "main")[0]
    find(driver, selector)[0].click()
    until(lambda: before != find(driver, "main")[0])


def view(driver, name: str) -> None:
    """Go to a view by its name."""
    # What the page replaces between the finding and the click is looked for again.
    until(lambda: driver.find_element("link text", name).click() or True)
    until(lambda: find(driver, "nav [aria-current=page]")[0].text == name)


def focused(driver):
    """Return what has the focus."""
    return driver.switch_to.active_element


def type_keys(driver, *keys) -> None:
    """Press keys where the focus is."""
    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver, wanted) -> None:
    """Press Tab until what has the focus is `wanted`."""
    for _ in range(30):
        type_keys(driver, Keys.TAB)
        if until(lambda: [wanted(focused(driver))])[0]:
            return
    raise AssertionError("Tab does not lead there")


def plotted(driver) -> list[str]:
    """List the rows of the shares, as text."""
    return [row.get_attribute("textContent") for row in find(driver, ".shares tbody tr")]


def shown(driver) -> list[str]:
    """List the ids of the pictures that are shown, in their order."""
    return [pair.get_attribute("data-image") for pair in find(driver, ".pair")]


def all_pictures_loaded(driver) -> bool:
    """Tell whether each picture is there, those below the screen too."""
    script = "arguments[0].loading = 'eager'; return arguments[0].naturalWidth"
    return all(driver.execute_script(script, image) for image in find(driver, ".pair img"))


def downloaded(driver, folder, label: str) -> list[dict]:
    """Follow a link to a CSV file by keys, and return its rows."""
    behavior = {"behavior": "allow", "downloadPath": str(folder)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    driver.find_element("link text", label).send_keys(Keys.ENTER)
    (file,) = until(lambda: list(folder.glob("*.csv")))
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def ask(driver, query: str) -> None:
    """Replace the query in the editor and run it, by keys alone."""
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(query).perform()
    ActionChains(driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
