"""How many actors of what size a cluster gets, asked anew as its nodes come and go, and what it can never give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fairsweep.errors import ClusterError
from fairsweep.spec import RunSpec

_GENERATORS_PER_LABELLER = 4


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


def nodes() -> int:
    """Return how many nodes there are that actors may be put on."""
    import ray

    return sum(1 for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))


def _beside_each_other(cpus: float, gpus: float = 0) -> int:
    """Return how many actors the nodes that are there have CPUs for, where they have cards: none is on two nodes."""
    import ray

    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(_shares(node.get("CPU", 0), cpus) for node in there if not gpus or node.get("GPU", 0))


def _shares(card: float, share: float) -> int:
    return int(card / share + 1e-9)
