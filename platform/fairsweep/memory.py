"""Keep the memory that tensors free, so that a small model on a CPU does not have it mapped anew at every step."""

import ctypes
import platform

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
