"""What is wrong with one node costs that node, whatever goes wrong there; real Ray, runners at desks of two nodes."""

from collections.abc import Callable

import pytest
import ray
from staff import Desk, Errand, Runner

from fairsweep.engine import crew
from fairsweep.engine.cluster import connected, start
from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.engine.events import GivenUp, Refused
from fairsweep.engine.label import LabelActor
from fairsweep.engine.sizes import Size
from fairsweep.errors import ClusterError
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

BAD = [Desk(f"card {number}", "bad") for number in range(4)]
ERRANDS = 16
DEEDS = ["refuse", "unready", "raise", "die", "fail"]


@pytest.fixture
def events(ray_cluster, tmp_path, monkeypatch):
    """Return a function that hands errands to runners at desks, and returns the events and the losses."""
    monkeypatch.setattr(crew, "_ASK_EVERY_SECONDS", 0.5)

    def events(desks: list[Desk], *errands: Errand, wanted: Callable[[], int] | None = None):
        size = Size(len(desks), 0.1, 0)
        people = Crew(lambda: start(Runner, size, str(tmp_path), "one", None, desks), wanted or (lambda: len(desks)))
        streams = {key: iter([each for each in errands if each.key == key]) for key in {each.key for each in errands}}
        dispatcher = Dispatcher(people, lambda actor, errand: actor.run.remote(errand), streams)
        try:
            return list(dispatcher.run(lambda: None)), people.places.losses
        finally:
            people.close()

    with connected(ray_cluster):
        yield events


def errands(deed: str, on: str = "bad", seconds: float = 0.0, count: int = ERRANDS) -> list[Errand]:
    return [Errand("m", number, seconds, deed, on) for number in range(count)]


@pytest.mark.parametrize("late", [0.0, pytest.param(3.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("deed", ["refuse", *(pytest.param(deed, marks=pytest.mark.slow) for deed in DEEDS[1:])])
def test_what_one_node_cannot_do_another_does(events, deed, late):
    """The good node is the slower one, or comes late: what is wrong is said four times before it has done anything."""
    answers, losses = events([*BAD, Desk("card 0", "good", late)], *errands(deed, seconds=0.1))
    assert sorted(number for number, *_ in answers) == list(range(ERRANDS))
    assert losses and all("bad" in loss for loss in losses), losses


@pytest.mark.slow
@pytest.mark.parametrize("deed", DEEDS)
def test_what_no_node_can_do_comes_to_an_end(events, deed):
    desks = [Desk("card 0", "one"), Desk("card 1", "one"), Desk("card 0", "two")]
    work = errands(deed, on="", count=4)
    if deed == "raise":
        with pytest.raises(ClusterError, match="an actor failed: OSError: no space left on device"):
            events(desks, *work)
        return
    answers, _ = events(desks, *work)
    if deed in ("refuse", "unready"):
        said = {"refuse": "the folder does not exist", "unready": "no space left on device (card"}[deed]
        assert answers and all(isinstance(event, Refused) and event.reason.startswith(said) for event in answers)
        assert sorted(work.number for event in answers for work in event.rest) == list(range(4))
    if deed == "die":
        assert sorted(event.work.number for event in answers if isinstance(event, GivenUp)) == list(range(4))
    if deed == "fail":
        assert sorted(number for number, *_ in answers) == list(range(4))


def test_what_one_node_cannot_load_waits_for_the_other_one_to_come_back(events, tmp_path):
    """The good one dies, and only the bad one is there, with nothing to do."""
    die = Errand("m", 99, deed=f"die once {tmp_path / 'died'}", on="good")
    work = [*errands("refuse", count=4), die, *errands("refuse", count=8)[4:]]
    answers, losses = events([Desk("card 0", "bad"), Desk("card 0", "good")], *work)
    assert sorted(number for number, *_ in answers) == [*range(8), 99]
    assert len(losses) == 2, losses


def test_what_failed_once_beside_an_actor_that_is_stuck_is_done(events, tmp_path):
    """A stuck actor looks free once its errand was done elsewhere: what it is given next must not wait for it."""
    stall = Errand("m", 98, deed=f"stall once {tmp_path / 'stalled'}")
    die = Errand("m", 99, 0.3, deed=f"die once {tmp_path / 'died'}")
    work = [stall, *errands("", count=6, seconds=0.3), die]
    answers, _ = events([Desk("card 0", "one"), Desk("card 0", "two")], *work)
    assert sorted(number for number, *_ in answers) == [*range(6), 98, 99]


def test_a_node_where_the_stores_folder_is_another_one_is_of_no_use(ray_cluster, tiny_data, tmp_path):
    """What an actor stores there nobody finds: its file system is not mounted."""
    spec = SweepSpec.model_validate(tiny_data)
    store = Store(tmp_path / "store")
    with connected(ray_cluster), store.lock():
        seen = start(LabelActor, Size(1, 1, 0), spec, store, 1)
        assert ray.get(seen.ready.remote()).problem is None
        # As it would look on that node.
        store.root.rename(tmp_path / "elsewhere")
        unseen = start(LabelActor, Size(1, 1, 0), spec, store, 1)
        problem = ray.get(unseen.ready.remote()).problem
        assert problem == f"the store is not at {store.root} here: mount the file system of that folder on every node"
        for actor in (seen, unseen):
            ray.kill(actor)
