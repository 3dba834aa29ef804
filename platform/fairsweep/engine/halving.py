"""Run a function over a batch so that one bad item, or too little memory, costs only itself."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from fairsweep.memory import is_out_of_memory


class Halving:
    """Halve a batch that fails until what fails stands alone; remember the size that memory allows.

    limit: the largest batch that fits, once a larger one ran out of memory; None before.
    sizes: of each item of the last run, how many were in the call that made it.
    """

    limit: int | None = None
    sizes: tuple[int, ...] = ()

    def run(self, function: Callable[[Sequence], Sequence], items: Sequence) -> list[Any | Exception]:
        """Return for each item what `function` returned for it, or the exception that it raised alone."""
        results = self._within_limit(function, items)
        self.sizes = tuple(size for _, size in results)
        return [result for result, _ in results]

    def _within_limit(self, function: Callable[[Sequence], Sequence], items: Sequence) -> list[tuple[Any, int]]:
        results: list[tuple[Any, int]] = []
        while len(results) < len(items):
            # The limit may have become smaller with the part before.
            results += self._part(function, items[len(results) :][: self.limit])
        return results

    def _part(self, function: Callable[[Sequence], Sequence], items: Sequence) -> list[tuple[Any, int]]:
        try:
            results = list(function(items))
            if len(results) != len(items):
                raise ValueError(f"{len(results)} results for {len(items)} items")
            return [(result, len(items)) for result in results]
        except Exception as error:
            failure = error
        # Outside the except block, and without the traceback and the causes: they hold the failed call's tensors.
        failure.__traceback__ = failure.__context__ = failure.__cause__ = None
        out_of_memory = is_out_of_memory(failure)
        if out_of_memory:
            _free()
        if len(items) == 1:
            return [(failure, 1)]
        half = (len(items) + 1) // 2
        if out_of_memory:
            self.limit = half
            return self._within_limit(function, items)
        return self._part(function, items[:half]) + self._part(function, items[half:])


def _free() -> None:
    import torch

    # On a dead context this raises as everything does; who runs the batch finds that out.
    with suppress(Exception):
        torch.cuda.empty_cache()
