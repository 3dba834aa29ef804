"""Ray's workers as forks of one process that has imported what all of them import.

A worker that starts from nothing spends seconds on torch, diffusers and Ray, and the tests start hundreds. Clusters of
support/clusters.py name this file as their workers' code: Ray starts it, it asks the server for a fork, which goes on
as Ray's own worker does, and lives and dies with it. Clusters that a command starts have workers as anywhere.
"""

import functools
import gc
import importlib
import importlib.util
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

# Where the server listens: a name that is in no folder, and goes with it.
_SOCKET = "TESTS_WARM_SOCKET"
# And the number of the worker that a process stands for.
_STAND = "warm-"
# Not Ray: its library reads at once what it is told of its worker.
_MODULES = ("duckdb", "open_clip", "pyarrow.parquet", "fairsweep.classifiers.portraits", "fairsweep.store")
# What these libraries import at first use, of what the small models need.
_AT_FIRST_USE = {
    "fairsweep.pipelines": ("load",),
    "diffusers": ("StableDiffusionPipeline", "DDIMScheduler", "DPMSolverMultistepScheduler"),
    "transformers": ("CLIPTextModel", "CLIPTokenizer"),
}


@functools.cache
def start_server() -> subprocess.Popen:
    """Start the server of this process, once, and return it; it ends with this process."""
    os.environ[_SOCKET] = f"warm-{os.getpid()}-{time.monotonic_ns()}"
    # Nothing is written to its standard input, which ends with this process.
    return subprocess.Popen([sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, start_new_session=True)


def workers(raylet: int) -> list[str]:
    """Return the names of a raylet's workers that are alive."""
    import psutil

    names = []
    for child in psutil.Process(raylet).children():
        with suppress(psutil.NoSuchProcess):
            name = child.name()
            stands = name.startswith(_STAND)
            names.append(psutil.Process(int(name.removeprefix(_STAND))).name() if stands else name)
    return names


def _rays_worker() -> str:
    spec = importlib.util.find_spec("ray")
    assert spec and spec.submodule_search_locations
    return os.path.join(spec.submodule_search_locations[0], "_private", "workers", "default_worker.py")


def _kind() -> list[str]:
    """Return what decides what a process finds to import."""
    return [sys.executable, os.environ.get("PYTHONPATH", "")]


def _stand() -> None:
    """Stand for a worker and end as it does; where none can be had of this kind, become it."""
    connection = socket.socket(socket.AF_UNIX)
    number = 0
    with suppress(KeyError, OSError):
        connection.connect(f"\0{os.environ[_SOCKET]}")
        order = {"kind": _kind(), "arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}
        text = json.dumps(order).encode()
        socket.send_fds(connection, [len(text).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(text)
        answers = connection.makefile()
        number = int(answers.readline() or 0)
    if not number:
        os.execv(sys.executable, [sys.executable, _rays_worker(), *sys.argv[1:]])
    Path("/proc/self/comm").write_text(f"{_STAND}{number}")
    code = int(answers.readline() or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def _import_all() -> None:
    gc.disable()
    for module in _MODULES:
        importlib.import_module(module)
    for module, names in _AT_FIRST_USE.items():
        for name in names:
            getattr(importlib.import_module(module), name)
    gc.enable()
    gc.freeze()
    assert "ray" not in sys.modules


def _order(connection: socket.socket) -> tuple[dict, list[int]]:
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    return json.loads(connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)), files


def _next_worker(selector: selectors.BaseSelector, listening: socket.socket) -> dict | None:
    """Fork for an order: return it in the fork, and None in the server."""
    connection, _ = listening.accept()
    order, files = _order(connection)
    worker = os.fork() if order["kind"] == _kind() else None
    if worker == 0:
        _keep_only(files, selector)
        connection.close()
        return order
    for file in files:
        os.close(file)
    if worker is None:
        connection.close()
        return None
    end = os.pidfd_open(worker)

    def over() -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        with suppress(OSError):
            connection.sendall(f"{code}\n".encode())
        for file in (end, connection):
            with suppress(KeyError):
                selector.unregister(file)
        os.close(end)
        connection.close()

    def gone() -> None:
        # Closed, it is no file any more: the worker was over before.
        with suppress(ValueError):
            selector.unregister(connection)
            signal.pidfd_send_signal(end, signal.SIGKILL)

    # Who ordered may have been killed since.
    with suppress(OSError):
        connection.sendall(f"{worker}\n".encode())
    selector.register(end, selectors.EVENT_READ, over)
    selector.register(connection, selectors.EVENT_READ, gone)
    return None


def _keep_only(files: list[int], selector: selectors.BaseSelector) -> None:
    """Make these a fork's standard files, and close the server's: at a late end its objects would close others."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for key in list(selector.get_map().values()):
        if isinstance(key.fileobj, int):
            os.close(key.fileobj)
        elif key.fileobj is not sys.stdin:
            key.fileobj.close()
    selector.close()
    os.setpgid(0, 0)


def _serve() -> dict:
    """Fork for whoever asks, as long as standard input is open; return, in each fork, what its worker is told."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"\0{os.environ[_SOCKET]}")
    listening.listen(64)
    _import_all()
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, lambda: os._exit(0))
    selector.register(listening, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data:
                key.data()
            elif order := _next_worker(selector, listening):
                return order


if __name__ == "__main__":
    if sys.argv[1:] != ["--serve"]:
        _stand()
    # In the place of this file's folder, which is nobody's to import from.
    sys.path[0] = os.path.dirname(_rays_worker())
    order = _serve()
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = [_rays_worker(), *order["arguments"]]
    runpy.run_path(_rays_worker(), run_name="__main__")
