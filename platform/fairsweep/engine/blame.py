"""Tell what is a model's own fault from what is the matter with one place or one moment, and how an actor ended."""

import errno
import traceback

from fairsweep.engine.events import Answer
from fairsweep.errors import ClusterError, FairsweepError, reason
from fairsweep.memory import is_out_of_memory

_PLACE_ERRORS = {errno.ENOSPC, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT}
# Of a network that is away, by class name: the Hub's client has several.
_NETWORK_ERRORS = {"ConnectError", "ConnectTimeout", "ReadTimeout", "ConnectionError", "AcceleratorError"}


def own_fault(error: BaseException) -> bool:
    """Tell whether something could be loaded nowhere: it is missing, gated, or its files are wrong.

    All else (no memory, no room, no network, a card that cannot run it, a device's error) may be better elsewhere.
    """
    return isinstance(error, FairsweepError) and not any(_of_a_place(cause) for cause in _causes(error))


def hindrance(what: str, error: Exception) -> Answer:
    """Return the answer of an actor that could not load something: refused for its own fault, else not ready here."""
    why = str(error) if isinstance(error, FairsweepError) else f"{what}: {reason(error)}"
    trace = "".join(traceback.format_exception(error))
    return Answer(refused=why, traceback=trace) if own_fault(error) else Answer(unready=why, traceback=trace)


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _of_a_place(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return (
        isinstance(error, MemoryError | ClusterError)
        or is_out_of_memory(error)
        or (isinstance(error, OSError) and error.errno in _PLACE_ERRORS)
        or bool(names & _NETWORK_ERRORS)
    )


def ending(error: Exception) -> str:
    """Return in a few words how an actor ended, from the many that Ray says."""
    if "running low on memory" in str(error):
        return "its process ended (its node ran low on memory, and Ray ended it)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if any(word in line for word in ("memory", "killed", "SIG", "exit"))]
    last = (causes or lines or [type(error).__name__])[-1]
    return f"its process ended ({last.rpartition('Worker exit detail: ')[2].partition('. ')[0][:200]})"
