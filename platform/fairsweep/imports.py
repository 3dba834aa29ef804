"""Bring in results that fairsweep did not make: counts per prompt, labels per image, or the images themselves.

Everything is checked before anything is written, and the plan, without which no metric sees the rest, comes last.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.classifiers.base import NO_FACE, UNKNOWN
from fairsweep.errors import ImportDataError
from fairsweep.schemas import LABELS, PLAN
from fairsweep.store import Store, write_table

MISSING = (NO_FACE, UNKNOWN)
MOST_IMAGES = 50_000_000


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


def import_file(store: Store, source: Source, replace: bool = False) -> str:
    """Import a file of counts or labels as the sweep `source.name`; return a line that says what came in."""
    table = read_table(source)
    if "label" in table.column_names or set(source.groups) & set(table.column_names):
        images = _labels(source, table)
    else:
        images = _counts(source, counted(source, table))
    write_sweep(store, source, images, replace)
    return f"{images.num_rows:,} labels of {len(images.column('image_id').unique()):,} images"


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
        raise ImportDataError(f"{source.path}: {str(error).splitlines()[0]}") from None
    named = {theirs: ours for ours, theirs in source.columns.items()}
    for theirs in named:
        _require(source, table, theirs)
    table = table.rename_columns([named.get(name, name) for name in table.column_names])
    if table.num_rows == 0:
        raise ImportDataError(f"{source.path}: the file has no rows")
    return table.append_column("row", pa.array(range(1, table.num_rows + 1)))


def counted(source: Source, table: pa.Table) -> list[dict]:
    """Return one checked row per prompt and group: model, setting, prompt, group, count."""
    attribute, groups = _one_attribute(source)
    _require(source, table, "prompt")
    wide = "group" not in table.column_names
    for column in [*groups] if wide else ["group", "count"]:
        _require(source, table, column)
    kept = [*groups, *(name for name in MISSING if name in table.column_names)]
    found = []
    for row in table.to_pylist():
        _prompt(source, row)
        if not wide and row["group"] not in (*groups, *MISSING):
            raise _bad(source, row, f"unknown group {row['group']!r} of {attribute}: declared are {_list(groups)}")
        for group in kept if wide else [row["group"]]:
            count = row[group if wide else "count"]
            if isinstance(count, float) and count.is_integer():
                count = int(count)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise _bad(source, row, f"the count of {group} is {count!r}: expected a whole number from 0")
            found.append({**_cell(source, row), "attribute": attribute, "group": group, "count": count})
    total = sum(row["count"] for row in found)
    if total > MOST_IMAGES:
        raise ImportDataError(
            f"{source.path}: {total:,} images are too many to import as a sweep; import the file with --as reference"
        )
    return found


def reference_rows(source: Source, rows: list[dict], reference: str) -> list[dict]:
    """Turn counts into a reference distribution: each prompt's shares and its n."""
    totals: dict[str, int] = {}
    for row in rows:
        if row["group"] not in MISSING:
            totals[row["prompt"]] = totals.get(row["prompt"], 0) + row["count"]
    return [
        {
            "reference": reference,
            "prompt_name": row["prompt"],
            "attribute": row["attribute"],
            "group": row["group"],
            "share": row["count"] / totals[row["prompt"]],
            "n": totals[row["prompt"]],
        }
        for row in rows
        if row["group"] not in MISSING and totals[row["prompt"]]
    ]


def referred(source: Source, reference: str) -> list[dict]:
    """Return the reference rows of the counts whose setting is `reference`."""
    rows = [row for row in counted(source, read_table(source)) if row["setting"] == reference]
    if not rows:
        raise ImportDataError(f"{source.path}: no row has the setting {reference!r} that --reference names")
    return reference_rows(source, rows, reference)


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


def _counts(source: Source, rows: list[dict]) -> pa.Table:
    """Give each counted image a row; without seeds, so that nothing pairs what was never paired."""
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist(rows))
    return connection.sql(
        """select md5(concat_ws(chr(0), $1, model, setting, prompt, attribute, "group", number)) as image_id,
            model, setting, prompt, null::bigint as seed, attribute, "group" as label
        from (select *, unnest(range(count)) as number from rows)""",
        params=[source.name],
    ).to_arrow_table()


