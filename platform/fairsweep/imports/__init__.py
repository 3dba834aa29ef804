"""Results that fairsweep did not make: counts, labels, images, and classifiers of known truth."""

from collections.abc import Sequence

from fairsweep.errors import ImportDataError
from fairsweep.imports.counts import counted, reference_rows, referred
from fairsweep.imports.images import import_images
from fairsweep.imports.source import Source, holds_images, read_table
from fairsweep.imports.sweep import import_file
from fairsweep.store import Store

__all__ = ["Source", "bring"]


def bring(
    store: Store,
    source: Source,
    as_: str = "sweep",
    classifiers: Sequence[str] = (),
    reference: str | None = None,
    replace: bool = False,
) -> str:
    """Bring a source into a store and return a line that says what came in.

    as_: "sweep", or "reference" for the counts of one distribution. classifiers: who labels images.
    reference: the setting of the counts that becomes a reference distribution as well. Raises ImportDataError.
    """
    if source.path.is_dir() or holds_images(source):
        return import_images(store, source, list(classifiers), replace)
    if as_ == "reference":
        rows = reference_rows(source, counted(source, read_table(source)), source.name)
        store.write("references", source.name, rows)
        return f"{len(rows):,} shares of the reference {source.name}"
    if as_ != "sweep":
        raise ImportDataError(f"--as takes sweep or reference, not {as_!r}")
    rows = referred(source, reference) if reference else []
    line = import_file(store, source, replace)
    if reference and rows:
        store.write("references", reference, rows)
    return line
