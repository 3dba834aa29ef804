"""The Ray cluster of a run: start or join it, and put actors on it."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from fairsweep import registry
from fairsweep.engine.device import Device, DeviceError, device
from fairsweep.engine.guard import guarded
from fairsweep.engine.journal import Journal
from fairsweep.engine.places import Place
from fairsweep.engine.sizes import Size, check_room
from fairsweep.errors import ClusterError, StoreError, first_line, reason
from fairsweep.memory import keep_freed_memory, loading
from fairsweep.spec import RunSpec
from fairsweep.store import Store

_ATTEMPTS = 4
# More than the batches in flight, so that an actor at work still answers whether it is there.
_CONCURRENT_CALLS = 8
_NODE_GROUP = "ray.io/node-group"


@contextmanager
def connected(address: str | None, run: RunSpec | None = None) -> Iterator[str]:
    """Join the cluster at `address` (or that of RAY_ADDRESS), else start one on this machine; leave it at the end.

    Yield in words which cluster it is. Where nobody names one, the run has its own, even beside a cluster that runs on
    this machine: that one may be another user's, with other rights and another Python.

    Raises ClusterError where the cluster is not there, or can never give what actors need.
    """
    import ray

    if ray.is_initialized():
        yield "the cluster of this process"
        return
    address = address or os.environ.get("RAY_ADDRESS")
    _check_reachable(address)
    with nullcontext() if address else _own():
        yield from _joined(address, run)


def _joined(address: str | None, run: RunSpec | None) -> Iterator[str]:
    import ray
    from ray.job_config import JobConfig

    more = {} if address else {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
    # A runtime environment would say the same, and let each worker wait for its agent.
    job = JobConfig(_py_driver_sys_path=list(registry.folders))
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _own_ending():
                ray.init(address=address or "local", logging_level="error", log_to_driver=False, job_config=job, **more)
            break
        except Exception as error:
            ray.shutdown()
            first = first_line(error)
            # On a busy machine a new cluster may need longer than the half minute that Ray gives it.
            if address or attempt == _ATTEMPTS or "timed out" not in first:
                where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
                raise ClusterError(f"cannot join {where}: {first}") from None
    try:
        resources = ray.cluster_resources()
        cards = resources.get("GPU", 0)
        if run and not address:
            check_room(run, cards, resources.get("CPU", 0))
        elif run and not _grows():
            largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
            check_room(run, cards, largest, "this cluster")
        own = "a cluster of this run's own; --address auto joins one that runs here already"
        with guarded(own=not address):
            yield f"{f'joined {address}' if address else own} ({resources.get('CPU', 0):g} CPUs, {cards:g} GPUs)"
    finally:
        ray.shutdown()


@contextmanager
def _own_ending() -> Iterator[None]:
    """Keep the process's own answer to SIGTERM.

    Ray's own, which it has from the start of its nodes on, says nothing; that of its library prints the stack first.
    """
    from ray._private import utils

    own = signal.getsignal(signal.SIGTERM)
    theirs, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda _: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs
        if own is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, own)


@contextmanager
def _own() -> Iterator[None]:
    """Let a cluster that is started inside the block listen on loopback alone, and its actors stand back for nobody.

    Ray has its workers give way to whatever else runs: beside a process per core they stand still. Who sets Ray's
    variables decides.
    """
    from ray._private import ray_constants as constants

    listening = constants.ENABLE_RAY_CLUSTER
    # Ray's own way for systems whose firewalls would ask.
    settings = {constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0", constants.RAY_WORKER_NICENESS: "0"}
    settings = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ |= settings
    if constants.ENABLE_RAY_CLUSTERS_ENV_VAR in settings:
        constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        for name in settings:
            del os.environ[name]
        constants.ENABLE_RAY_CLUSTER = listening


def _grows() -> bool:
    """Tell whether nodes may still come to the cluster: somebody adds them, or it is still empty."""
    import ray

    there = [node for node in ray.nodes() if node["Alive"]]
    # KubeRay, `ray up` and their like name the group of each node that they start; `ray start` by hand names none.
    managed = any((node.get("Labels") or {}).get(_NODE_GROUP) for node in there)
    return managed or not any(node["Resources"].get("CPU") for node in there)


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens: Ray itself would end the whole process after half a minute."""
    host, _, port = (address or "").rpartition(":")
    if not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ClusterError(f"cannot join the Ray cluster at {address}: {error.strerror or error}") from None


def start(actor_class: type, size: Size, *args, restarts: int = 0, calls: int = _CONCURRENT_CALLS) -> Any:
    """Start an actor (a class with async methods, `calls` of which run at a time); it lives where there is room.

    Ray repeats none of its tasks, and starts it anew so many times (-1: always): the dispatcher replaces its own.
    """
    import ray

    remote = ray.remote(actor_class).options(
        num_cpus=size.cpus,
        num_gpus=size.gpus,
        max_restarts=restarts,
        max_task_retries=0,
        max_concurrency=calls,
    )
    return remote.remote(*args)


def settle(threads: int, store: Store) -> tuple[Device, Place, Journal]:
    """Limit torch to an actor's CPUs, inside the actor; return its device, where it sits, and the log of that place.

    Never raises for what is wrong with the place: that is the place's `problem`.
    """
    import ray

    ids = [str(number) for number in ray.get_gpu_ids()]
    if not ids:
        keep_freed_memory()
    with loading():
        limit_threads(threads)
    node = ray.get_runtime_context().get_node_id()
    where = [*([f"gpu {','.join(ids)}"] if ids else []), f"node {node[:8]}"]
    journal = Journal(store.log("-".join(where).replace(" ", "-")))
    card, problem, name = device(ids), None, "unusable"
    try:
        store.place.check_held()
        name = card.open()
        share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0)
        if 0 < share < 1:
            card.limit(share)
        # Known before there is work, so that who dies early can be told from others.
        journal.step()
    except Exception as error:
        problem = str(error) if isinstance(error, DeviceError | StoreError) else reason(error)
    place = Place(", ".join([name, *where]), node, os.getpid(), str(journal.path), problem)
    return card, place, journal


def limit_threads(threads: int) -> None:
    """Give this thread's torch its CPUs, so that actors do not fight over cores."""
    import torch

    torch.set_num_threads(threads)
