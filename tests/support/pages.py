"""Start a command that serves pages, and find what a page shows, in tests."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from selenium.common.exceptions import StaleElementReferenceException


@contextmanager
def served(command: str, store, lines: int = 1, *options: str):
    """Run `fairsweep COMMAND` over a store on a free port; yield its process and the addresses it prints."""
    call = [sys.executable, "-c", "from fairsweep.cli import main; main()", command, "--headless", "--port", "0"]
    process = subprocess.Popen(
        [*call, "--store", str(store.root), *options], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        said = [process.stdout.readline() for _ in range(lines)]
        yield process, [re.search(r"http://127\.0\.0\.1:\d+\S*", line)[0] for line in said]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(what, seconds: float = 90):
    """Return the first truthy answer of `what`; an element that the page has just replaced is looked for again."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := what():
                return found
        except StaleElementReferenceException:
            pass
        assert time.monotonic() < end
        time.sleep(0.2)
