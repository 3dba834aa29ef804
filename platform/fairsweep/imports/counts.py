"""Counts per prompt: checked, then a row per counted image, or the shares of a reference."""

import duckdb
import pyarrow as pa

from fairsweep.attributes import FAILED
from fairsweep.errors import ImportDataError
from fairsweep.imports.source import MISSING, Once, Source, apart, bad_row, cell, listed, require, whole

MOST_IMAGES = 50_000_000


def counted(source: Source, table: pa.Table) -> list[dict]:
    """Return one checked row per prompt and group: model, setting, prompt, group, count."""
    attribute, groups = _one_attribute(source)
    require(source, table, "prompt")
    wide = "group" not in table.column_names
    if wide:
        apart(groups, "the columns group and count")
    for column in [*groups] if wide else ["group", "count"]:
        require(source, table, column)
    columns = [*groups, *(name for name in MISSING if name in table.column_names)]
    counts: list[dict] = []
    once = Once(source)
    for row in table.to_pylist():
        named = cell(source, row)
        if not wide and row["group"] not in (*groups, *MISSING):
            raise bad_row(source, row, f"unknown group {row['group']!r} of {attribute}: declared are {listed(groups)}")
        for group in columns if wide else [row["group"]]:
            once.add(row, "the count of", *named.values(), group)
            count = whole(source, row, row[group if wide else "count"], f"the count of {group}", 0)
            counts.append({**named, "attribute": attribute, "group": group, "count": count})
    total = sum(row["count"] for row in counts)
    if total > MOST_IMAGES:
        raise ImportDataError(
            f"{source.path}: {total:,} images are too many to import as a sweep; import the file with --as reference"
        )
    return counts


def reference_rows(source: Source, rows: list[dict], reference: str) -> list[dict]:
    """Turn counts of one model and setting into a reference distribution: each prompt's shares and its n."""
    cells = dict.fromkeys((row["model"], row["setting"]) for row in rows)
    if len(cells) > 1:
        named = listed(" / ".join(each) for each in cells)
        raise ImportDataError(f"{source.path}: a reference is one distribution, not {len(cells)}: {named}")
    attribute, groups = _one_attribute(source)
    # A group without a row counts none, as in a sweep.
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["group"] not in MISSING:
            counts.setdefault(row["prompt"], dict.fromkeys(groups, 0))[row["group"]] = row["count"]
    return [
        {
            "reference": reference,
            "prompt_name": prompt,
            "attribute": attribute,
            "group": group,
            "share": count / sum(own.values()),
            "n": sum(own.values()),
        }
        for prompt, own in counts.items()
        for group, count in own.items()
        if any(own.values())
    ]


def referred(source: Source, counts: list[dict], reference: str) -> list[dict]:
    """Return the reference rows of the counts whose setting is `reference`."""
    rows = [row for row in counts if row["setting"] == reference]
    if not rows:
        raise ImportDataError(f"{source.path}: no row has the setting {reference!r} that --reference names")
    return reference_rows(source, rows, reference)


def counted_images(source: Source, rows: list[dict]) -> pa.Table:
    """Give each counted image a row; without seeds, so that nothing pairs what was never paired."""
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist(rows))
    return connection.sql(
        """select md5(concat_ws(chr(0), $1, model, setting, prompt, attribute, "group", number)) as image_id,
            model, setting, prompt, null::bigint as seed, attribute, nullif("group", $2) as label
        from (select *, unnest(range(count)) as number from rows)""",
        params=[source.name, FAILED],
    ).to_arrow_table()


def _one_attribute(source: Source) -> tuple[str, tuple[str, ...]]:
    if len(source.groups) != 1:
        raise ImportDataError("counts need one attribute and its groups, such as --groups gender=female,male")
    return next(iter(source.groups.items()))
