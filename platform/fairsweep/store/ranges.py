"""A file of which only the parts that are asked for are fetched, and several of them at once."""

import io
from collections.abc import Callable, Iterable, Sequence

import pyarrow.parquet as pq

# The end of a Parquet file says where everything lies.
_END = 2**16
_SMALL = 2**18

Fetch = Callable[[Sequence[int], Sequence[int]], list[bytes]]


class Ranges(io.RawIOBase):
    """Bytes that lie elsewhere. fetch: the parts that begin at these places and have these lengths."""

    def __init__(self, fetch: Fetch, size: int):
        self._fetch, self._size, self._at = fetch, size, 0
        self._parts: list[tuple[int, bytes]] = []
        self._hold([max(0, size - (size if size <= _SMALL else _END))], [min(size, size if size <= _SMALL else _END)])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, up to `size` of them."""
        left = max(0, self._size - self._at)
        length = left if size is None or size < 0 else min(size, left)
        if length == 0:
            return b""
        start, self._at = self._at, self._at + length
        for begin, data in self._parts:
            if begin <= start and start + length <= begin + len(data):
                return data[start - begin : start - begin + length]
        return self._fetch([start], [length])[0]

    def hold(self, columns: Iterable[str], groups: Iterable[int], file: pq.ParquetFile) -> None:
        """Fetch these columns of these row groups of a Parquet file at once, before they are read one by one."""
        columns, spans = set(columns), []
        for group in groups:
            row_group = file.metadata.row_group(group)
            for number in range(row_group.num_columns):
                column = row_group.column(number)
                if column.path_in_schema.split(".")[0] in columns:
                    first = column.dictionary_page_offset or column.data_page_offset
                    spans.append((min(first, column.data_page_offset), column.total_compressed_size))
        spans = [(start, length) for start, length in spans if not self._held(start, length)]
        if spans:
            self._hold([start for start, _ in spans], [length for _, length in spans])

    def _held(self, start: int, length: int) -> bool:
        return any(begin <= start and start + length <= begin + len(data) for begin, data in self._parts)

    def _hold(self, starts: list[int], lengths: list[int]) -> None:
        if self._size:
            self._parts += zip(starts, self._fetch(starts, lengths), strict=True)
