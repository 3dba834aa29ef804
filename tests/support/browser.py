"""Drive a headless Chromium in tests, and tell what it asked for and complained about."""

import base64
import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


@contextmanager
def chromium(width: int = 1280, height: int = 900, dark: bool = False):
    """Yield a selenium driver with a fresh profile; skip the test where no browser is installed."""
    if not BROWSER or not DRIVER:
        pytest.skip("no browser: install chromium and chromium-driver (Debian) to check the pages in one")
    from selenium import webdriver

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = BROWSER
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        try:
            # A headless window is never narrower than 500 px; the emulated screen of a phone is.
            screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            yield driver
        finally:
            driver.quit()


def errors(driver) -> list[str]:
    """List what the page wrote to the console as an error since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def foreign_requests(driver) -> list[str]:
    """List the addresses beyond this machine that the page asked for, and was let to, since the last call."""
    sent = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    refused = {m["params"]["requestId"] for m in sent if m["params"].get("blockedReason") == "csp"}
    asked = [m["params"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    urls = [request["request"]["url"] for request in asked if request["requestId"] not in refused]
    urls += [m["params"]["url"] for m in sent if m["method"] == "Network.webSocketCreated"]
    return [url for url in urls if not _local(url)]


def overflow(driver) -> int:
    """Return by how many pixels the page is wider than its window."""
    root = "document.documentElement"
    return driver.execute_script(f"return {root}.scrollWidth - {root}.clientWidth")


def printed(driver) -> int:
    """Return how many sheets of A4 the page takes; it is laid out for print from then on, its scheme the same."""
    scheme = driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    data = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})["data"]
    return len(re.findall(rb"/Type /Page\b", base64.b64decode(data)))


def _local(url: str) -> bool:
    parts = urlsplit(url)
    # The browser's own first page asks for things of the browser.
    own = {"chrome", "chrome-untrusted"}
    return parts.scheme in {"data", "blob", "file", "about"} | own or parts.hostname in {"127.0.0.1", "localhost"}
