"""The lock of a store in a bucket: an object that names who writes and until when, and a number that only rises.

A holder renews it while it lives. After its time, by the bucket's own clock, or where its process on this machine has
ended, the next writer takes it over with a higher number: what the old holder then writes under its own is refused.
"""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from fairsweep.errors import StoreError
from fairsweep.store.objects import ConflictError, Objects, shared
from fairsweep.store.places import busy

KEY = ".lease.json"
PROBE = ".probe"
SECONDS = 60.0
_RENEWALS = 4


@dataclass(frozen=True)
class Term:
    """What the object says. machine, process, began: what tells on the same machine whether the holder still lives.

    until: by the holder's clock, for people. seconds: how long it holds from its last renewal on.
    """

    number: int
    holder: str
    until: float
    token: str
    machine: str = ""
    process: int = 0
    began: str = ""
    released: bool = False
    seconds: float = SECONDS

    @property
    def ended(self) -> bool:
        """Tell whether the holder has let go of it, or was a process of this machine that has ended."""
        here = bool(self.machine) and self.machine == _machine()
        return self.released or (here and self.began != _began(self.process))

    @property
    def content(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class Lease:
    """The right to write, renewed in the background; number: higher than that of every holder before."""

    def __init__(self, objects: Objects, seconds: float):
        self._objects, self._seconds = objects, seconds
        self._lost = ""
        self._ended = threading.Event()
        self.clean = True
        self._take()
        self._thread = threading.Thread(target=self._renew, daemon=True, name="lease")
        self._thread.start()

    @property
    def number(self) -> int:
        return self._term.number

    @property
    def grant(self) -> "Grant":
        """Return what a process that works for this holder needs, to know whether it still is one."""
        return Grant(self._objects.address, self._term.token)

    def check(self) -> None:
        """Raise StoreError where the lease is another's by now, or may be."""
        if not self._lost and time.monotonic() > self._good_until:
            self._lost = "the lease could not be renewed in time"
        if self._lost:
            again = "what this run has stored is kept; the same command goes on"
            raise StoreError(f"no longer the writer of {self._objects.address}: {self._lost}; {again}")

    def confirm(self) -> None:
        """Raise StoreError where the object itself names another holder, whatever the clocks say."""
        self.check()
        if not _holds(self._objects, self._term.token):
            self._lost = _taken_over(self._objects)
            self.check()

    def release(self) -> None:
        """Let the next writer in at once."""
        self._ended.set()
        self._thread.join()
        if not self._lost:
            # Taken over, or out of reach: then it ends by itself.
            with suppress(ConflictError, StoreError):
                self._put(replace(self._term, released=True))

    def _take(self) -> None:
        while True:
            there = self._objects.get(KEY)
            before = term(there[0], self._objects.address) if there else None
            if there and before and not before.ended and not self._expired(before, there[1]):
                until = datetime.fromtimestamp(before.until, UTC).strftime("%H:%M:%S UTC")
                who = f"{before.holder}, until {until} unless it goes on"
                raise busy(self._objects.address, who)
            self._term = Term(
                number=before.number + 1 if before else 1,
                holder=f"process {os.getpid()} on {socket.gethostname()}",
                until=0,
                token=uuid4().hex,
                machine=_machine(),
                process=os.getpid(),
                began=_began(os.getpid()),
                seconds=self._seconds,
            )
            self._version = there[1] if there else None
            self.clean = before is None or before.released
            try:
                self._put(self._term)
                return
            except ConflictError:
                # Another one was faster; it may hold the lease now.
                continue

    def _expired(self, before: Term, version: str) -> bool:
        """Tell whether a holder has not renewed in its time: by one clock, for those of two machines may differ."""
        entry = self._objects.head(KEY)
        if entry is None or entry.version != version:
            return False
        return self._objects.now() - entry.stamp / 1e9 > before.seconds

    def _put(self, next_term: Term) -> None:
        started = time.monotonic()
        renewed = replace(next_term, until=time.time() + self._seconds)
        self._version = self._objects.put_if(KEY, renewed.content, self._version)
        self._term, self._good_until = renewed, started + self._seconds

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWALS):
            try:
                self._put(self._term)
            except ConflictError:
                self._lost = _taken_over(self._objects)
                return
            except StoreError:
                # Out of reach for now: until the time is over it may come back.
                continue


@dataclass(frozen=True)
class Grant:
    """The right of a process that writes for a lease's holder; token: what no other holder has."""

    address: str
    token: str

    def check(self) -> None:
        """Raise StoreError where the holder is one no more."""
        if not _holds(shared(self.address), self.token):
            raise StoreError(f"no longer for the writer of {self.address}: its lease is over; the same command goes on")


def _holds(objects: Objects, token: str) -> bool:
    there = objects.get(KEY)
    now = term(there[0], objects.address) if there else None
    return now is not None and now.token == token and not now.released


def _taken_over(objects: Objects) -> str:
    there = objects.get(KEY)
    return f"it was taken over by {term(there[0], objects.address).holder if there else 'someone who removed it'}"


def term(content: bytes, address: str) -> Term:
    """Return what the object says."""
    try:
        return Term(**json.loads(content))
    except (ValueError, TypeError):
        remedy = "see that no run is writing there, and remove that object"
        raise StoreError(f"{address}/{KEY} does not say who is writing: {remedy}") from None


def probe(objects: Objects) -> None:
    """Create one key twice: raise StoreError where the server takes that, and two writers would never know."""
    if not objects.create(PROBE, b"fairsweep"):
        return
    there = objects.get(PROBE)
    if objects.create(PROBE, b"fairsweep") or (there and objects.update(PROBE, b"fairsweep", '"another" 1')):
        raise StoreError(
            f"cannot keep a store in {objects.address}: the server takes conditional writes and ignores the condition, "
            "so two runs could lose each other's files; use another server, or a folder"
        )


def _machine() -> str:
    """Return what is the same for two processes exactly if the one can see whether the other lives; "" if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(process: int) -> str:
    """Return when a process of this machine began; "" where there is none."""
    try:
        # After the name, which may hold anything, the 20th field.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
