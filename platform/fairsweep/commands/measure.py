"""The commands around metrics: measure, metrics, import, calibrate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import completion
from fairsweep.commands.ending import resumable
from fairsweep.commands.options import (
    DEFAULT_STORE,
    AddressOption,
    FormatOption,
    GroupsOption,
    StoreOption,
    WrittenStoreOption,
)
from fairsweep.terminal.console import console
from fairsweep.terminal.tables import Format, show


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(measure)
    app.command()(metrics)
    app.command("import")(import_)
    app.command()(calibrate)


def measure(
    store: StoreOption = DEFAULT_STORE,
    sweep: Annotated[
        str | None, typer.Option("--sweep", help="Only this sweep.", autocompletion=completion.sweeps)
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", help="The metric to print; see `fairsweep metrics`.", autocompletion=completion.metrics
        ),
    ] = "summary",
    format: FormatOption = Format.table,
) -> None:
    """Print a metric of every cell; silent about which: the summary."""
    from fairsweep.errors import FairsweepError
    from fairsweep.measure.catalogue import connect
    from fairsweep.measure.metrics import list_metrics
    from fairsweep.store import Store, sweeps

    opened = Store(store)
    _check_metric(metric, [*(each.name for each in list_metrics(opened.metrics())), "summary"])
    with connect(opened) as connection:
        known = sorted(sweeps.newest_first(opened))
        if sweep is not None and sweep not in known:
            raise FairsweepError(f"there is no sweep {sweep!r} in {opened.root}: it has {', '.join(known) or 'none'}")
        columns = [row[0] for row in connection.execute(f'describe "{metric}"').fetchall()]
        chosen = "where sweep = ?" if sweep is not None and "sweep" in columns else ""
        result = connection.execute(f'from "{metric}" {chosen} order by all', [sweep] if chosen else [])
        show(columns, result.fetchall(), format)


def metrics(
    name: Annotated[
        str | None,
        typer.Argument(help="One metric: its page.", show_default=False, autocompletion=completion.metrics),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    format: FormatOption = Format.table,
) -> None:
    """List every metric with what it means, the store's own too; with a NAME: how it is read, its columns, a query."""
    from fairsweep.measure.catalogue import describe
    from fairsweep.measure.metrics import list_metrics
    from fairsweep.store import Store
    from fairsweep.terminal import metric_pages

    own = Store(store).metrics()
    listed = {each.name: each for each in list_metrics(own)}
    if name is not None:
        _check_metric(name, listed)
        (types,) = describe(name, own=own)
        if format is Format.table:
            metric_pages.print_page(listed[name], types, console())
        else:
            show(["column", "type"], list(types), format)
    elif format is Format.table:
        metric_pages.print_list(list(listed.values()), console())
    else:
        columns = ["metric", "meaning", "good", "read", "one row per", "source"]
        rows = [(m.name, m.meaning, m.direction, m.reading, m.grain, m.source) for m in listed.values()]
        show(columns, rows, format)


def _check_metric(name: str, names: Iterable[str]) -> None:
    from fairsweep.errors import FairsweepError, near

    if name not in names:
        raise FairsweepError(f"there is no metric {name!r} (`fairsweep metrics` lists them){near(name, names)}")


