"""The Ray cluster of a run: start or join it, and decide how many actors of what size it gets."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fairsweep.errors import ClusterError, first_line
from fairsweep.memory import keep_freed_memory
from fairsweep.spec import RunSpec

_ATTEMPTS = 4
# More than the batches in flight, so that an actor at work still answers whether it is there.
_CONCURRENT_CALLS = 8


@dataclass(frozen=True)
class Where:
    """Where an actor sits: the device for torch, and the device, its Ray ids and the node in words."""

    torch_device: str
    device: str


@dataclass(frozen=True)
class Size:
    """How many actors, and what each one holds."""

    actors: int
    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """Return the torch threads of one actor: the CPUs that it holds."""
        return max(1, int(self.cpus))


@contextmanager
def connected(address: str | None, gpus_per_actor: float | None = None) -> Iterator[None]:
    """Join the cluster at `address` (or that of RAY_ADDRESS), or start one on this machine; leave it at the end.

    Raises ClusterError where the cluster is not there, or where this machine has not the GPUs that an actor needs.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    more = {} if address else {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
    _check_reachable(address)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(address=address, logging_level="error", log_to_driver=False, **more)
            break
        except Exception as error:
            ray.shutdown()
            first = first_line(error)
            # On a busy machine a new cluster may need longer than the half minute that Ray gives it.
            if address or attempt == _ATTEMPTS or "timed out" not in first:
                where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
                raise ClusterError(f"cannot join {where}: {first}") from None
    try:
        there = ray.cluster_resources().get("GPU", 0)
        if not address and (gpus_per_actor or 0) > there:
            raise ClusterError(
                f"run.gpus_per_actor is {gpus_per_actor:g} and this machine has {there:g} GPUs: "
                "join a cluster with --address, or set it to 0"
            )
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens: Ray itself would end the whole process after half a minute."""
    host, _, port = (address or "").rpartition(":")
    if not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ClusterError(f"cannot join the Ray cluster at {address}: {error.strerror or error}") from None


def generator_size(run: RunSpec, batches: int) -> Size:
    """Return how many generator actors to ask for: one per GPU or share of it, or the CPUs shared out.

    On CPUs one actor holds them all where the spec is silent: two actors would each keep a copy of the model.
    """
    import ray

    there = ray.cluster_resources()
    gpus = run.gpus_per_actor if run.gpus_per_actor is not None else float(there.get("GPU", 0) >= 1)
    if gpus:
        per_device = int(1 / gpus) if gpus < 1 else 1
        devices = int(there.get("GPU", 0) / max(gpus, 1))
        actors = run.actors or max(1, devices * per_device)
        cpus = run.cpus_per_actor or 1
    else:
        total = max(1.0, there.get("CPU", 1))
        actors = run.actors or (max(1, int(total / run.cpus_per_actor)) if run.cpus_per_actor else _nodes())
        cpus = run.cpus_per_actor or max(0.5, int(total / actors) or total / actors)
    return Size(max(1, min(actors, batches)), cpus, gpus)


def label_size(run: RunSpec, tasks: int) -> Size:
    """Return how many label actors to ask for: what a generator holds, or the GPU share that the spec asks for."""
    size = generator_size(run, tasks)
    return Size(size.actors, run.cpus_per_actor or 1, run.classifier_gpus) if run.classifier_gpus else size


def start(actor_class: type, size: Size, *args) -> list:
    """Start the actors (classes with async methods); each lives where there is room and survives its node."""
    import ray

    remote = ray.remote(actor_class).options(
        num_cpus=size.cpus,
        num_gpus=size.gpus,
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=_CONCURRENT_CALLS,
    )
    return [remote.remote(*args) for _ in range(size.actors)]


def settle(threads: int) -> Where:
    """Limit torch to an actor's CPUs, inside the actor, and tell where it sits."""
    import ray
    import torch

    keep_freed_memory()
    limit_threads(threads)
    context = ray.get_runtime_context()
    ids = [str(number) for number in ray.get_gpu_ids()]
    # Ray shows an actor only its own devices, so that the first that torch sees is the one it was given.
    on_gpu = bool(ids) and torch.cuda.is_available()
    name = torch.cuda.get_device_name(0) if on_gpu else "cpu"
    parts = [name, *([f"gpu {','.join(ids)}"] if ids else []), f"node {context.get_node_id()[:8]}"]
    return Where("cuda" if on_gpu else "cpu", ", ".join(parts))


def limit_threads(threads: int) -> None:
    """Give this thread's torch its CPUs, so that actors do not fight over cores."""
    import torch

    torch.set_num_threads(threads)


def _nodes() -> int:
    import ray

    return sum(1 for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
