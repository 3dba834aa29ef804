"""Create the views of all metrics, and compose `summary`: one query that counts the labels once for all of them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path

import duckdb

from fairsweep import shipped
from fairsweep.errors import FairsweepError
from fairsweep.measure.metrics import CELL, Metric, Sources, list_metrics, parse
from fairsweep.measure.sql import complaint, value

# Each block of seeds left out passes through a metric as a classifier of its own, which no metric mixes with another.
_BLOCK = "classifier || ' without seeds ' || seed_block"

# What `means` takes of a value without a block of seeds beside the value.
_NO_BOUNDS = ", ".join(["null"] * 6)

# Read by most metrics, which would otherwise each carry their expressions through DuckDB's optimizer.
_SHARED = ("distributions", "distributions_without_seeds")

# Made from all labels: a metric that comes to one of these by more ways than one has what it reads as CTEs.
_COUNTED = ("unit_counts", "stratum_counts", "group_counts")

# What is counted by unit anyway needs not be counted by stratum once more: who reads strata sums what they hold.
STRATA = {"stratum_counts": "from unit_counts"}

# What `tables` has parsed: the same few texts, asked again for every order and every column.
_tables: dict[str, list[str]] = {}


def create_views(connection: duckdb.DuckDBPyConnection, own: Sources = ()) -> None:
    """Create every macro and view, and `summary`, on a connection that has the base views of a store."""
    parts = _parts(connection, own)
    ahead = {name: part for name, part in parts.items() if not reads_summary(connection, part.sql)}
    metrics = {part.name for part in list_metrics(own)}
    bodies = {name: part.sql for name, part in ahead.items()}
    counted = {
        name: replace(part, sql=_counted_once(connection, name, bodies))
        for name, part in ahead.items()
        if name in metrics
    }
    _create(connection, (ahead | counted).values())
    connection.execute(f"create or replace view summary as {query(connection, parts.values())}")
    _create(connection, [part for name, part in parts.items() if name not in ahead])


def reads_summary(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Tell whether a view is made from `summary`, rather than `summary` from it."""
    return not _is_macro(sql) and "summary" in tables(connection, sql)


def query(connection: duckdb.DuckDBPyConnection, parts: Iterable[Metric], there: Collection[str] = ()) -> str:
    """Compose the query of `summary` from all views; there: those that are tables already, and need no part in it."""
    by_name = {part.name: part for part in parts}
    metrics = [part for _, part in sorted(by_name.items()) if part.means or part.aggregates]
    return summary_query(connection, metrics, {name: part.sql for name, part in by_name.items()}, there)


def _create(connection: duckdb.DuckDBPyConnection, parts: Iterable[Metric]) -> None:
    """Create macros and views, each after those that it reads."""
    by_name = {part.name: part for part in parts}
    waiting = {name: _statement(name, part.sql) for name, part in by_name.items()}
    while waiting:
        refused: dict[str, duckdb.Error] = {}
        for name, statement in waiting.items():
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                refused[name] = error
        if len(refused) == len(waiting):
            name, refusal = next(iter(refused.items()))
            place = by_name[name].path
            raise FairsweepError(f"metric {name}, {place}: {complaint(refusal)}")
        waiting = {name: waiting[name] for name in refused}


def bodies() -> dict[str, str]:
    """Return the SQL of every shipped view and macro by name: what is staged, and the metrics."""
    return {name: part.sql for name, part in _shipped().items()}


def in_order(connection: duckdb.DuckDBPyConnection, own: Sources = ()) -> list[Metric]:
    """Return every view, staged ones and metrics, each after those that it reads, for whoever computes all of them."""
    parts = _parts(connection, own)
    parts |= {name: replace(parts[name], sql=sql) for name, sql in STRATA.items()}
    order = upstream(connection, list(parts), {name: part.sql for name, part in parts.items()})
    return [parts[name] for name in order if not _is_macro(parts[name].sql)]


def _shipped() -> dict[str, Metric]:
    staged = [parse(path) for path in sorted(shipped.path("metrics").glob("staging/*.sql"))]
    return {part.name: part for part in [*staged, *list_metrics()]}


def _parts(connection: duckdb.DuckDBPyConnection, own: Sources) -> dict[str, Metric]:
    parts = _shipped()
    return parts | {path.stem: _checked(connection, path, parts) for path in own}