def import_(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Counts, labels, images, or another store.", show_default=False),
    ],
    store: WrittenStoreOption = DEFAULT_STORE,
    name: Annotated[str | None, typer.Option("--name", help="The sweep's name; silent: the file's.")] = None,
    groups: GroupsOption = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="What the file calls a column, such as prompt=occupation."),
    ] = None,
    target: Annotated[list[str] | None, typer.Option("--target", help="A group's target, such as female=0.5.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model's name where no column says it.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="The setting that others compare with.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Counts: this setting becomes a reference distribution as well.")
    ] = None,
    classifier: Annotated[
        list[str] | None,
        typer.Option(
            "--classifier", help="Counts and labels: who made them. Images: who labels them: a kind or as in a spec."
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a sweep of that name.")] = False,
    address: AddressOption = None,
    as_: Annotated[str, typer.Option("--as", help="sweep, or reference: the counts of one distribution.")] = "sweep",
) -> None:
    """Bring in counts, labels, images, which are then labelled, or another store; the same command resumes."""
    from fairsweep.imports import Source, bring
    from fairsweep.imports.stores import bring_store, holds_store
    from fairsweep.measure.catalogue import write_catalogue
    from fairsweep.store import Store
    from fairsweep.terminal.findings import store_option

    if holds_store(file):
        opened = Store(store)
        line = bring_store(opened, file)
        write_catalogue(opened)
        console().print(f"{line}; see `fairsweep status{store_option(opened)}`", soft_wrap=True)
        return
    source = Source(
        path=Path(file),
        name=name or Path(file).stem,
        columns=_pairs("--column", column),
        groups={key: tuple(value.split(",")) for key, value in _pairs("--groups", groups).items()},
        targets={key: _share(key, value) for key, value in _pairs("--target", target).items()},
        model=model,
        classifier=(classifier or ["imported"])[0],
        baseline=baseline,
    )
    opened = Store(store)
    arrival = bring(opened, source, as_, classifier or [], reference, replace)
    line, failures = arrival.line, ""
    if arrival.labelling and arrival.plan:
        from fairsweep.engine import cluster
        from fairsweep.engine.run import label

        with resumable(), opened.lock(), cluster.connected(address):
            outcome = label(arrival.labelling, opened, arrival.plan, console())
        names = ", ".join(each.name for each in arrival.labelling.classifiers)
        line += f", {outcome.labelled:,} labelled now by {names}"
        failures = next((reason for _, reason in outcome.failed), "")
        if outcome.failed_labels:
            line += f", {outcome.failed_labels:,} failed ({failures}); the same command tries them again"
    else:
        write_catalogue(opened)
    console().print(f"{source.name}: {line}; see `{arrival.look}{store_option(opened)}`", soft_wrap=True)
    raise typer.Exit(1 if failures else 0)


def calibrate(
    store: WrittenStoreOption = DEFAULT_STORE,
    classifier: Annotated[
        str, typer.Option("--classifier", help="A kind, module:Class, or as in a spec.")
    ] = "portraits",
    name: Annotated[str | None, typer.Option("--name", help="Its name in the sweeps; silent: the kind.")] = None,
    groups: GroupsOption = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Portraits to render.")] = 2000,
    file: Annotated[
        Path | None, typer.Option("--file", help="Your own images with known truth: file, one column per attribute.")
    ] = None,
    address: AddressOption = None,
) -> None:
    """Measure a classifier's errors on images of known truth, so that shares can be corrected for them."""
    from fairsweep.engine import cluster
    from fairsweep.engine.run import label
    from fairsweep.errors import FairsweepError, near
    from fairsweep.imports import calibration as work
    from fairsweep.imports.labellers import label_spec
    from fairsweep.measure.catalogue import write_catalogue
    from fairsweep.portraits.world import ATTRIBUTES
    from fairsweep.store import Store

    declared = {key: tuple(value.split(",")) for key, value in _pairs("--groups", groups).items()}
    declared = declared or {key: ATTRIBUTES[key] for key in ("gender", "skin_tone", "age")}
    for attribute in () if file else declared:
        if attribute not in ATTRIBUTES:
            raise FairsweepError(f"--groups: portraits have no {attribute!r}{near(attribute, ATTRIBUTES)}")
    labelling = label_spec(declared, [classifier], name)
    samples = work.labelled(file, declared) if file else work.rendered(images, tuple(declared))
    opened = Store(store)
    (reader,) = labelling.classifiers
    with resumable(), opened.lock():
        scratch = opened.scratch(work.NAME, reader.model_dump_json())
        staged = work.stage(scratch, declared, samples)
        with cluster.connected(address):
            outcome = label(labelling, scratch, staged.plan, console())
        rows = work.count(opened, scratch, reader.name, staged.truths)
        write_catalogue(opened)
        if not outcome.failed_labels:
            scratch.discard()
    show(list(rows[0]) if rows else ["nothing labelled"], [tuple(row.values()) for row in rows], Format.table)
    if outcome.failed_labels:
        reason = next((reason for _, reason in outcome.failed), "")
        console().print(f"{outcome.failed_labels:,} images failed ({reason}); the same command tries them again")
        raise typer.Exit(1)


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    from fairsweep.errors import ImportDataError

    pairs = [text.partition("=") for text in texts or []]
    for key, sign, value in pairs:
        if not (key and sign and value):
            raise ImportDataError(f"{option} takes name=value, not {key + sign + value!r}")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _share(group: str, text: str) -> float:
    from fairsweep.errors import ImportDataError

    try:
        return float(text)
    except ValueError:
        raise ImportDataError(f"--target {group}={text}: expected a share between 0 and 1") from None
