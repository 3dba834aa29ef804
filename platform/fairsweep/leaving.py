"""End a process where Python's part of it ends, before its native libraries take themselves apart."""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn


class Leaving:
    """Leave, once Python's exit handlers have run, with the exit status `code`: 1 until somebody sets it.

    Ray exports metrics in a thread of its own, which may log while the C++ logger is being torn down: now and then a
    process that has done all its work ends with a segmentation fault. DuckDB's binding complains there about its own
    constants. Nothing that a user waits for happens at that point, and so it is left out. To be made before
    anything else registers an exit handler: the first one registered is the last one called.
    """

    def __init__(self) -> None:
        self.code = 1
        atexit.register(self._leave)

    def _leave(self) -> None:
        leave(self.code)


def leave(code: int) -> NoReturn:
    """End the process at once with this exit status; what was printed is written."""
    for stream in (sys.stdout, sys.stderr):
        # None where a daemon started the process without it.
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)
