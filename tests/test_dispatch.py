"""Who is given what, on real Ray with actors that only sleep."""

import itertools
from collections import Counter

import pytest
import ray
from staff import Errand, Runner

from fairsweep.engine import crew
from fairsweep.engine.cluster import Size, connected, start
from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.engine.events import GivenUp
from fairsweep.errors import ClusterError

SIZE = Size(1, 0.1, 0)


@pytest.fixture
def staff(ray_cluster, tmp_path, monkeypatch):
    """Return a function that makes a crew of runners: how many are wanted, and what is wrong with some, by name."""
    monkeypatch.setattr(crew, "_ASK_EVERY_SECONDS", 0.5)

    def make(size, problems: dict[str, str] | None = None) -> Crew:
        names = map(str, itertools.count())

        def begin():
            name = next(names)
            return start(Runner, SIZE, str(tmp_path), name, (problems or {}).get(name))

        return Crew(begin, size)

    with connected(ray_cluster):
        yield make


def dispatch(staff: Crew, *errands: Errand) -> list:
    streams: dict[str, list[Errand]] = {}
    for errand in errands:
        streams.setdefault(errand.key, []).append(errand)
    call = Dispatcher(staff, lambda actor, errand: actor.run.remote(errand), {k: iter(v) for k, v in streams.items()})
    return list(call.run(lambda: None))


def test_every_errand_is_run_once_and_none_waits_behind_another_at_the_end(staff):
    reports = dispatch(staff(lambda: 2), *(Errand("m", number, 0.05) for number in range(40)))
    assert sorted(number for number, *_ in reports) == list(range(40))
    assert len({name for _, name, _ in reports}) == 2
    assert [held for number, _, held in reports if number >= 38] == [1, 1]


def test_what_an_actor_hangs_on_goes_to_an_idle_one(staff, tmp_path):
    people = staff(lambda: 2)
    once = Errand("m", 99, 0.0, deed=f"hang once {tmp_path / 'hung'}")
    reports = dispatch(people, once, *(Errand("m", number, 0.05) for number in range(10)))
    assert sorted(number for number, *_ in reports) == [*range(10), 99]


def test_what_ends_its_actor_is_given_up_and_the_rest_is_done(staff):
    people = staff(lambda: 2)
    events = dispatch(people, Errand("m", 99, deed="die"), *(Errand("m", number, 0.05) for number in range(10)))
    [given_up] = [event for event in events if isinstance(event, GivenUp)]
    assert given_up.work.number == 99
    assert "it ends the process that works on it" in given_up.reason and "runner" in given_up.reason
    assert sorted(event[0] for event in events if event is not given_up) == list(range(10))
    assert Counter("its process ended" in loss for loss in people.places.losses)[True] == 2


def test_an_error_that_every_actor_meets_ends_the_run(staff):
    with pytest.raises(ClusterError, match="an actor failed: OSError: no space left on device"):
        dispatch(staff(lambda: 2), *(Errand("m", number, deed="raise") for number in range(10)))


def test_actors_that_are_of_no_use_are_named_and_get_nothing(staff):
    people = staff(lambda: 3, {"0": "no usable CUDA", "2": "no usable CUDA"})
    reports = dispatch(people, *(Errand("m", number, 0.2) for number in range(10)))
    assert {name for _, name, _ in reports} == {"1"}
    assert people.places.losses[0].endswith(": no usable CUDA")
    with pytest.raises(ClusterError, match="no actor can be used: broken"):
        dispatch(staff(lambda: 2, {"0": "broken", "1": "broken"}), Errand("m", 0))


def test_more_actors_are_used_as_soon_as_there_is_room(staff):
    wanted = iter([1, 1])
    people = staff(lambda: next(wanted, 3))
    reports = dispatch(people, *(Errand("m", number, 0.2) for number in range(60)))
    assert len({name for _, name, _ in reports}) == 3


def test_an_actor_that_cannot_start_is_said(ray_cluster):
    class Broken:
        def __init__(self):
            raise ImportError("no module named fairsweep")

        async def ready(self):
            return None

    with (
        connected(ray_cluster),
        pytest.raises(ClusterError, match=r"no actor can be used: .*no module named fairsweep"),
    ):
        dispatch(Crew(lambda: ray.remote(Broken).options(num_cpus=0.1).remote(), lambda: 1), Errand("m", 0))
