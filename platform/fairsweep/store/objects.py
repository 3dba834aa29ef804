"""What a bucket is asked, on S3, Google Cloud or Azure: tried again where that is safe, and every error in one line."""

import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import from_url

from fairsweep.errors import StoreError, first_line
from fairsweep.store.places import Entry

_TRIES = 4
_RIGHTS = "rights come from the environment (AWS_ACCESS_KEY_ID, ...) or from the machine's role"
# Without a key in the environment Amazon's machines are asked for their role here, and no other machine answers.
_ROLE = "/latest/api/token"
_TIMEOUT = 60.0
_LONGEST = 200
# Below this, one request; a request that is cut short costs no more than one part.
_PART = 2**23
# Bytes a second.
_SLOWEST = 2**19
# Parts so close to each other come in one request.
_NEAR = 2**16
# An object that is written to see when.
_CLOCK = ".clock"
_CONFLICT = (AlreadyExistsError, PreconditionError)
Answer = TypeVar("Answer")


class ConflictError(Exception):
    """Say that something else lies under the key by now than what was to be replaced."""


class Objects:
    """The objects below an address; rights come from the environment or from the machine, and are kept nowhere."""

    def __init__(self, address: str, objects: Any = None):
        self.address = address
        self._objects = objects or _connected(address)
        self._given = objects is not None

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return what lies under a key, and its version; None where nothing does."""
        try:
            return self._ask(lambda: _content(obstore.get(self._objects, key)))
        except FileNotFoundError:
            return None

    def head(self, key: str) -> Entry | None:
        """Return what a listing would say of a key; None where nothing lies there."""
        try:
            return _entry(self._ask(lambda: obstore.head(self._objects, key)))
        except FileNotFoundError:
            return None

    def ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        """Return parts of what lies under a key, each some bytes from a start; raises FileNotFoundError."""
        asked = self._ask(
            lambda: obstore.get_ranges(self._objects, key, starts=starts, lengths=lengths, coalesce=_NEAR)
        )
        return [bytes(part) for part in asked]

    def fetch(self, entry: Entry, path: Path) -> None:
        """Write what lies under a key into a file, part by part; raises FileNotFoundError."""
        with open(path, "wb") as file:
            for start in range(0, entry.size, _PART):
                file.write(self.ranges(entry.key, [start], [min(_PART, entry.size - start)])[0])

    def put(self, key: str, data: bytes | Path) -> None:
        """Put bytes, or a file's, under a key, in place of what was there; to do so twice does no harm."""
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        # In parts, a large file appears whole at the end all the same.
        self._put(key, data, use_multipart=size > 4 * _PART, chunk_size=_PART)

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Put bytes where this version lies, or nothing (None), and return theirs; raises ConflictError.

        The bytes must be the caller's own, such as nobody else would put: where the answer got lost, what lies there
        tells whether they arrived.
        """
        mode = "create" if version is None else _condition(version)
        # A condition holds for one request alone, however large: it gets the time that it takes.
        patient = len(data) > 4 * _PART and not self._given
        objects = _connected(self.address, len(data) / _SLOWEST) if patient else self._objects
        for attempt in range(_TRIES):
            try:
                return _version(self._put(key, data, objects, mode=mode))
            except (*_CONFLICT, StoreError) as error:
                there = self.get(key)
                if there and there[0] == data:
                    return there[1]
                if isinstance(error, _CONFLICT):
                    raise ConflictError(key) from None
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def create(self, key: str, data: bytes) -> bool:
        """Put bytes where nothing lies; tell whether the server says that it did."""
        try:
            self._put(key, data, mode="create")
            return True
        except _CONFLICT:
            return False

    def update(self, key: str, data: bytes, version: str) -> bool:
        """Put bytes where this version lies; tell whether the server says that it did."""
        try:
            self._put(key, data, mode=_condition(version))
            return True
        except _CONFLICT:
            return False

    def now(self) -> float:
        """Return the time by the server's clock, in seconds; for who may write."""
        self.put(_CLOCK, b"")
        entry = self.head(_CLOCK)
        return entry.stamp / 1e9 if entry else time.time()

    def entries(self, folder: str) -> list[Entry]:
        """Return everything below a folder."""
        prefix = f"{folder}/" if folder else None
        return self._ask(lambda: [_entry(each) for part in obstore.list(self._objects, prefix) for each in part])

    def any(self) -> bool:
        """Tell whether there is anything at all."""
        return self._ask(lambda: any(len(part) for part in obstore.list(self._objects, chunk_size=1)))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove what lies under keys, if anything does."""
        with suppress(FileNotFoundError):
            self._ask(lambda: obstore.delete(self._objects, list(keys)))

    def copy(self, key: str, to: str) -> None:
        """Put under another key what lies under this one; raises FileNotFoundError."""
        self._ask(lambda: obstore.copy(self._objects, key, to))

    def _put(self, key: str, data: bytes | Path, objects: Any = None, **options) -> Any:
        try:
            return self._ask(lambda: obstore.put(objects or self._objects, key, data, **options))
        except FileNotFoundError:
            raise StoreError(f"cannot write to {self.address}: there is no such bucket") from None

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        for attempt in range(_TRIES):
            try:
                return call()
            except _CONFLICT:
                raise
            except (PermissionDeniedError, UnauthenticatedError):
                raise StoreError(f"no right to use {self.address}: {_RIGHTS}") from None
            except BaseError as error:
                if "NoSuchBucket" in str(error):
                    raise StoreError(f"cannot read {self.address}: there is no such bucket") from None
                if attempt == _TRIES - 1 and _ROLE in str(error):
                    raise StoreError(f"no right to use {self.address}: {_RIGHTS}") from None
                if attempt == _TRIES - 1:
                    raise StoreError(f"cannot reach {self.address}: {_public(error)}") from None
                time.sleep(0.1 * 4**attempt)
        raise AssertionError("the last try returns or raises")


def shared(address: str) -> Objects:
    """Return this process's client of an address, for those that go from process to process without one."""
    return _shared(address, _endpoint(address))


