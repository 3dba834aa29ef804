import weakref

import torch

from fairsweep.engine.halving import Halving
from fairsweep.errors import reason


def test_one_bad_item_costs_only_itself():
    calls = []

    def double(items):
        calls.append(len(items))
        if 13 in items:
            raise ValueError("unlucky\nand more")
        return [2 * item for item in items]

    results = Halving().run(double, list(range(16)))
    assert [result for result in results if not isinstance(result, Exception)] == [2 * n for n in range(16) if n != 13]
    assert reason(results[13]) == "ValueError: unlucky"
    assert len(calls) == 9


def test_the_size_that_memory_allows_is_remembered():
    calls = []

    def work(items):
        calls.append(len(items))
        if len(items) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return items

    halving = Halving()
    assert halving.run(work, list(range(16))) == list(range(16))
    assert halving.limit == 4
    calls.clear()
    assert halving.run(work, list(range(16))) == list(range(16))
    assert calls == [4, 4, 4, 4]


def test_a_limit_that_shrinks_on_the_way_holds_at_once():
    calls = []

    def work(items):
        calls.append(len(items))
        if len(items) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return items

    halving = Halving()
    halving.limit = 8
    assert halving.run(work, list(range(16))) == list(range(16))
    assert calls == [8, 4, 4, 4, 4]


def test_what_a_failed_call_held_is_free_while_its_halves_run():
    held, kept = [], []

    def work(items):
        kept.append(sum(reference() is not None for reference in held))
        latents = torch.zeros(len(items))
        held.append(weakref.ref(latents))
        if 3 in items:
            try:
                latents.reshape(99)
            except RuntimeError as cause:
                raise ValueError("unlucky") from cause
        return items

    results = Halving().run(work, [1, 2, 3, 4])
    assert [isinstance(result, ValueError) for result in results] == [False, False, True, False]
    assert kept == [0] * 5


def test_what_never_fits_fails_alone():
    def work(items):
        raise torch.OutOfMemoryError("CUDA out of memory")

    results = Halving().run(work, [1, 2, 3])
    assert [reason(result) for result in results] == ["OutOfMemoryError: CUDA out of memory"] * 3


def test_too_few_results_are_an_error():
    assert all(isinstance(result, ValueError) for result in Halving().run(lambda items: [], [1, 2]))
