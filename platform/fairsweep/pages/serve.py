"""Run a page's server on loopback until the user stops it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fairsweep.errors import FairsweepError

HOST = "127.0.0.1"


def free_port(port: int) -> int:
    """Return this port, or another free one where it is taken."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise FairsweepError(f"no free port on {HOST}: close another server, or name a port with --port")


def run(
    command: Sequence[str],
    port: int,
    announce: Callable[[], None],
    env: Mapping[str, str] | None = None,
) -> None:
    """Start a server, call `announce` once it answers on `port`, and stop it with this process.

    What it prints from then on goes to standard error, so that the output is what `announce` says; what it prints
    before is shown only if it ends before it answers, which raises FairsweepError.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(
        command,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    answers = threading.Event()
    before: list[str] = []
    listener = threading.Thread(target=_listen, args=(server.stdout, answers, before), daemon=True)
    listener.start()
    try:
        while not _answers(port):
            if server.poll() is not None:
                listener.join()
                print(*before, sep="", end="", file=sys.stderr)
                raise FairsweepError(f"the server ended with exit code {server.returncode}; its messages stand above")
            time.sleep(0.1)
        answers.set()
        announce()
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def here(app: Any, port: int, announce: Callable[[], None]) -> None:
    """Serve an ASGI app in this process, call `announce` once it can be reached, and end on Ctrl-C or SIGTERM."""
    import uvicorn

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
        announce()
        # A browser keeps its connections open.
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def _listen(printed: Iterable[str], answers: threading.Event, before: list[str]) -> None:
    """Keep what a server prints before it answers, and pass on the rest."""
    for line in printed:
        if answers.is_set():
            print(line, end="", file=sys.stderr, flush=True)
        else:
            before.append(line)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
