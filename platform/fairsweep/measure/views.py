"""The base views: one row per thing, columns of known types even while no file is there."""

from pathlib import Path

import duckdb
import pyarrow as pa

from fairsweep.measure.sql import listed
from fairsweep.store.schemas import FOLDERS

# A failed image or label is kept until the same image or label succeeds.
SETTLED = """
create or replace view {name} as
with fine as (select * from {source} where error is null),
failed as (
    select * from {source} where error is not null
    qualify row_number() over (partition by {key} order by {newest}) = 1
)
select * from fine
union all
select failed.* from failed anti join fine using ({key})
"""


def create(connection: duckdb.DuckDBPyConnection, files: dict[str, list[Path]]) -> None:
    """Create plan, images, pictures, labels, features, targets, settings, reference_shares, calibration_counts."""
    for kind in ("plan", "targets", "settings"):
        _view(connection, kind, kind, files[kind])
    _view(connection, "reference_shares", "references", files["references"])
    _view(connection, "calibration_counts", "calibration", files["calibration"])
    folders = {"model": "model", "guidance": "setting"}
    _view(connection, "image_files", "images", files["images"], {**folders, "filename": "filename"})
    columns = [name for name in FOLDERS["images"].names if name != "image"]
    connection.execute(
        f"create or replace view image_rows as select {', '.join(columns)}, model, setting from image_files"
    )
    connection.execute(SETTLED.format(name="images", source="image_rows", key="image_id", newest="created desc"))
    connection.execute(
        "create or replace view pictures as "
        "select image_id, model, setting, image, filename from image_files where error is null"
    )
    _view(connection, "label_rows", "labels", files["labels"], {"classifier": "classifier"})
    connection.execute(
        "create or replace view label_rows_shown as "
        "select * exclude (embedding) from label_rows where attribute <> '_image'"
    )
    connection.execute(
        SETTLED.format(
            name="labels", source="label_rows_shown", key="image_id, classifier, attribute", newest="seconds"
        )
    )
    connection.execute(
        "create or replace view features as "
        "select image_id, classifier, score, embedding, seconds from label_rows "
        "where attribute = '_image' and error is null"
    )


def _view(connection, name: str, kind: str, files: list[Path], partitions: dict[str, str] | None = None) -> None:
    partitions = partitions or {}
    columns = [f'"{column}"' for column in FOLDERS[kind].names]
    if files:
        source = f"read_parquet([{listed(files)}], hive_partitioning = {bool(partitions)}, hive_types_autocast = false)"
        columns += [f'"{folder}" as "{column}"' for folder, column in partitions.items()]
        connection.execute(f'create or replace view "{name}" as select {", ".join(columns)} from {source}')
        return
    typed = [f'null::{_duckdb_type(field.type)} as "{field.name}"' for field in FOLDERS[kind]]
    typed += [f'null::varchar as "{column}"' for column in partitions.values()]
    connection.execute(f'create or replace view "{name}" as select {", ".join(typed)} where false')


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return f"map({_duckdb_type(kind.key_type)}, {_duckdb_type(kind.item_type)})"
    if pa.types.is_list(kind):
        return f"{_duckdb_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return "struct(" + ", ".join(f'"{field.name}" {_duckdb_type(field.type)}' for field in kind) + ")"
    names = {
        pa.string(): "varchar",
        pa.binary(): "blob",
        pa.bool_(): "boolean",
        pa.int32(): "integer",
        pa.int64(): "bigint",
        pa.float32(): "float",
        pa.float64(): "double",
        pa.timestamp("us"): "timestamp",
    }
    return names[kind]
