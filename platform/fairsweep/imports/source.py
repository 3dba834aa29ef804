"""What an import reads: a file of rows, its columns under fairsweep's names, and errors that name the row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.classifiers.base import NO_FACE, UNKNOWN
from fairsweep.errors import ImportDataError, first_line

MISSING = (NO_FACE, UNKNOWN)


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
    """Read a CSV, JSON or Parquet file; its columns get fairsweep's names, and a column `row` counts from 1."""
    readers = {".csv": "read_csv", ".json": "read_json", ".jsonl": "read_json", ".parquet": "read_parquet"}
    reader = readers.get(source.path.suffix.lower())
    if reader is None:
        raise ImportDataError(f"{source.path}: expected a .csv, .json, .jsonl or .parquet file")
    if not source.path.is_file():
        raise ImportDataError(f"{source.path}: there is no such file")
    try:
        table = duckdb.connect().sql(f"from {reader}(?)", params=[str(source.path)]).to_arrow_table()
    except duckdb.Error as error:
        raise ImportDataError(f"{source.path}: {first_line(error)}") from None
    named = {theirs: ours for ours, theirs in source.columns.items()}
    for theirs in named:
        require(source, table, theirs)
    table = table.rename_columns([named.get(name, name) for name in table.column_names])
    if table.num_rows == 0:
        raise ImportDataError(f"{source.path}: the file has no rows")
    return table.append_column("row", pa.array(range(1, table.num_rows + 1)))


def holds_images(source: Source) -> bool:
    """Tell whether a Parquet file has a column of images."""
    if source.path.suffix.lower() != ".parquet" or not source.path.is_file():
        return False
    kind = pq.read_schema(source.path)
    column = source.columns.get("image", "image")
    if column not in kind.names:
        return False
    held = kind.field(column).type
    return pa.types.is_struct(held) or pa.types.is_binary(held) or pa.types.is_large_binary(held)


def cell(source: Source, row: dict) -> dict:
    """Return the model, the setting and the prompt of a row."""
    model = row.get("model") or source.model or source.path.stem
    return {"model": str(model), "setting": str(row.get("setting") or "none"), "prompt": str(row["prompt"])}


def require(source: Source, table: pa.Table, column: str) -> None:
    """Refuse a table without this column."""
    if column not in table.column_names:
        had = listed(name for name in table.column_names if name != "row")
        raise ImportDataError(
            f"{source.path}: row 1 has no column {column!r}, only {had}; name it with --column {column}=THEIRS"
        )


def check_prompt(source: Source, row: dict) -> None:
    """Refuse a row without a prompt."""
    if row["prompt"] is None or not str(row["prompt"]).strip():
        raise bad_row(source, row, "the prompt is empty")


def bad_row(source: Source, row: dict, reason: str) -> ImportDataError:
    """Return the error that names the file, the row and the reason."""
    return ImportDataError(f"{source.path}: row {row['row']}: {reason}")


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them."""
    return ", ".join(str(name) for name in names)
