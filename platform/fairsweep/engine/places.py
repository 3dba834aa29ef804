"""Where actors sit and what went wrong there: which places are given which work, and what a loss is blamed on."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

# How many different tasks in a row may kill the actors of one place, and how often a node may be lost.
DEATHS = 2
# How often one place, and how many places, may fail to load what others might load.
TRIES, PLACES = 2, 3
# How many nodes must say of a model that it is the model's own fault: its files may lie on each node.
_WITNESSES = 2


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

    def nearness(self, others: Iterable["Place"]) -> int:
        """Return how near the nearest of others is: 0 on other nodes, 1 on the same node, 2 at the same place."""
        others = list(others)
        same_place = any(other.device == self.device for other in others)
        return 2 if same_place else int(any(other.node == self.node for other in others))


class Places:
    """Keep what went wrong where; a place is left alone while it is to blame, and not for what a task did.

    names: the name of each node that is or was there, by its Ray id: a node that comes back has a new id.
    """

    def __init__(self):
        self.names: dict[str, str] = {}
        # By place: of each death in a row, the tasks that may have caused it.
        self._deaths: dict[str, list[set[Hashable]]] = defaultdict(list)
        self._lost_nodes: dict[str, set[str]] = defaultdict(set)
        # By what was to be loaded: the places that could not, one for each time, and the nodes that said whose fault.
        self._unready: dict[str, list[Place]] = defaultdict(list)
        self._witnesses: dict[str, set[str]] = defaultdict(set)
        self._usable: set[str] = set()
        # By place: tasks that failed there as a whole and wait for another place's word, and those done elsewhere.
        self._doubts: dict[str, set[Hashable]] = defaultdict(set)
        self._outdone: Counter[str] = Counter()
        self.losses: list[str] = []
        self.logs: set[str] = set()

    def worked(self, place: Place, what: str) -> None:
        """Count a task done here, with `what` loaded: what happened before is no pattern."""
        self._usable.add(what)
        self._deaths.pop(place.device, None)
        self._outdone.pop(place.device, None)

    def died(self, place: Place, tasks: Iterable[Hashable]) -> None:
        """Count an actor that died here over these tasks."""
        before = self.left_alone(place)
        self._deaths[place.device].append(set(tasks))
        self._say_if_left_alone(place, before)

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

    def doubt(self, place: Place, task: Hashable) -> None:
        """Count a task that failed here as a whole, until another place has had its try."""
        self._doubts[place.device].add(task)

    def settle(self, place: Place, task: Hashable, why: str = "") -> None:
        """Take a doubt back; why: what a place was told that could not do what another one did."""
        self._doubts[place.device].discard(task)
        if why:
            before = self.left_alone(place)
            self.loss(place, f"{why}; another place could do it")
            self._outdone[place.device] += 1
            self._say_if_left_alone(place, before)

    def left_alone(self, place: Place) -> str | None:
        """Return why this place gets no work, or None."""
        if place.problem:
            return place.problem
        name = self.names.get(place.node, place.node)
        if len(self._lost_nodes[name]) >= DEATHS:
            return f"its node was lost {len(self._lost_nodes[name])} times"
        if self._outdone[place.device] >= DEATHS:
            return f"{self._outdone[place.device]} tasks in a row failed here and not elsewhere"
        deaths = self._deaths.get(place.device, [])
        if len(deaths) < DEATHS or set.intersection(*deaths):
            return None
        return f"its process ended {len(deaths)} times in a row, over different tasks"

    def doubtful(self, place: Place) -> bool:
        """Tell whether so much failed here that others have a say before it gets more."""
        return len(self._doubts[place.device]) >= DEATHS

    def unready(self, what: str, place: Place, own_fault: bool = False) -> None:
        """Count a place where something could not be loaded; own_fault: as it looks from there, nowhere else either."""
        self._unready[what].append(place)
        if own_fault:
            self._witnesses[what].add(place.node)

    def fits(self, place: Place, what: str) -> bool:
        """Tell whether a place may be given work that needs `what` loaded."""
        times = sum(other.device == place.device for other in self._unready[what])
        return times < TRIES and place.node not in self._witnesses[what]

    def usable(self, what: str) -> bool:
        """Tell whether it was loaded anywhere, and something done with it."""
        return what in self._usable

    def hopeless(self, what: str, places: Sequence[Place], more: bool) -> bool:
        """Tell whether enough places could not load it: several of them, or every one of those that are there.

        Those of one node are not enough where there are others. more: others may still come.
        """
        if not more and not any(self.fits(place, what) for place in places):
            return True
        if what in self._usable:
            return False
        failures = self._unready[what]
        there = len({place.node for place in (*places, *failures)})

        def enough(nodes: int, most: int) -> bool:
            return nodes >= (most if more else min(most, there))

        several = len({place.device for place in failures}) >= PLACES
        agreed = bool(self._witnesses[what]) and enough(len(self._witnesses[what]), _WITNESSES)
        return agreed or (several and enough(len({place.node for place in failures}), PLACES))

    def loss(self, place: Place | None, why: str) -> None:
        """Keep what went wrong as one line that names the place, and the file that tells more."""
        where = f"{place.device}: " if place else ""
        more = f" (more in {place.log})" if place and not place.problem else ""
        self.losses.append(f"{where}{why}{more}")
        self.logs |= {place.log} if place else set()

    def _say_if_left_alone(self, place: Place, before: str | None) -> None:
        if not before and self.left_alone(place):
            self.loss(place, f"left alone: {self.left_alone(place)}")
