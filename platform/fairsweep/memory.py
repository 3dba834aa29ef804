"""Memory and cores: what a process keeps of them, gives back, and may take; and how a lack of memory shows."""

import ctypes
import gc
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 1 << 30


def keep_freed_memory() -> None:
    """Let this process reuse up to 1 GiB of freed memory instead of returning it to the system.

    The GNU C library gives memory back after each large operation of a denoiser and has every page of it mapped and
    cleared anew for the next. One arena, because others are unmapped whole, whatever the threshold. To be called
    before threads start; without effect on other C libraries.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in ((_TRIM_THRESHOLD, _KEPT_BYTES), (_MMAP_THRESHOLD, _KEPT_BYTES), (_ARENA_MAX, 1)):
            libc.mallopt(option, value)


def sleep_while_waiting() -> None:
    """Let OpenMP's threads sleep while they wait for one another, unless the user says otherwise.

    Those that spin take the core from what they wait for, and a process crawls, at several times the CPU time, as soon
    as anything else runs on its machine. To be called before torch loads its OpenMP, which reads this once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def loading() -> Iterator[None]:
    """Keep Python's search for cycles away while libraries and models are loaded.

    What they make stays, and would be gone through again and again as it grows: a seventh of the time of an import.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def give_back() -> None:
    """Return to the system, and to the card's other users, what dropped models held."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that the card's memory is used up, whichever library says it."""
    import torch

    # cuBLAS and cuDNN allocate for themselves and raise plain errors.
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in str(error) for sign in ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "out of memory")
    )
