"""The explorer's address is all its state: what a link brings back, what it may not name, and who is let in."""

import pytest
import requests
from selenium.webdriver.support.select import Select

from fairsweep.pages import explorer, key
from support import browser
from support.explorer import ask, by_id, choose, find, shown, tick, view
from support.pages import served, until
from support.synthetic import build


def test_a_link_brings_back_what_is_on_screen(explorer_address):
    """Another browser, which was let in before, and Back and Forward."""
    with browser.chromium() as driver:
        driver.get(explorer_address)
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
        driver.get(explorer_address)
        driver.get(link)
        assert shown(driver) == ids
        assert Select(by_id(driver, "order")).first_selected_option.text == "worst prompts"


def test_what_a_link_names_and_is_not_there_is_said(explorer_address):
    with browser.chromium() as driver:
        driver.get(explorer_address)
        driver.get(f"{explorer_address.split('/?')[0]}/shares?sweep=gone&model=m&setting=fair-scale9")
        notes = [note.text for note in find(driver, ".note")]
        assert notes == [
            "There is no sweep “gone” here: this is “audit”.",
            "There is no setting “fair-scale9” here: this is “fair-scale2”.",
        ]
        driver.get(f"{explorer_address.split('/?')[0]}/picture?image=gone")
        assert [note.text for note in find(driver, ".note")] == ["the store has no such picture"]


@pytest.mark.parametrize(
    "size", ["page=9" * 3, "page=x", "page=-1", "size=7", "order=;drop", "group=nobody", "beside=no"]
)
def test_nonsense_in_an_address_is_the_first_page(explorer_store, explorer_address, size):
    with requests.Session() as session:
        session.get(explorer_address)
        answer = session.get(f"{explorer_address.split('/?')[0]}/pictures?{size}")
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"] == explorer.POLICY


def test_the_key_is_this_users_alone_and_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = key.of_this_user()
    assert key.of_this_user() == made and len(made) >= 32
    assert (tmp_path / "fairsweep" / "explorer-key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "fairsweep" / "explorer-key"))
    assert key.of_this_user() != made, "where nothing can be kept, a new one each time"


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
