"""An imported sweep in the store: its labels, targets, settings and plan.

Everything is checked before anything is written, and the plan, without which no metric sees the rest, comes last.
"""

import duckdb
import pyarrow as pa

from fairsweep.errors import ImportDataError
from fairsweep.imports.counts import counted, counted_images
from fairsweep.imports.labels import labelled_images
from fairsweep.imports.source import Source, listed, read_table
from fairsweep.store import Store


def import_file(store: Store, source: Source, replace: bool = False) -> str:
    """Import a file of counts or labels as the sweep `source.name`; return a line that says what came in."""
    table = read_table(source)
    if "label" in table.column_names or set(source.groups) & set(table.column_names):
        images = labelled_images(source, table)
    else:
        images = counted_images(source, counted(source, table))
    write_sweep(store, source, images, replace)
    return f"{images.num_rows:,} labels of {len(images.column('image_id').unique()):,} images"


def write_sweep(store: Store, source: Source, images: pa.Table, replace: bool = False) -> None:
    """Write labels (rows that have one), targets, settings and plan of an imported sweep."""
    if not replace and store.has_sweep(source.name):
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
        store.write_import(source.name, source.classifier, labels)
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
            prompt, prompt as prompt_name, {empty} as variables, {empty} as direction, seed, null::bigint as batch,
            null::double as scale from images""",
        params=[source.name, baseline],
    ).to_arrow_table()
    store.write("plan", source.name, plan)


def _targets(source: Source) -> list[dict]:
    known = {group for groups in source.groups.values() for group in groups}
    for group in source.targets:
        if group not in known:
            raise ImportDataError(f"--target names the unknown group {group!r}: declared are {listed(known)}")
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
