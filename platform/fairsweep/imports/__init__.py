"""Results that fairsweep did not make: counts, labels, images, and classifiers of known truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from fairsweep.errors import ImportDataError
from fairsweep.imports.counts import counted, reference_rows, referred
from fairsweep.imports.declared import check, check_baseline, check_name
from fairsweep.imports.images import image_table, read_images, write_images
from fairsweep.imports.source import Source, holds_images, read_table
from fairsweep.imports.sweep import check_new, check_new_reference, has_same, read_sweep, write_sweep
from fairsweep.plan.declared import check_classifiers
from fairsweep.spec import LabelSpec
from fairsweep.store import Store
from fairsweep.store.compact import drop
from fairsweep.store.names import labels_folder

# A reference is no sweep: what is compared with it shows it.
_REFERENCES = "fairsweep measure --metric reference_comparison"

__all__ = ["Arrival", "Source", "bring"]


@dataclass(frozen=True)
class Arrival:
    """What came in, in words, and the command that shows it; for images, the plan and the classifiers to label by."""

    line: str
    look: str
    plan: Path | None = None
    labelling: LabelSpec | None = None


def bring(
    store: Store,
    source: Source,
    as_: str = "sweep",
    classifiers: Sequence[str] = (),
    reference: str | None = None,
    replace: bool = False,
) -> Arrival:
    """Bring a source into a store; images are labelled afterwards, as those of any sweep.

    as_: "sweep", or "reference" for the counts of one distribution. classifiers: who labels images.
    reference: the setting of the counts that becomes a reference distribution as well. Everything is read and checked
    before the store is locked and written. Raises ImportDataError, and StoreError where another run writes.
    """
    check(source)
    check_name("--reference", reference)
    if as_ not in ("sweep", "reference"):
        raise ImportDataError(f"--as takes sweep or reference, not {as_!r}")
    look = f"fairsweep measure --sweep {quote(source.name)}"
    if source.path.is_dir() or holds_images(source):
        pictures = read_images(source, classifiers)
        images = image_table(pictures.rows)
        check_baseline(source, images.column("setting").to_pylist())
        with store.lock():
            again = not replace and has_same(store, source, images)
            if not (again or replace):
                check_new(store, source)
            check_classifiers(pictures.labelling, store)
            if replace:
                ids = images.column("image_id").to_pylist()
                readers = [labels_folder(classifier.name) for classifier in pictures.labelling.classifiers]
                drop(store, "images", ids)
                drop(store, "labels", ids, kept=readers)
            if not again:
                write_images(store, source, pictures.rows)
            plan = write_sweep(store, source, images, classifiers=pictures.labelling.classifiers)
        return Arrival(f"{images.num_rows:,} images", look, plan, pictures.labelling)
    check_name("--classifier", source.classifier)
    if as_ == "reference":
        rows = reference_rows(source, counted(source, read_table(source)), source.name)
        with store.lock():
            if not replace:
                check_new_reference(store, source.name)
            store.write("references", source.name, rows)
        return Arrival(f"{len(rows):,} shares of the reference {source.name}", _REFERENCES)
    images, counts = read_sweep(source)
    rows = referred(source, counts, reference) if reference else []
    with store.lock():
        if not replace:
            check_new(store, source)
            if reference:
                check_new_reference(store, reference)
        write_sweep(store, source, images, [reference] if reference else None)
        if reference:
            store.write("references", reference, rows)
    return Arrival(f"{images.num_rows:,} labels of {len(images.column('image_id').unique()):,} images", look)
