"""Hand work out to a crew while a person watches: progress, losses as they come."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from rich.console import Console

from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.store import Store
from fairsweep.terminal.progress import RunProgress


@contextmanager
def watched(
    crew: Crew, call: Callable, streams: dict, store: Store, console: Console, what: str, total: int
) -> Iterator[tuple[RunProgress, Iterator[Any]]]:
    """Yield the progress to count in, and the dispatcher's events; the caller holds the store's lock.

    call, streams: as a Dispatcher takes them. what, total: what is counted, and how many there are.
    """
    told = len(crew.places.losses)

    def tick() -> None:
        nonlocal told
        # Where another writer has taken over, this one would do the same work.
        store.place.check_held()
        progress.tick(crew.note())
        for loss in crew.places.losses[told:]:
            told += 1
            console.print(loss, soft_wrap=True, markup=False, highlight=False)

    dispatcher = Dispatcher(crew, call, streams)
    with RunProgress(console, what, total) as progress, closing(dispatcher.run(tick)) as events:
        yield progress, events