def _checked(connection: duckdb.DuckDBPyConnection, path: Path, taken: Collection[str]) -> Metric:
    """Return a metric of one's own; refuse a name that is taken, and what is more than one SELECT."""
    if path.stem in (*taken, "summary") or not re.fullmatch(r"[a-z]\w*", path.stem):
        raise FairsweepError(f"{path}: a metric of one's own needs a name of its own, such as my_metric.sql")
    metric = parse(path)
    try:
        kinds = [statement.type for statement in connection.extract_statements(metric.sql)]
    except duckdb.Error as error:
        raise FairsweepError(f"metric {metric.name}, {path}: {complaint(error)}") from None
    # A store may come from elsewhere: its metrics are read, and do nothing.
    if kinds != [duckdb.StatementType.SELECT]:
        raise FairsweepError(f"{path}: a metric of one's own is one SELECT")
    return metric


def _is_macro(sql: str) -> bool:
    return re.match(r"(\s*--.*\n|\s+)*\s*create\b", sql, re.IGNORECASE) is not None


def _counted_once(connection: duckdb.DuckDBPyConnection, name: str, bodies: dict[str, str]) -> str:
    """Return a metric's query, with what it reads as CTEs where DuckDB would count the same labels several times."""
    read = upstream(connection, [name], bodies)
    if "unit_counts" in read:
        bodies = bodies | STRATA
    over = [view for view in read if {*_COUNTED} & {*upstream(connection, [view], bodies)}]
    readers = Counter(table for view in over for table in tables(connection, bodies[view]) if table in over)
    if not any(readers[view] > 1 for view in over):
        return bodies[name]
    ctes = [f'"{view}" as {"materialized " * (view in _SHARED)}({_query(bodies[view])}\n)' for view in over]
    return f'with {", ".join(ctes)} from "{name}"'


def _query(sql: str) -> str:
    return sql.strip().rstrip(";")


def _statement(name: str, sql: str) -> str:
    return sql if _is_macro(sql) else f'create view "{name}" as {_query(sql)}'


def summary_query(connection, metrics: list[Metric], bodies: dict[str, str], there: Collection[str] = ()) -> str:
    """Compose the query of `summary`, with all that it reads as CTEs, so that DuckDB counts the labels only once."""
    bodies = bodies | STRATA
    without = [name for metric in metrics if (name := f"{metric.name}_without_seeds") in bodies]
    names = [metric.name for metric in metrics] + ["distributions_without_seeds", *without]
    read = upstream(connection, names, bodies)
    parts = [
        f'"{name}" as {"materialized " * (name in _SHARED)}({bodies[name]}\n)' for name in read if name not in there
    ]
    cell = ", ".join(CELL)
    parts.append(
        f"cells as (select {cell}, row_number() over () as cell from (select distinct {cell} from distributions))"
    )
    parts.append(
        f"seed_cells as (select sweep, model, setting, attribute, {_BLOCK} as classifier, seed_block, cell "
        "from cells, (select unnest(range(8)) as seed_block))"
    )
    # A number and not the name, of metrics as of prompts: what `means` groups by is millions of rows long.
    numbers = count()
    values, joins, aggregates, means = [], [], [], []
    for metric in metrics:
        columns = _columns(connection, metric.name)
        keys = ", ".join(key for key in CELL if key in columns)
        if metric.aggregates:
            parts.append(
                f'"{metric.name}_" as (select {keys}, {metric.aggregates} from "{metric.name}" group by {keys})'
            )
            joins.append(f'left join "{metric.name}_" using ({keys})')
            aggregates.append(f'"{metric.name}_".* exclude ({keys})')
        jackknife = _without_seeds(connection, metric, bodies)
        for column in metric.means:
            number = next(numbers)
            values.append(
                f"select sweep, cell, {number} as metric, hash(prompt) as prompt, null as seed_block, "
                f'"{column}"::double as value, {_bounds(metric, column, columns)} '
                f'from "{metric.name}" join cells using ({keys})'
            )
            if f"{metric.name}_without_seeds" in bodies:
                values.append(
                    f"select sweep, cell, {number}, hash(prompt), seed_block, value, {_NO_BOUNDS} "
                    f'from "{metric.name}_without_seeds" join cells using ({keys})'
                )
            elif jackknife:
                values.append(
                    f'select sweep, cell, {number}, hash(prompt), seed_block, "{column}", {_NO_BOUNDS} '
                    f"from ({jackknife}) join seed_cells using ({keys})"
                )
            means += [
                f'max({part}) filter (metric = {number}) as "{name}"'
                for part, name in _mean_columns(metric, column, "noise_floor" in columns)
            ]
    parts.append("prompt_values as (" + "\nunion all\n".join(values) + ")")
    parts.append(f"means as (select cell, {', '.join(means)} from means('prompt_values') group by cell)")
    return (
        "with " + ",\n".join(parts) + f"\nselect {', '.join(['cells.' + key for key in CELL] + aggregates)}, "
        "means.* exclude (cell) from cells " + " ".join(joins) + f" left join means using (cell) order by {cell}"
    )


