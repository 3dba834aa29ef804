"""Small pictures for the explorer's walls: those of a wall are read together, a few at a time, while the page loads."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from fairsweep.errors import FairsweepError
from fairsweep.store.files import DamageError

# A damaged file, one that was merged into another since, or a place that is away.
UNREADABLE = (DamageError, FairsweepError, OSError)
# Pictures read at once, so that the first ones are there before the last ones are read.
_BATCH = 12
# Some 6 KiB each.
_KEPT = 5_000


class Thumbnails:
    """The small pictures that walls have asked for lately, by image id."""

    def __init__(self, read: Callable[[Sequence[str]], dict[str, bytes]]):
        """read: returns those of these pictures that can be read."""
        self._read = read
        self._pool = ThreadPoolExecutor(2)
        self._jobs: OrderedDict[str, Future[dict[str, bytes]]] = OrderedDict()
        self._lock = Lock()

    def want(self, image_ids: Sequence[str]) -> None:
        """Begin to read pictures that are soon asked for."""
        with self._lock:
            fresh = [key for key in dict.fromkeys(image_ids) if key not in self._jobs]
            for start in range(0, len(fresh), _BATCH):
                batch = fresh[start : start + _BATCH]
                job = self._pool.submit(self._readable, batch)
                self._jobs.update(dict.fromkeys(batch, job))
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)

    def get(self, image_id: str) -> bytes | None:
        """Return a small picture; None for one that cannot be read."""
        self.want([image_id])
        with self._lock:
            job = self._jobs[image_id]
        return job.result().get(image_id)

    def forget(self) -> None:
        """Read everything again that is asked for from now on."""
        with self._lock:
            self._jobs.clear()

    def _readable(self, image_ids: Sequence[str]) -> dict[str, bytes]:
        """Read pictures; a damaged file costs those of its own alone."""
        try:
            return self._read(image_ids)
        except UNREADABLE:
            if len(image_ids) == 1:
                return {}
        return {key: picture for one in image_ids for key, picture in self._readable([one]).items()}
