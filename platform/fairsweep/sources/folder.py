"""A folder of pictures with a metadata.csv or metadata.jsonl: file_name and a column of captions."""

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice

from fairsweep.errors import first_line
from fairsweep.sources.base import Part, Row, Source, SourceError, beside, check_column
from fairsweep.sources.locations import Location

METADATA = ("metadata.csv", "metadata.jsonl")
FILE = "file_name"
_ROWS = 10_000


class Folder(Source):
    """Pictures as files; the metadata is read in parts of so many rows."""

    @classmethod
    def fits(cls, root: Location) -> bool:
        return any((root / name).is_file() for name in METADATA)

    def parts(self) -> list[Part]:
        path = next(self.base / name for name in METADATA if (self.base / name).is_file())
        try:
            first = next(records(path), None)
            if first is None:
                raise SourceError(f"data: {path} has no rows")
            for column in (FILE, self.caption):
                check_column(column, list(first), path)
            count = sum(1 for _ in records(path))
        except (ValueError, OSError, csv.Error) as error:
            raise SourceError(f"data: {path}: {first_line(error)}") from None
        return [Part(path, start, min(start + _ROWS, count)) for start in range(0, count, _ROWS)]

    def rows(self, part: Part, pictures: bool) -> Iterator[Row]:
        for record in islice(records(part.path), part.start, part.stop):
            name = record.get(FILE) or ""
            path = beside(self.base, name)
            if path is None:
                yield Row(None, record.get(self.caption), error=f"{name!r} names no file of {self.base}")
                continue
            reference, picture, error = str(path), None, None
            if pictures:
                try:
                    picture = path.read_bytes()
                except OSError as reason:
                    error = f"{reference}: {reason.strerror or first_line(reason)}"
            yield Row(reference, record.get(self.caption), picture, error=error)


def records(path: Location) -> Iterator[dict]:
    """Yield the rows of a metadata file."""
    with path.open("rb") as data, io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".csv":
            yield from csv.DictReader(file)
            return
        for line in file:
            if line.strip():
                record = json.loads(line)
                yield record if isinstance(record, dict) else {}
