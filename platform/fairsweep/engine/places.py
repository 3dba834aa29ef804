"""Where actors sit and what went wrong there: which places are given which work, and what a loss is blamed on."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

# How many different tasks in a row may kill the actors of one place, and how often a node may be lost.
DEATHS = 2
# How often one place, and how many places, may fail to load what others might load.
TRIES, PLACES = 2, 3


@dataclass(frozen=True)
class Place:
    """Where an actor sits.

    device: the device, its Ray ids and the node in words; the same for every actor that
    is put there. node: its Ray id. problem: why no actor can work here, or None. log: the file that tells more.
    """

    device: str
    node: str
    process: int
    log: str
    problem: str | None = None


class Places:
    """Keep what went wrong where; a place is left alone while it is to blame, and not for what a task did.

    names: the name of each node that is or was there, by its Ray id: a node that comes back has a new id.
    """

    def __init__(self):
        self.names: dict[str, str] = {}
        # By place: of each death in a row, the tasks that may have caused it.
        self._deaths: dict[str, list[set[Hashable]]] = defaultdict(list)
        self._lost_nodes: dict[str, set[str]] = defaultdict(set)
        self._unready: dict[str, Counter[str]] = defaultdict(Counter)
        self.losses: list[str] = []
        self.logs: set[str] = set()

    def worked(self, place: Place) -> None:
        """Count a task done here: what happened before is no pattern."""
        self._deaths.pop(place.device, None)

    def died(self, place: Place, tasks: Iterable[Hashable]) -> None:
        """Count an actor that died here over these tasks."""
        before = self.left_alone(place)
        self._deaths[place.device].append(set(tasks))
        if not before and self.left_alone(place):
            self.loss(place, f"left alone: {self.left_alone(place)}")

    def node_lost(self, node: str) -> None:
        """Count a node that is gone."""
        name = self.names.get(node, node)
        if node not in self._lost_nodes[name]:
            self._lost_nodes[name].add(node)
            times = len(self._lost_nodes[name])
            if times == DEATHS:
                self.losses.append(f"node {name}: left alone: it was lost {times} times")

    def acquit(self, task: Hashable) -> None:
        """Forget deaths over a task that turned out to kill wherever it runs."""
        for device, deaths in self._deaths.items():
            self._deaths[device] = [tasks for tasks in deaths if task not in tasks]

    def left_alone(self, place: Place) -> str | None:
        """Return why this place gets no work, or None."""
        if place.problem:
            return place.problem
        name = self.names.get(place.node, place.node)
        if len(self._lost_nodes[name]) >= DEATHS:
            return f"its node was lost {len(self._lost_nodes[name])} times"
        deaths = self._deaths.get(place.device, [])
        if len(deaths) < DEATHS or set.intersection(*deaths):
            return None
        return f"its process ended {len(deaths)} times in a row, over different tasks"

    def unready(self, what: str, place: Place) -> None:
        """Count a place where something could not be loaded that others may load."""
        self._unready[what][place.device] += 1

    def fits(self, place: Place, what: str) -> bool:
        """Tell whether a place may be given work that needs `what` loaded."""
        return self._unready[what][place.device] < TRIES

    def hopeless(self, what: str, places: list[Place]) -> bool:
        """Tell whether enough places could not load it: several of them, or every one of those that are there."""
        return len(self._unready[what]) >= PLACES or not any(self.fits(place, what) for place in places)

    def loss(self, place: Place | None, why: str) -> None:
        """Keep what went wrong as one line that names the place, and the file that tells more."""
        where = f"{place.device}: " if place else ""
        more = f" (more in {place.log})" if place and not place.problem else ""
        self.losses.append(f"{where}{why}{more}")
        self.logs |= {place.log} if place else set()
