"""The base views: one row per thing, columns of known types even while no file is there."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.measure.sql import listed
from fairsweep.store.files import DataFile, Files
from fairsweep.store.names import shard_name
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

# Those that the sweep's spec, as it is now, goes by; stores that were joined may hold one twice.
DECISIONS = """
create or replace view decisions as
select decision_rows.* exclude (rule)
from decision_rows
join settings using (sweep, model, setting)
where list_contains(settings.rules, decision_rows.rule)
qualify row_number() over (
    partition by sweep, model, setting, prompt, attribute, kind, round, rule order by evidence
) = 1
"""

# Both from plan_rows: `planned` and `settings` may be others where sweeps stand side by side, see beside.py.
PLANNED = "select * exclude (scales, pilot) from plan_rows where pilot is not true"
TRIED = "hash(image_id) in (select hash(image_id) from image_rows)"
# Up to so many images a look at each id takes less than anybody notices.
MOST_LOOKED_AT = 200_000


def create(connection: duckdb.DuckDBPyConnection, files: dict[str, Files]) -> None:
    """Create the views that metrics read: plan, images, pictures, labels, features, decisions, and what lies beside.

    planned: every image of the result; plan: those of them that metrics speak of, see `leave_out_pending`.
    """
    for kind in ("targets", "settings"):
        _view(connection, kind, kind, files[kind])
    _view(connection, "plan_rows", "plan", files["plan"])
    for name in ("planned", "plan"):
        connection.execute(f"create or replace view {name} as {PLANNED}")
    _view(connection, "reference_shares", "references", files["references"])
    _view(connection, "calibration_counts", "calibration", files["calibration"])
    _view(connection, "source_files", "sources", files["sources"], {"filename": None})
    connection.execute("create or replace view sources as select image_id, sweep, name, groups from source_files")
    _view(connection, "encoder_test_rows", "encoder_tests", files["encoder_tests"])
    _view(connection, "encoder_similarities", "encoder_similarities", files["encoder_similarities"])
    _view(connection, "data_rows", "data", files["data"], {"source": "source"})
    _view(connection, "match_rows", "matches", files["matches"])
    _view(connection, "matchings", "matchings", files["matchings"])
    _view(connection, "decision_rows", "decisions", files["decisions"])
    connection.execute(DECISIONS)
    folders = {"model": "model", "setting": "guidance", "filename": None}
    _view(connection, "image_files", "images", files["images"], folders, "image_id")
    columns = [name for name in FOLDERS["images"].names if name != "image"]
    connection.execute(
        f"create or replace view image_rows as select {', '.join(columns)}, model, setting from image_files"
    )
    connection.execute(SETTLED.format(name="images", source="image_rows", key="image_id", newest="created desc"))
    connection.execute(
        "create or replace view pictures as "
        "select image_id, model, setting, image, filename from image_files where error is null"
    )
    key = "image_id, classifier, attribute"
    _view(connection, "label_rows", "labels", files["labels"], {"classifier": "classifier"}, key)
    connection.execute(
        "create or replace view label_rows_shown as "
        "select * exclude (embedding) from label_rows where attribute <> '_image'"
    )
    connection.execute(SETTLED.format(name="labels", source="label_rows_shown", key=key, newest="seconds"))
    connection.execute(
        "create or replace view features as "
        "select image_id, classifier, score, embedding, seconds from label_rows "
        "where attribute = '_image' and error is null"
    )


def leave_out_pending(connection: duckdb.DuckDBPyConnection, files: dict[str, Files]) -> None:
    """Let `plan` hold no image that is still to be made: it is neither there nor missing. One that failed is missing.

    A store without any image file holds what was made elsewhere. Of a large store numbers tell whether an image is to
    be made, since a finished one is to be read as fast as can be: where one has images that no plan names any more, or
    failures beside the images that were made since, those to be made may stay in `plan`, as failed.
    """
    planned, tried = (sum(map(_rows, files[kind].paths)) for kind in ("plan", "images"))
    if not tried:
        return
    # Those whose images are made here: what came in from elsewhere may have none.
    rows = connection.execute("select distinct sweep from settings where readers is not null order by all").fetchall()
    ours = listed([row[0] for row in rows])
    pending = f"select 1 from planned anti join image_rows using (image_id) where sweep in ({ours}) limit 1"
    small = max(planned, tried) <= MOST_LOOKED_AT
    if rows and (connection.execute(pending).fetchall() if small else planned > tried):
        connection.execute(f"create or replace view plan as {PLANNED} and ({TRIED} or sweep not in ({ours}))")


def _rows(path: Path) -> int:
    shard = shard_name(path.name)
    return pq.ParquetFile(path).metadata.num_rows if shard is None or shard.rows is None else shard.rows


def _view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    kind: str,
    files: Files,
    folders: dict[str, str | None] | None = None,
    key: str = "",
) -> None:
    """Create one view over the files of a kind.

    folders: column -> the partition's folder that its values are read from; None: the file's own path.
    key: what tells rows of `later` files that stand in older files too.
    """
    folders = folders or {}
    query = _union(kind, files.base, folders)
    if files.later:
        later = _union(kind, files.later, folders)
        # A failure takes the place of a failure alone.
        same = " and ".join(f"base.{name} = later.{name}" for name in key.split(", "))
        query = (
            f"select * from ({query}) as base anti join ({later}) as later "
            f"on {same} and (base.error is null) = (later.error is null) union all by name {later}"
        )
    connection.execute(f'create or replace view "{name}" as {query}')


def _union(kind: str, files: list[DataFile], folders: dict[str, str | None]) -> str:
    """Compose the query of all rows of the files, which may have been written with fewer columns."""
    by_columns: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        by_columns.setdefault(file.columns, []).append(file.path)
    selects = [_select(kind, columns, paths, folders) for columns, paths in by_columns.items()]
    if not selects:
        typed = [f'null::{_duckdb_type(field.type)} as "{field.name}"' for field in FOLDERS[kind]]
        selects = [f"select {', '.join(typed + [f'null::varchar as {column}' for column in folders])} where false"]
    return " union all ".join(selects)


def _select(kind: str, columns: tuple[str, ...], paths: list[Path], folders: dict[str, str | None]) -> str:
    chosen = [
        f'"{field.name}"' if field.name in columns else f'null::{_duckdb_type(field.type)} as "{field.name}"'
        for field in FOLDERS[kind]
    ]
    for column, folder in folders.items():
        # Read off the path's end: DuckDB's own reading would take a folder above the store for a partition, too.
        value = "filename" if folder is None else f"url_decode(regexp_extract(filename, '.*/{folder}=([^/]*)/', 1))"
        chosen.append(f"{value} as {column}")
    named = ", filename = true" if folders else ""
    return f"select {', '.join(chosen)} from read_parquet([{listed(paths)}], hive_partitioning = false{named})"


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
