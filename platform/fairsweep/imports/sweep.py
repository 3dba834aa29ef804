"""An imported sweep in the store: its labels, targets, settings and plan.

Everything is checked before anything is written, and the plan, without which no metric sees the rest, comes last.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from fairsweep.errors import ImportDataError
from fairsweep.imports.counts import counted, counted_images
from fairsweep.imports.declared import check_baseline, targets
from fairsweep.imports.labels import labelled_images
from fairsweep.imports.source import Source, read_table
from fairsweep.measure.catalogue import connect
from fairsweep.plan.declared import unknown_to
from fairsweep.spec import ClassifierSpec
from fairsweep.store import Store


def _scale(setting: str) -> float | None:
    """Return the edit scale that a setting's name ends in, as fairsweep's own do: fair-scale4."""
    found = re.search(r"(?:^|[-_ ])scale[-_ ]?(\d+(?:\.\d+)?)$", setting)
    return float(found[1]) if found else None


def read_sweep(source: Source) -> tuple[pa.Table, list[dict]]:
    """Return a row per image and label of a file of counts or labels, and its counts where it has some."""
    table = read_table(source)
    if "label" in table.column_names or set(source.groups) & set(table.column_names):
        images, counts = labelled_images(source, table), []
    else:
        counts = counted(source, table)
        images = counted_images(source, counts)
    check_baseline(source, images.column("setting").to_pylist())
    return images, counts


def has_same(store: Store, source: Source, images: pa.Table) -> bool:
    """Tell whether the store has these very images as this sweep, brought in before and perhaps not labelled yet."""
    if not store.has_sweep(source.name):
        return False
    query = "select image_id from planned where sweep = ?"
    with connect(store) as connection:
        ids = {row[0] for row in connection.execute(query, [source.name]).fetchall()}
    return ids == set(images.column("image_id").to_pylist())


def check_new(store: Store, source: Source) -> None:
    """Refuse the name of a sweep that the store has."""
    if store.has_sweep(source.name):
        raise ImportDataError(f"the store already has a sweep {source.name!r}: choose another --name or --replace")


def check_new_reference(store: Store, reference: str) -> None:
    """Refuse the name of a reference that the store has."""
    if store.has_reference(reference):
        another = "choose another name or --replace"
        raise ImportDataError(f"the store already has a reference {reference!r}: {another}")


def write_sweep(
    store: Store,
    source: Source,
    images: pa.Table,
    references: list[str] | None = None,
    classifiers: Sequence[ClassifierSpec] = (),
) -> Path:
    """Write labels (rows that have one), targets, settings and last the plan of an imported sweep; return the plan.

    references: those of the store that it is compared with; None: all that are of no built-in model.
    classifiers: who will label its images.
    """
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
    store.write(
        "targets",
        source.name,
        [{**row, "unknown_to": unknown_to(classifiers, row["attribute"], row["group"])} for row in targets(source)],
    )
    store.write(
        "settings",
        source.name,
        [
            {
                "sweep": source.name,
                "model": model,
                "setting": setting,
                "method": "none" if setting == baseline else "imported",
                "scale": _scale(setting),
                # What a setting steers is not known, so that nothing is a side effect.
                "attributes": None,
                "params": "{}",
                "baseline": setting == baseline,
                "references": references,
            }
            for model, setting in cells
        ],
    )
    empty = "map([]::varchar[], []::varchar[])"
    plan = connection.sql(
        f"""select distinct image_id, $1 as sweep, model, setting, if(setting = $2, 'none', 'imported') as method,
            prompt, prompt as prompt_name, {empty} as variables, {empty} as direction, seed, null::bigint as batch,
            null::double as scale, null::map(varchar, double) as scales, false as pilot from images""",
        params=[source.name, baseline],
    ).to_arrow_table()
    return store.write("plan", source.name, plan)
