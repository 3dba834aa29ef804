"""The pictures that a sweep's images start from, read out of its store."""

from collections.abc import Sequence

from PIL import Image

from fairsweep.errors import first_line
from fairsweep.sources.base import SourceError
from fairsweep.sources.pictures import open_pictures
from fairsweep.store import Store
from fairsweep.store.files import DamageError
from fairsweep.store.pictures import read_or_refer

Opened = Image.Image | SourceError


class EditedPictures:
    """Open the source pictures of plan rows; those of the last batch are kept, which the next one mostly has too."""

    def __init__(self, store: Store, sweep: str):
        self._place, self._key = store.place, store.sources_key(sweep)
        self._held: dict[str, Opened] = {}

    def open(self, rows: Sequence[dict]) -> list[Opened]:
        """Return the picture that each row starts from, as RGB, or why it cannot be had."""
        ids = {row["source"] for row in rows}
        new = ids - self._held.keys()
        self._held = {key: picture for key, picture in self._held.items() if key in ids}
        if new:
            try:
                self._held |= open_pictures(read_or_refer(self._place, self._key, new))
            except (DamageError, OSError) as error:
                lost = SourceError(f"{self._key}: {first_line(error)}")
                return [self._held.get(row["source"], lost) for row in rows]
        missing = SourceError(f"{self._key} holds no such picture: the next run copies it anew")
        return [self._held.get(row["source"], missing) for row in rows]
