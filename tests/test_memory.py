"""What a process gives back to the system, and where it puts what does not fit."""

import ctypes
import gc
import os
import platform
import tempfile
from pathlib import Path

import pytest
import torch  # noqa: F401  What give_back would load, and be counted for.

from fairsweep.engine.generate import Generator
from fairsweep.measure.sql import in_memory
from fairsweep.memory import give_back, loading
from fairsweep.spec import SweepSpec

# Below what the C library would map, and give back, by itself.
BLOCK, BLOCKS = 100 * 1024, 2_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory otherwise")
def test_freed_memory_below_a_block_in_use_goes_back_to_the_system():
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(BLOCK) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    top = libc.malloc(BLOCK)
    held = resident()
    for block in blocks:
        libc.free(block)
    kept = held - resident()
    give_back()
    given = held - resident()
    libc.free(top)
    size = BLOCK * BLOCKS
    assert kept < size / 10, "the C library gave it back by itself: the test shows nothing"
    assert given > size * 0.9


def test_a_model_is_loaded_without_a_search_for_cycles(tiny_data):
    """But for one before and one once all is there; Python by itself makes twenty, more where libraries load."""
    searches: list[int] = []

    def note(phase: str, about: dict) -> None:
        searches.extend([about["generation"]] if phase == "start" else [])

    generator = Generator(SweepSpec.model_validate(tiny_data), "cpu")
    gc.callbacks.append(note)
    try:
        generator.load("tiny")
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled() and len(searches) <= 5
    with pytest.raises(ZeroDivisionError), loading():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_what_does_not_fit_is_spilled_beside_temporary_files(tmp_path, monkeypatch):
    here, aside = tmp_path / "here", tmp_path / "aside"
    here.mkdir()
    aside.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    with in_memory("50MB") as connection:
        connection.execute("set threads = 1")
        connection.execute("create temp table t as select range as number, hash(range) as key from range(6_000_000)")
        assert any(aside.rglob("*.tmp"))
        assert not any(here.iterdir())
    assert not any(aside.iterdir())