def _labels(source: Source, table: pa.Table) -> pa.Table:
    """Return one row per image and attribute; the file has columns attribute and label, or one per attribute."""
    wide = "label" not in table.column_names
    for column in ["prompt", *(source.groups if wide else ["image"])]:
        _require(source, table, column)
    if not source.groups:
        raise ImportDataError(f"{source.path}: declare the groups, such as --groups gender=female,male")
    rows = []
    for row in table.to_pylist():
        _prompt(source, row)
        if wide:
            said = {attribute: row[attribute] for attribute in source.groups}
        else:
            said = {row.get("attribute") or next(iter(source.groups)): row["label"]}
        for attribute, label in said.items():
            if attribute not in source.groups:
                raise _bad(source, row, f"unknown attribute {attribute!r}: declared are {_list(source.groups)}")
            if label is not None and label not in (*source.groups[attribute], *MISSING):
                declared = _list(source.groups[attribute])
                raise _bad(source, row, f"unknown group {label!r} of {attribute}: declared are {declared}")
            cell = _cell(source, row)
            image = row.get("image", row["row"])
            if image is None:
                raise _bad(source, row, "the column 'image' is empty")
            key = "\0".join([source.name, cell["model"], cell["setting"], cell["prompt"], str(image)])
            rows.append(
                {
                    "image_id": hashlib.blake2b(key.encode(), digest_size=16).hexdigest(),
                    **cell,
                    "seed": row.get("seed"),
                    "attribute": attribute,
                    "label": label,
                }
            )
    return pa.Table.from_pylist(rows, schema=_IMAGES)


_IMAGES = pa.schema(
    [(name, pa.string()) for name in ("image_id", "model", "setting", "prompt")]
    + [("seed", pa.int64()), ("attribute", pa.string()), ("label", pa.string())]
)


def write_sweep(store: Store, source: Source, images: pa.Table, replace: bool = False) -> None:
    """Write labels (rows that have one), targets, settings and plan of an imported sweep."""
    if not replace and (store.root / "plan" / f"{source.name}.parquet").exists():
        raise ImportDataError(f"the store already has a sweep {source.name!r}: choose another --name or --replace")
    targets = _targets(source)
    connection = duckdb.connect()
    connection.register("images", images)
    if "label" in images.column_names:
        labels = connection.sql(
            """select image_id, attribute, label, null::double as score, null::map(varchar, double) as scores,
                null::float[] as embedding, null::double as seconds,
                if(label is null, 'no label in the imported file', null) as error from images"""
        ).to_arrow_table()
        name = hashlib.blake2b(source.name.encode(), digest_size=12).hexdigest()
        folder = store.root / "labels" / f"classifier={quote(source.classifier, safe='')}"
        write_table(folder / f"{name}.parquet", labels.cast(LABELS))
    baseline = source.baseline or "none"
    cells = connection.execute("select distinct model, setting from images order by all").fetchall()
    store.write("targets", source.name, targets)
    store.write(
        "settings",
        source.name,
        [
            {
                "sweep": source.name,
                "model": model,
                "setting": setting,
                "method": "none" if setting == baseline else "imported",
                "attributes": [],
                "params": "{}",
                "baseline": setting == baseline,
            }
            for model, setting in cells
        ],
    )
    empty = "map([]::varchar[], []::varchar[])"
    plan = connection.sql(
        f"""select distinct image_id, $1 as sweep, model, setting, if(setting = $2, 'none', 'imported') as method,
            prompt, prompt as prompt_name, {empty} as variables, {empty} as direction, seed, model as batch_key,
            null::double as scale from images""",
        params=[source.name, baseline],
    ).to_arrow_table()
    store.write("plan", source.name, plan.cast(PLAN))


def _targets(source: Source) -> list[dict]:
    known = {group for groups in source.groups.values() for group in groups}
    for group in source.targets:
        if group not in known:
            raise ImportDataError(f"--target names the unknown group {group!r}: declared are {_list(known)}")
    rows = []
    for attribute, groups in source.groups.items():
        given = {group: source.targets[group] for group in groups if group in source.targets}
        rest = (1 - sum(given.values())) / max(1, len(groups) - len(given))
        shares = {group: given.get(group, rest) for group in groups}
        if min(shares.values()) < -1e-9 or abs(sum(shares.values()) - 1) > 1e-6:
            raise ImportDataError(f"the targets of {attribute} must be shares that sum to 1, not {shares}")
        for position, (group, share) in enumerate(shares.items()):
            row = {"sweep": source.name, "attribute": attribute, "group": group, "group_text": group}
            rows.append({**row, "target": max(0.0, share), "position": position})
    return rows


def _cell(source: Source, row: dict) -> dict:
    model = row.get("model") or source.model or source.path.stem
    return {"model": str(model), "setting": str(row.get("setting") or "none"), "prompt": str(row["prompt"])}


def _one_attribute(source: Source) -> tuple[str, tuple[str, ...]]:
    if len(source.groups) != 1:
        raise ImportDataError("counts need one attribute and its groups, such as --groups gender=female,male")
    return next(iter(source.groups.items()))


def _require(source: Source, table: pa.Table, column: str) -> None:
    if column not in table.column_names:
        had = _list(name for name in table.column_names if name != "row")
        raise ImportDataError(
            f"{source.path}: row 1 has no column {column!r}, only {had}; name it with --column {column}=THEIRS"
        )


def _prompt(source: Source, row: dict) -> None:
    if row["prompt"] is None or not str(row["prompt"]).strip():
        raise _bad(source, row, "the prompt is empty")


def _bad(source: Source, row: dict, reason: str) -> ImportDataError:
    return ImportDataError(f"{source.path}: row {row['row']}: {reason}")


def _list(names) -> str:
    return ", ".join(str(name) for name in names)
