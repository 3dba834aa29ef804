"""A store as the explorer holds it open: its connection, what can be chosen there, and what is laid ready of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import duckdb

from fairsweep.pages import explore, look, pictures
from fairsweep.pages.explore import Choice
from fairsweep.pages.look import Look
from fairsweep.pages.thumbnails import Thumbnails
from fairsweep.store import Store
from fairsweep.store.files import Files
from fairsweep.store.pictures import as_png

SMALL = 160
# How old what is shown of a store may be, where a sweep goes on writing to it.
_FRESH_SECONDS = 5


@dataclass(frozen=True)
class Offer:
    """What there is to choose from in a sweep: each part of a choice, the groups of attributes, unguided settings."""

    options: dict[str, list[str]]
    groups: dict[str, list[str]]
    unguided: list[str]


class OpenStore:
    """One store behind one connection: whoever uses `sql` holds `lock`."""

    sql: duckdb.DuckDBPyConnection

    def __init__(self, root: str):
        self.store = Store(root)
        self.lock = RLock()
        self.thumbnails = Thumbnails(self._small)
        self._files: dict[str, Files] | None = None
        self._gathered: Choice | None = None
        self._looked = 0.0
        self.follow()

    def follow(self) -> None:
        """Connect anew where the store has other files than it had; hold the lock."""
        if self._files is not None and time.monotonic() - self._looked < _FRESH_SECONDS:
            return
        files = self.store.files()
        if files != self._files:
            self.sql = explore.connect(str(self.store.root))
            self._files, self._gathered = files, None
            self._offers: dict[str, Offer] = {}
            self.sweeps = explore.sweeps(self.sql, str(self.store.root))
            self.thumbnails.forget()
        self._looked = time.monotonic()

    def look(self, parameters: Any) -> Look:
        """Return what the parameters of an address ask for; hold the lock."""
        asked = parameters.get("sweep")
        sweep = asked if asked in self.sweeps else self.sweeps[0]
        if sweep not in self._offers:
            self._offers[sweep] = Offer(
                explore.options(self.sql, sweep), explore.groups(self.sql, sweep), explore.unguided(self.sql, sweep)
            )
        found = look.read(parameters, sweep, self._offers[sweep].options, self._offers[sweep].groups)
        if asked not in (None, "", sweep):
            found = look.noted(found, f"There is no sweep “{asked}” here: this is “{sweep}”.")
        return found

    def offer(self, sweep: str) -> Offer:
        """Return what there is to choose from in a sweep that was looked at."""
        return self._offers[sweep]

    def gather(self, choice: Choice) -> None:
        """Lay the pictures of a choice ready, once; hold the lock."""
        if choice != self._gathered:
            explore.gather(self.sql, choice)
            self._gathered = choice

    def picture(self, image_id: str) -> bytes | None:
        """Return a picture at its full size as PNG; None for one that cannot be read."""
        found = self._open([image_id])
        return as_png(found[image_id]) if image_id in found else None

    def _small(self, image_ids: Sequence[str]) -> dict[str, bytes]:
        return {key: pictures.small(picture, SMALL) for key, picture in self._open(image_ids).items()}

    def _open(self, image_ids: Sequence[str]) -> dict:
        with self.lock:
            files = pictures.located(self.sql, image_ids)
        return pictures.open_located(self.store, files)
