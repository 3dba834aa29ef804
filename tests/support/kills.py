"""Work that is killed at random moments, and begun again by the same command until it is done."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import psutil

from support import plain

PROCESSES = get_context("forkserver")
# One server starts them all, whoever asks first.
PROCESSES.set_forkserver_preload(["support.worlds", "support.writer"])


def finished(
    work: Callable, roots: Iterable[str], folder: Path, kills: int, longest: float, *args: object
) -> Iterator[str]:
    """Yield each root over which the work came to its end, until it was killed so many times.

    work: takes a root, args, and a file to touch once it begins, after which it is killed in `longest` seconds at most.
    """
    chance, killed = random.Random(kills), 0
    for root in roots:
        while True:
            begun = folder / f"begun-{time.monotonic_ns()}"
            process = PROCESSES.Process(target=work, args=(root, *args, begun))
            process.start()
            while not begun.exists() and process.is_alive():
                time.sleep(0.002)
            process.join(chance.uniform(0, longest) if killed < kills else None)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            killed += 1
        assert process.exitcode == 0
        yield root
        if killed == kills:
            return


class Sweep:
    """`fairsweep run` in a process group of its own, as often as it takes."""

    def __init__(self, spec: Path):
        self._command = [sys.executable, "-m", "fairsweep.cli", "run", str(spec), "--store"]
        self._log = spec.with_suffix(".log")
        self._processes: list[psutil.Process] = []

    def start(self, root: str) -> None:
        self.root, self._before = root, set(plain.listed(root).items())
        with open(self._log, "ab") as log:
            self._run = subprocess.Popen([*self._command, root], stdout=log, stderr=log, start_new_session=True)

    def reached(self, mark: str, chance: random.Random) -> bool:
        """Wait until a run has written what has a mark in its name, and a moment more; tell whether it goes on."""
        while mark and not any(mark in key for key, _ in set(plain.listed(self.root).items()) - self._before):
            if self._run.poll() is not None:
                return False
            time.sleep(0.01)
        # Most of a start is spent on Ray; the other parts of so small a run are short.
        time.sleep(chance.uniform(0, 0.1 if mark else 5))
        return self._run.poll() is None

    def kill(self, victim: str) -> bool:
        """Kill a process, or all; tell whether the run is over with it."""
        children = psutil.Process(self._run.pid).children(recursive=True)
        self._processes += children
        if victim in ("worker", "raylet"):
            name = {"worker": "ray::Generator", "raylet": "raylet"}[victim]
            found = [child for child in children if child.name().startswith(name)]
            if found:
                found[0].kill()
                return victim == "raylet" and self.end() is not None
            victim = "driver"
        if victim == "group":
            os.killpg(self._run.pid, signal.SIGKILL)
        self._run.kill()
        self.end()
        return True

    def end(self) -> int:
        return self._run.wait(timeout=120)

    def close(self) -> None:
        """End what a killed run may have left behind."""
        if self._run.poll() is None:
            self.kill("group")
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @property
    def printed(self) -> str:
        return self._log.read_text()


def run_over(
    sweep: Sweep, roots: Iterator[str], moments: Iterable[tuple[str, str]], chance: random.Random
) -> Iterator[str]:
    """Kill a sweep's runs at each of these moments (what is new in the store by then, whom to kill), one after another.

    Yield each root over which it came to its end; a moment that a run has passed is waited for in the next root.
    """
    killed: list[tuple[str, str]] = []

    def complete() -> str:
        assert sweep.end() == 0, (killed, sweep.printed)
        return sweep.root

    sweep.start(next(roots))
    try:
        for mark, victim in moments:
            while not sweep.reached(mark, chance):
                # The run before had done that part when it was killed.
                yield complete()
                sweep.start(next(roots))
            killed.append((mark, victim))
            if sweep.kill(victim):
                sweep.start(sweep.root)
        yield complete()
    finally:
        sweep.close()
