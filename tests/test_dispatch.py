"""Who is given what, on real Ray with actors that only sleep."""

import itertools
from collections import Counter

import pytest
from staff import Errand, Runner

from fairsweep.engine import crew
from fairsweep.engine.cluster import connected, start
from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.engine.events import GivenUp
from fairsweep.engine.sizes import Size
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


class EnoughError(Exception):
    pass


def first_note(people: Crew, errand: Errand, start: str) -> str:
    """Return the first note that starts so: what is waited for."""

    def tick() -> None:
        if (note := people.note()).startswith(start):
            raise EnoughError(note)

    dispatcher = Dispatcher(people, lambda actor, errand: actor.run.remote(errand), {"m": iter([errand])})
    with pytest.raises(EnoughError) as raised:
        list(dispatcher.run(tick))
    return str(raised.value)


def test_what_waits_for_room_says_what_it_asks_for(ray_cluster, tmp_path):
    size = Size(2, 0.5, 1)
    with connected(ray_cluster):
        people = Crew(lambda: start(Runner, size, str(tmp_path), "0"), lambda: size.actors, size.needs)
        assert first_note(people, Errand("m", 0), "waiting") == (
            "waiting for the cluster: 0 of 1 actors are there; each asks for 0.5 CPUs and 1 GPUs; "
            "the cluster has 4 and 0"
        )


def test_who_is_there_is_not_waited_for(staff):
    people = staff(lambda: 1)
    people.recruit(1)
    assert people.note().startswith("waiting for the cluster: 0 of 1 actors")
    for ref in people.refs:
        people.heard(ref)
    assert people.note() == ""


def test_an_actor_that_answers_nothing_is_named(staff, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_SILENT_AFTER_SECONDS", 0.5)
    errand = Errand("m", 0, deed=f"hang once {tmp_path / 'hung'}")
    assert first_note(staff(lambda: 1), errand, "no answer").startswith("no answer from runner 0 for ")


class Late(Runner):
    """A runner that starts only once so many others could not."""

    def __init__(self, folder: str, name: str, fail: int):
        if int(name) < fail:
            raise OSError("the package cannot be fetched")
        super().__init__(folder, name)


def late(tmp_path, fail: int) -> Crew:
    names = map(str, itertools.count())
    return Crew(lambda: start(Late, SIZE, str(tmp_path), next(names), fail), lambda: 1)


def test_an_actor_that_cannot_start_is_said(ray_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_PAUSES_SECONDS", (0.1, 0.1))
    with (
        connected(ray_cluster),
        pytest.raises(ClusterError, match=r"no actor can be used: .*the package cannot be fetched"),
    ):
        dispatch(late(tmp_path, fail=99), Errand("m", 0))


def test_what_hinders_a_start_for_a_while_costs_a_while(ray_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_PAUSES_SECONDS", (0.1, 0.2, 0.4, 0.8))
    with connected(ray_cluster):
        people = late(tmp_path, fail=4)
        assert dispatch(people, Errand("m", 0)) == [(0, "4", 1)]
    assert [loss.count("the package cannot be fetched") for loss in people.places.losses] == [1]
