"""Notice that a run's Ray cluster is gone, where Ray itself waits for ever or ends the process with a C++ stack."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fairsweep.errors import ClusterError
from fairsweep.leaving import leave

_EVERY_SECONDS = 1.0
_TRIES = 2
# A head that keeps its state elsewhere may come back; after a minute Ray itself ends the process.
_PATIENCE_SECONDS = 45.0


@contextmanager
def guarded(own: bool) -> Iterator[None]:
    """End the process with one line as soon as the cluster that this driver has joined is gone.

    own: the cluster is this run's alone, and a part that is gone does not come back.
    """
    from ray._private import worker

    node = worker._global_node
    if node is None:
        # A client of a cluster elsewhere has no part of it here.
        yield
        return
    # Through no option of Ray's: what it prints of nodes that die is the last pages of their logs.
    printing, worker.print_to_stdstream = worker.print_to_stdstream, lambda *_, **__: None
    parts: list[tuple[str, str | tuple[str, int], float]] = [
        ("its raylet on this machine", node.raylet_socket_name, 0.0),
        ("its head", _address(node.gcs_address), 0.0 if own else _PATIENCE_SECONDS),
    ]
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(parts, over), daemon=True, name="fairsweep-guard")
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        worker.print_to_stdstream = printing


def _watch(parts: list[tuple[str, str | tuple[str, int], float]], over: threading.Event) -> None:
    silent: dict[str, tuple[int, float]] = {}
    while not over.wait(_EVERY_SECONDS):
        for name, address, patience in parts:
            try:
                _knock(address)
            except OSError as error:
                # Who is only slow may be busy, and whose machine is away may come back.
                seconds = _PATIENCE_SECONDS if isinstance(error, TimeoutError | BlockingIOError) else patience
                tries, since = silent.get(name, (0, time.monotonic()))
                silent[name] = tries + 1, since
                if tries + 1 >= _TRIES and time.monotonic() - since >= seconds and not over.is_set():
                    _leave(name)
            else:
                silent.pop(name, None)


def _leave(name: str) -> None:
    # The terminal's cursor is away while progress is shown.
    print("\x1b[?25h" if sys.stdout.isatty() else "", flush=True)
    print(
        f"error: the Ray cluster is gone: {name} does not answer any more; what was made is in the store, and the same "
        "command resumes",
        file=sys.stderr,
    )
    leave(ClusterError.exit_code)


def _knock(address: str | tuple[str, int]) -> None:
    if isinstance(address, tuple):
        socket.create_connection(address, timeout=_EVERY_SECONDS).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raylet:
        raylet.settimeout(_EVERY_SECONDS)
        raylet.connect(address)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
