"""The commands that hand results out: sql, check, export."""

from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import paths
from fairsweep.commands.options import DEFAULT_STORE, FormatOption, ModelOption, SpecArgument, StoreOption
from fairsweep.terminal.tables import Format, show


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (sql, check, export):
        app.command()(command)


def sql(
    query: Annotated[str, typer.Argument(help="DuckDB SQL over images, labels, plan and every metric.")],
    store: StoreOption = DEFAULT_STORE,
    format: FormatOption = Format.table,
    write: Annotated[
        bool, typer.Option("--write", help="Take any SQL: it may write whatever files you may, the store's too.")
    ] = False,
) -> None:
    """Ask the store: one SELECT over the views images, labels, plan and every metric.

    It may read any file that you may, and writes none, unless --write is given.
    """
    import duckdb

    from fairsweep.errors import FairsweepError
    from fairsweep.measure.catalogue import connect
    from fairsweep.measure.selection import check_select
    from fairsweep.measure.sql import complaint
    from fairsweep.store import Store

    with connect(Store(store)) as connection:
        try:
            if not write:
                check_select(connection, query)
            # A relation, which may be none, is planned once for its columns and once more for its rows.
            result = connection.sql(query) if write else connection.execute(query)
            columns = [column[0] for column in result.description] if result is not None else []
            rows = result.fetchall() if result is not None else []
        except duckdb.Error as error:
            raise FairsweepError(complaint(error)) from None
    show(columns, rows, format)


def check(
    spec: SpecArgument,
    model: ModelOption = None,
    store: StoreOption = DEFAULT_STORE,
    format: FormatOption = Format.table,
) -> None:
    """Judge what the spec requires, a line each; exit 0 all pass, 1 some fail, 3 none fails, some are undecided."""
    from fairsweep.errors import FairsweepError
    from fairsweep.measure.catalogue import connect
    from fairsweep.measure.verdicts import Verdict, judge, overall
    from fairsweep.spec import load_spec
    from fairsweep.store import Store
    from fairsweep.terminal.findings import store_option

    loaded, opened = load_spec(spec, None, model or ()), Store(store)
    if not loaded.require:
        raise FairsweepError(f"{spec} requires nothing: add require: [{{metric, attribute, at_most}}, ...]")
    opened.check()
    if not opened.has_sweep(loaded.name):
        how = f"make it first, with `fairsweep run {spec}{store_option(opened)}`"
        raise FairsweepError(f"{opened.root} has no sweep {loaded.name!r} to judge: {how}")
    readers = [classifier.name for classifier in loaded.classifiers]
    with connect(opened) as connection:
        verdicts = judge(connection, loaded.name, loaded.require, readers)
    if format is Format.table:
        for each in verdicts:
            where = f"{each.model} / {each.setting}"
            typer.echo(f"{each.verdict:<10}{each.requirement}, {where}: {each.evidence}")
    else:
        show([field.name for field in fields(Verdict)], [astuple(each) for each in verdicts], format)
    raise typer.Exit({"pass": 0, "fail": 1, "undecided": 3}[overall(verdicts)])


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", callback=paths.new_folder, help="Where it goes.", show_default=False)
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Copy a store, such as one in a bucket, into a folder, with the catalogue for other tools; again: what is new."""
    from fairsweep.measure.catalogue import write_catalogue
    from fairsweep.store import Store
    from fairsweep.store.export import export as copy

    copied, count = copy(Store(store), folder)
    typer.echo(f"{count:,} files copied: {write_catalogue(copied)}")
