"""The Ray cluster of a run: start or join it, and decide how many actors of what size it gets."""

import math
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from fairsweep import registry
from fairsweep.engine.device import Device, DeviceError, device
from fairsweep.engine.guard import guarded
from fairsweep.engine.journal import Journal
from fairsweep.engine.places import Place
from fairsweep.errors import ClusterError, StoreError, first_line, reason
from fairsweep.memory import keep_freed_memory, loading
from fairsweep.spec import RunSpec
from fairsweep.store import Store

_ATTEMPTS = 4
# More than the batches in flight, so that an actor at work still answers whether it is there.
_CONCURRENT_CALLS = 8
_GENERATORS_PER_LABELLER = 4
_NODE_GROUP = "ray.io/node-group"


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

    def needs(self) -> str:
        """Say what each actor asks for, and what the cluster has."""
        import ray

        there = ray.cluster_resources()
        asked = f"each asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs"
        return f"{asked}; the cluster has {there.get('CPU', 0):g} and {there.get('GPU', 0):g}"


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


def check_room(run: RunSpec, cards: float, cpus: float, where: str = "this machine") -> None:
    """Refuse what a machine, or a cluster to which nobody adds nodes, can never give; cpus: of one node."""
    other = "join a cluster with --address" if where == "this machine" else "start nodes that have them first"
    if (run.cpus_per_actor or 0) > cpus:
        has = (
            f"{where} has {cpus:g} CPUs"
            if where == "this machine"
            else f"no node of {where} has more than {cpus:g} CPUs"
        )
        raise ClusterError(
            f"run.cpus_per_actor is {run.cpus_per_actor:g}, and {has}: {other}, or give fewer, or leave the key out"
        )
    gpus = run.gpus_per_actor if run.gpus_per_actor is not None else float(cards >= 1)
    shares = {"gpus_per_actor": gpus, "classifier_gpus": run.classifier_gpus}
    fits = room(cards, gpus, run.classifier_gpus) if gpus else run.classifier_gpus <= cards
    if any(shares.values()) and not fits:
        fields = " and ".join(f"run.{name} is {value:g}" for name, value in shares.items() if value)
        remedy = f"{other}, or give less of a card, such as 0.5, or 0"
        raise ClusterError(f"{fields}, and {where} has {cards:g} GPUs: {remedy}")


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens: Ray itself would end the whole process after half a minute."""
    host, _, port = (address or "").rpartition(":")
    if not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ClusterError(f"cannot join the Ray cluster at {address}: {error.strerror or error}") from None


def decided(run: RunSpec) -> RunSpec:
    """Return the spec's run with `gpus_per_actor` as the cluster is now, so that who loses its card waits for another.

    Asked anew while nodes go, it would put an actor's replacement on a CPU.
    """
    return run.model_copy(update={"gpus_per_actor": generator_size(run).gpus})


def generator_size(run: RunSpec, batches: float = math.inf) -> Size:
    """Return how many generator actors there is room and work for: one per GPU or share of it, or the CPUs shared out.

    On CPUs one actor holds them all where the spec is silent: two actors would each keep a copy of the model. Where
    there is no room yet, one actor is asked for, so that a cluster that grows on demand sees what is wanted.
    """
    import ray

    there = ray.cluster_resources()
    gpus = run.gpus_per_actor if run.gpus_per_actor is not None else float(there.get("GPU", 0) >= 1)
    if gpus:
        cpus = run.cpus_per_actor or 1
        actors = run.actors or min(room(there.get("GPU", 0), gpus, run.classifier_gpus), _beside_each_other(cpus, gpus))
    else:
        total = max(1.0, there.get("CPU", 1))
        actors = run.actors or (_beside_each_other(run.cpus_per_actor) if run.cpus_per_actor else nodes())
        cpus = run.cpus_per_actor or max(0.5, int(total / max(1, actors)) or total / actors)
    return Size(int(max(1, min(actors, batches))), cpus, gpus)


def _beside_each_other(cpus: float, gpus: float = 0) -> int:
    """Return how many actors the nodes that are there have CPUs for, where they have cards: none is on two nodes."""
    import ray

    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(_shares(node.get("CPU", 0), cpus) for node in there if not gpus or node.get("GPU", 0))


def reservations(run: RunSpec) -> Iterator[str]:
    """Say what of a cluster a run will not use as its spec is silent: nodes that are to come, cards without CPUs."""
    import ray

    if not nodes():
        if run.gpus_per_actor is None:
            yield "no node is there yet, and actors will hold no GPU: where GPUs are to come, set run.gpus_per_actor"
        if run.actors is None:
            yield "no node is there yet, and one actor is asked for: set run.actors to as many as are to come"
        return
    cards, size = int(ray.cluster_resources().get("GPU", 0)), generator_size(run)
    if run.actors or not size.gpus:
        return
    per_card = _shares(1, size.gpus)
    if _beside_each_other(size.cpus, size.gpus) < cards * per_card:
        unused, remedy = cards - math.ceil(size.actors / per_card), "give fewer in run.cpus_per_actor"
        yield f"{unused} of {cards} GPUs will have no actor: each actor holds {size.cpus:g} CPUs beside it; {remedy}"


def beside_size(run: RunSpec, generators: int) -> Size:
    """Return how many label actors with GPUs of their own stand beside so many generators."""
    return Size(math.ceil(generators / _GENERATORS_PER_LABELLER), run.cpus_per_actor or 1, run.classifier_gpus)


def label_size(run: RunSpec) -> Size:
    """Return how many label actors there is room for when all images are there: on what the generators held."""
    if not run.classifier_gpus:
        return generator_size(run)
    import ray

    actors = run.actors or room(ray.cluster_resources().get("GPU", 0), run.classifier_gpus, 0)
    return Size(max(1, actors), run.cpus_per_actor or 1, run.classifier_gpus)


def room(cards: float, gpus: float, classifier_gpus: float) -> int:
    """Return how many actors that hold so much of a card there is room for, with the label actors beside them."""
    per_card = _shares(1, gpus)

    def labellers(actors: int) -> int:
        """Return the room that is left for label actors: a share never crosses from one card to the next."""
        full, rest = divmod(actors, per_card)
        partly = [1 - rest * gpus] if rest else []
        free = [1 - per_card * gpus] * full + partly + [1.0] * (int(cards) - full - len(partly))
        return sum(_shares(card, classifier_gpus) for card in free)

    most = int(cards) * per_card
    if not classifier_gpus:
        return most
    return next((n for n in range(most, 0, -1) if labellers(n) >= math.ceil(n / _GENERATORS_PER_LABELLER)), 0)


def _shares(card: float, share: float) -> int:
    return int(card / share + 1e-9)


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


def nodes() -> int:
    """Return how many nodes there are that actors may be put on."""
    import ray

    return sum(1 for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
