"""fairsweep as a user has it: a wheel, installed into an environment of its own, used by its command line."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
from contextlib import contextmanager
from pathlib import Path

import requests

from support.docs import NOT_HERE, ROOT, commands

_SERVERS = ("fairsweep ui", "fairsweep explore")
# What opens a browser on a desktop, and here writes down which page it was asked for.
_BROWSER = '#!/bin/sh\necho "$1" >> opened.txt\n'


class Installed:
    """The wheel of this checkout in an environment that has the other packages of this one."""

    def __init__(self, folder: Path):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        wheels, self.home = folder / "wheels", folder / "environment"
        subprocess.run(
            [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT], check=True, cwd=folder
        )
        (self.wheel,) = wheels.glob("*.whl")
        venv.create(self.home, symlinks=True)
        self.bin = self.home / "bin"
        subprocess.run([*pip, "--python", self.bin / "python", "install", "--no-deps", self.wheel], check=True)
        packages = next(self.home.glob("lib/*/site-packages"))
        (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
        opener = self.bin / "xdg-open"
        opener.write_text(_BROWSER)
        opener.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of a user's shell, in which this `fairsweep` is the first."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FAIRSWEEP_STORE")}
        return kept | {"PATH": os.pathsep.join([str(self.bin), os.environ["PATH"]]), "COLUMNS": "120"} | more

    def run_page(
        self,
        page: str,
        folder: Path,
        codes: dict[str, int] | None = None,
        instead: dict[str, str] | None = None,
        **more: str,
    ) -> str:
        """Run the command lines of a page in a folder, as written and in their order; return what they print.

        codes: the exit code that a line ends with, where it is not 0. instead: a line that takes too long as written,
        and what runs in its place. more: variables of the shell. What cannot run here is left out.
        """
        printed = ""
        for line in commands(page):
            if line.startswith(_SERVERS):
                self._visit(line, folder, more)
            elif line not in NOT_HERE:
                printed += self.run((instead or {}).get(line, line), folder, (codes or {}).get(line, 0), **more)
        return printed

    def run(self, line: str, folder: Path, code: int = 0, **more: str) -> str:
        """Run a command line in a folder; check its exit code, and return what it prints."""
        environment = self.environment(**more)
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def _visit(self, line: str, folder: Path, more: dict[str, str]) -> None:
        """Start a server, on a free port in the place of its own, open the page that it opens, and press Ctrl-C."""
        server = subprocess.Popen(
            [*line.split(), "--port", "0"], cwd=folder, env=self.environment(**more), stdout=subprocess.PIPE, text=True
        )
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+\S*", server.stdout.readline())[0]
            assert requests.get(address, timeout=60).status_code == 200, line
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0, line
        assert address in (folder / "opened.txt").read_text(), line

    @contextmanager
    def cluster(self):
        """Yield the address of a Ray cluster of two CPUs whose actors run what is installed."""
        code = "from support.clusters import start_cluster; cluster = start_cluster({'num_cpus': 2});"
        code += "print(cluster.address, flush=True); input(); cluster.shutdown()"
        tests = {"PYTHONPATH": str(ROOT / "tests")}
        started = subprocess.Popen(
            [self.bin / "python", "-c", code],
            env=self.environment(**tests),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield started.stdout.readline().strip()
        finally:
            started.communicate("\n", timeout=60)
