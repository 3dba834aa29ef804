"""Read a CSV, JSON or Parquet file as texts: who needs a number converts it, so that a model 1.10 stays 1.10."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from fairsweep.errors import ImportDataError, first_line

_DELIMITERS = ",;\t"
_FLAT = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)


def read_texts(path: Path) -> pa.Table:
    """Return a file's flat columns as strings, and a column `row` that counts from 1; raises ImportDataError.

    The name is taken literally. Empty cells are null.
    """
    readers = {".csv": _csv, ".json": _json, ".jsonl": _json, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ImportDataError(f"{path}: expected a .csv, .json, .jsonl or .parquet file")
    if not path.is_file():
        raise ImportDataError(f"{path}: there is no such file")
    try:
        table = reader(path)
    except UnicodeError:
        raise ImportDataError(f"{path}: it is not UTF-8 text") from None
    except RecursionError:
        raise ImportDataError(f"{path}: nested too deeply") from None
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise ImportDataError(f"{path}: {first_line(error)}") from None
    for name in table.column_names:
        if not name or table.column_names.count(name) > 1:
            raise ImportDataError(f"{path}: {f'two columns are called {name!r}' if name else 'a column has no name'}")
    if table.num_rows == 0:
        raise ImportDataError(f"{path}: the file has no rows")
    rows = pa.array(range(1, table.num_rows + 1))
    return table.drop_columns(["row"] if "row" in table.column_names else []).append_column("row", rows)


def _csv(path: Path) -> pa.Table:
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    if not first.strip():
        raise ValueError("the file has no header")
    delimiter = max(_DELIMITERS, key=first.count)
    names = next(csv.reader([first], delimiter=delimiter, strict=True))
    if len(set(names)) < len(names):
        return pa.table([pa.array([], pa.string()) for _ in names], names)
    return arrow_csv.read_csv(
        str(path),
        arrow_csv.ReadOptions(column_names=names, skip_rows=1),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _json(path: Path) -> pa.Table:
    text = path.read_text(encoding="utf-8-sig")
    # Numbers stay as they are written.
    loads = partial(json.loads, parse_float=str, parse_int=str, parse_constant=str)
    if text.lstrip().startswith("["):
        rows = loads(text)
    else:
        rows = [loads(line) for line in text.splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number}: expected an object with a value per column")
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names})


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return None if value is None else json.dumps(value)


def _parquet(path: Path) -> pa.Table:
    file = pq.ParquetFile(path)
    flat = [field.name for field in file.schema_arrow if not any(test(field.type) for test in _FLAT)]
    table = file.read(columns=flat)
    return pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
