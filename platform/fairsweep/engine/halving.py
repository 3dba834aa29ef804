"""Run a function over a batch so that one bad item, or too little memory, costs only itself."""

from collections.abc import Callable, Sequence
from typing import Any


class Halving:
    """Halve a batch that fails until what fails stands alone; remember the size that memory allows.

    limit: the largest batch that fits, once a larger one ran out of memory; None before.
    """

    limit: int | None = None

    def run(self, function: Callable[[Sequence], Sequence], items: Sequence) -> list[Any | Exception]:
        """Return for each item what `function` returned for it, or the exception that it raised alone."""
        size = min(self.limit or len(items), len(items))
        results = []
        for start in range(0, len(items), max(size, 1)):
            results += self._part(function, items[start : start + size])
        return results

    def _part(self, function: Callable[[Sequence], Sequence], items: Sequence) -> list[Any | Exception]:
        import torch

        try:
            results = list(function(items))
            if len(results) != len(items):
                raise ValueError(f"{len(results)} results for {len(items)} items")
            return results
        except torch.OutOfMemoryError as error:
            failed, out_of_memory = error, True
        except Exception as error:
            failed, out_of_memory = error, False
        if out_of_memory:
            # Outside the except block, where the failed call's tensors are no longer referenced by its traceback.
            failed = type(failed)(str(failed))
            torch.cuda.empty_cache()
        if len(items) == 1:
            return [failed]
        half = (len(items) + 1) // 2
        if out_of_memory:
            self.limit = half
            return self.run(function, items)
        return self._part(function, items[:half]) + self._part(function, items[half:])