@cache
def _shared(address: str, endpoint: str | None) -> Objects:
    return Objects(address)


def _endpoint(address: str) -> str | None:
    """Return the server that the environment names for S3, if it names one."""
    if not address.startswith("s3"):
        return None
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def _connected(address: str, more: float = 0.0) -> Any:
    """Return a client. more: seconds that one request may take beyond the usual."""
    options: dict[str, Any] = {"timeout": timedelta(seconds=_TIMEOUT + more), "connect_timeout": "5s"}
    config: dict[str, Any] = {}
    endpoint = _endpoint(address)
    if endpoint:
        config["endpoint"] = endpoint
        options["allow_http"] = endpoint.startswith("http://")
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2}
    retry = {"max_retries": 6, "retry_timeout": timedelta(seconds=60), "backoff": backoff}
    try:
        return from_url(address, config=config, client_options=options, retry_config=retry)  # type: ignore[call-overload]
    except (BaseError, ValueError) as error:
        raise StoreError(f"cannot use {address}: {_public(error)}") from None


def _content(answer) -> tuple[bytes, str]:
    return bytes(answer.bytes()), _version(answer.meta)


def _entry(meta: Any) -> Entry:
    return Entry(meta["path"], meta["size"], int(meta["last_modified"].timestamp() * 1e9), _version(meta))


def _version(meta: Any) -> str:
    # S3 and Azure compare the one, Google Cloud the other.
    return f"{meta.get('e_tag') or ''} {meta.get('version') or ''}"


def _condition(version: str) -> dict[str, str]:
    tag, _, number = version.rpartition(" ")
    return {key: value for key, value in (("e_tag", tag), ("version", number)) if value}


def _public(error: BaseException) -> str:
    """Return an error's first line without what an address may carry: a user, a password, a signature."""
    line = re.sub(r"//[^/\s@]*@", "//", first_line(error))
    return re.sub(r"\?\S*", "", line)[:_LONGEST]
