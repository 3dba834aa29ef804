"""What a sweep would do, and what a store holds, as tables."""

from rich.console import Console

from fairsweep.errors import counted
from fairsweep.measure.catalogue import connect
from fairsweep.measure.status import COLUMNS, status
from fairsweep.plan import decisions
from fairsweep.plan.declared import undecidable
from fairsweep.plan.estimate import Estimate, estimate, rates, rows_by_cell
from fairsweep.plan.naming import one_sided
from fairsweep.plan.plan import write_plan
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import RunSpec, SweepSpec
from fairsweep.store import Store
from fairsweep.terminal.progress import duration
from fairsweep.terminal.tables import print_rows

# Spot nodes go two minutes after they are told, and less than half of it must suffice.
_LONG_SECONDS = 60.0

_DECIDED = """
select sweep, model, setting, attribute, kind, verdict, count(*), sum(images)::bigint
from decided group by all order by all
"""


def show_plan(spec: SweepSpec, store: Store, console: Console, rate: float | None = None) -> None:
    """Print the images of each cell, how many are there, the batches, and what the rest may take.

    rate: denoiser rows per second of one card, for models of which no image is there yet.
    """
    import tempfile

    from fairsweep.plan.todo import Todo

    with tempfile.TemporaryDirectory() as folder:
        # The preview plans into a folder of its own: looking changes nothing in the store.
        rounds = Rounds(spec, decisions.read(store, spec.name), whole=True)
        path = write_plan(spec, Store(folder), rounds)
        with Todo(store, path) as todo:
            cells = todo.cells()
            missing, measured = len(todo.missing()), todo.measured()
    print_rows(["model", "setting", "images", "there", "missing"], cells, console)
    for line in [*one_sided(spec), *undecidable(spec)]:
        console.print(line, soft_wrap=True, markup=False)
    batches = -(-missing // spec.run.batch_size)
    most = "at most " if rounds.decide else ""
    count = "1 batch" if batches == 1 else f"{batches:,} batches"
    if not missing:
        console.print("\nno image to make: all are there")
    else:
        console.print(
            f"\n{most}{counted(missing, 'image')} to make in {count} of {spec.run.batch_size}", soft_wrap=True
        )
        rows = rows_by_cell(spec)
        speeds = rates(rows, measured)
        work = estimate(rows, {(cell[0], cell[1]): cell[4] for cell in cells}, speeds, rate)
        console.print(_words(work, speeds, spec.run), soft_wrap=True)


def _words(work: Estimate, speeds: dict[str, float], run: RunSpec) -> str:
    rows = f"{work.rows:,} denoiser rows"
    if work.seconds is None:
        return (
            f"{rows}; no estimate of time yet: no image of {', '.join(work.unknown)} is in the store. Measure a card "
            "with fairsweep bench guidance, and give its wrapper rows per second as --rate"
        )
    where = "on one actor" if run.gpus_per_actor == 0 else "on one card or CPU actor"
    parts = [f"{rows}: about {duration(work.seconds)} {where}"]
    if run.actors and run.actors > 1:
        parts.append(f"{duration(work.seconds / run.actors)} on the spec's {run.actors} actors")
    if run.gpus_per_actor != 0:
        parts.append(f"{work.seconds / 3600 * (run.gpus_per_actor or 1):.3g} card-hours where actors hold GPUs")
    batch = work.longest * run.batch_size
    if batch >= _LONG_SECONDS:
        lost = f"a batch of {run.batch_size} takes {duration(batch)}, which is lost with its node"
        parts.append(f"{lost}: a smaller run.batch_size loses less")
    measured = ", ".join(f"{model} {speed:,.3g}" for model, speed in speeds.items())
    return "; ".join(parts) + (f" (rows a second measured here: {measured})" if measured else "")


def show_status(store: Store, console: Console) -> None:
    """Print per sweep and cell what is planned, done, labelled and failed; of sweeps in rounds, what is decided."""
    print_rows(list(COLUMNS), status(store), console)
    # To make the views takes longer than all the rest.
    if not store.has_decisions():
        return
    with connect(store) as connection:
        decided = connection.execute(_DECIDED).fetchall()
    if decided:
        console.print()
        print_rows(["sweep", "model", "setting", "attribute", "kind", "decided", "prompts", "images"], decided, console)