def _bounds(metric: Metric, column: str, columns: list[str]) -> str:
    """Return SQL of a prompt's low, high, floor, above, below and bias, as `means` takes them with the column.

    A distance from few images is too far from the best value by as much as its noise floor, while the interval holds
    the best value; farther away chance adds less.
    """
    own = "low, high" if {"low", "high"} <= set(columns) else "null::double as low, null::double as high"
    floor, above, below = "null::double", "null::double", "null::double"
    if "noise_floor" in columns and metric.direction.startswith("near 1"):
        floor, below = "noise_floor", "chance_left(1 - noise_floor, 1 - high)"
    elif "noise_floor" in columns:
        floor, above = "noise_floor", "chance_left(noise_floor, low)"
    elif {"chance_above", "chance_below"} <= set(columns):
        above, below = "chance_above", "chance_below"
        # Which the prompt's own interval allows for already.
        own = f"least(low + chance_above, {column}) as low, greatest(high - chance_below, {column}) as high"
    bias = "bias" if "bias" in columns else "null::double"
    return f"{own}, {floor} as floor, {above} as above, {below} as below, {bias} as bias"


def _mean_columns(metric: Metric, column: str, floor: bool) -> list[tuple[str, str]]:
    """Return pairs of an expression over `means` and the column of `summary` that it is, inside the metric's range."""
    least, most = metric.range
    bounds = ("low", "high", "population_low", "population_high")
    columns = [("mean", column)]
    for bound in bounds:
        inside = bound
        if least is not None:
            inside = f"greatest({least}, {inside})"
        if most is not None:
            inside = f"least({most}, {inside})"
        columns.append((f"if({bound} is null, null, {inside})", f"{column}_{bound}"))
    if floor:
        columns += [("floor", f"{column}_floor"), ("without_chance", f"{column}_without_chance")]
    return columns


def _without_seeds(connection, metric: Metric, bodies: dict[str, str]) -> str | None:
    """Compose the metric's own query over the distributions without a block of seeds; None where it reads neither."""
    inner = {
        "distributions": f"select * exclude (seed_block) replace ({_BLOCK} as classifier) "
        "from distributions_without_seeds"
    }
    for name in upstream(connection, [metric.name], bodies):
        if name != "distributions" and inner.keys() & set(tables(connection, bodies[name])):
            inner[name] = bodies[name]
    if metric.name not in inner:
        return None
    return "with " + ",\n".join(f'"{name}" as ({sql}\n)' for name, sql in inner.items()) + f' from "{metric.name}"'


def upstream(connection, names: list[str], bodies: dict[str, str]) -> list[str]:
    """Return the named views and those that they read, however far up, each after those that it reads itself."""
    ordered = []

    def visit(name: str) -> None:
        if name in bodies and name not in ordered:
            for read in tables(connection, bodies[name]):
                visit(read)
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


def tables(connection, sql: str) -> list[str]:
    """Return the tables that a select names, as DuckDB parses it; names of its own CTEs may be among them."""
    if sql not in _tables:
        tree = value(connection.execute("select json_serialize_sql(?::varchar)", [sql]))
        _tables[sql] = sorted(set(re.findall(r'"table_name":"([^"]+)"', tree)))
    return _tables[sql]


def _columns(connection, view: str) -> list[str]:
    rows = connection.execute("select column_name from duckdb_columns() where table_name = ?", [view]).fetchall()
    return [row[0] for row in rows]
