"""What an import reads: a file of rows, its columns under fairsweep's names, and errors that name the row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.attributes import NO_GROUPS
from fairsweep.errors import ImportDataError, first_line
from fairsweep.imports.table import read_texts
from fairsweep.textfile import unfit

MISSING = NO_GROUPS
COLUMNS = ("prompt", "model", "setting", "seed", "image", "attribute", "label", "group", "count")
_DIGITS = 18


@dataclass(frozen=True)
class Source:
    """What an import reads, and the names that its file does not say itself.

    columns: fairsweep's name -> the file's. groups: attribute -> its declared groups, in order.
    """

    path: Path
    name: str
    columns: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    model: str | None = None
    classifier: str = "imported"
    baseline: str | None = None


def read_table(source: Source) -> pa.Table:
    """Read a CSV, JSON or Parquet file as texts; its columns get fairsweep's names, and `row` counts from 1."""
    table = read_texts(source.path)
    for theirs in source.columns.values():
        require(source, table, theirs)
    taken = {*source.columns, *source.columns.values()}
    names = {name: name for name in table.column_names if name not in taken} | source.columns
    return pa.table({ours: table[theirs] for ours, theirs in names.items()})


def holds_images(source: Source) -> bool:
    """Tell whether a Parquet file has a column of images."""
    if source.path.suffix.lower() != ".parquet" or not source.path.is_file():
        return False
    try:
        schema = pq.read_schema(source.path)
    except (pa.ArrowException, OSError) as error:
        raise ImportDataError(f"{source.path}: {first_line(error)}") from None
    column = source.columns.get("image", "image")
    if column not in schema.names:
        return False
    kind = schema.field(column).type
    return pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def cell(source: Source, row: dict) -> dict[str, str]:
    """Return the model, the setting and the prompt of a row; raises ImportDataError for what is no text."""
    named = {
        "model": row.get("model") or source.model or source.path.stem,
        "setting": row.get("setting") or "none",
        "prompt": row["prompt"],
    }
    if named["prompt"] is None or not str(named["prompt"]).strip():
        raise bad_row(source, row, "the prompt is empty")
    texts = {name: str(value) for name, value in named.items()}
    for name, text in texts.items():
        if reason := unfit(text):
            raise bad_row(source, row, f"{name}: {reason}")
    return texts


def whole(source: Source, row: dict, value: object, what: str, least: int) -> int:
    """Return a whole number from `least` on that a cell holds as text or as a number."""
    text = "" if value is None else str(value).strip()
    try:
        number = Decimal(text) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number.adjusted() > _DIGITS - 1 or number != int(number) or number < least:
        excerpt = f"{text[:40]}" if text else "empty"
        raise bad_row(source, row, f"{what} is {excerpt}: expected a whole number from {least}")
    return int(number)


def seed_of(source: Source, row: dict) -> int | None:
    """Return a row's seed; None where there is none."""
    seed = row.get("seed")
    return None if seed is None else whole(source, row, seed, "the seed", 0)


class Once:
    """Refuse what stands in two rows: it would be counted twice."""

    def __init__(self, source: Source):
        self._source = source
        self._rows: dict[tuple, int] = {}

    def add(self, row: dict, what: str, *key: object) -> None:
        """Remember the key of a row; raises ImportDataError for one that an earlier row had."""
        first = self._rows.setdefault((what, *key), row["row"])
        if first != row["row"]:
            excerpt = " / ".join(str(part) for part in key)
            raise bad_row(self._source, row, f"{what} {excerpt} is in row {first} already")


def apart(names: Iterable[str], long: str) -> None:
    """Refuse names that stand for something else in a file with a column for each; long: the way out."""
    for name in names:
        if name in (*COLUMNS, "row"):
            raise ImportDataError(f"--groups: a column {name!r} is no count and no label: use {long}")


def require(source: Source, table: pa.Table, column: str) -> None:
    """Refuse a table without this column."""
    if column not in table.column_names:
        had = listed(name for name in table.column_names if name != "row")
        raise ImportDataError(
            f"{source.path}: row 1 has no column {column!r}, only {had}; name it with --column {column}=THEIRS"
        )


def bad_row(source: Source, row: dict, reason: str) -> ImportDataError:
    """Return the error that names the file, the row and the reason."""
    return ImportDataError(f"{source.path}: row {row['row']}: {reason}")


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them."""
    return ", ".join(str(name) for name in names)
