"""Fetch what the explorer shows, one screen at a time: choices, share plots, pictures, a query's rows."""

import csv
import io
from dataclasses import asdict, dataclass

import duckdb
import pyarrow as pa

from fairsweep import figures, pictures, shipped
from fairsweep.store import Store

ORDERS = ("seed", "disagreement", "lowest score", "flips")
ROWS = 100_000
SqlError = duckdb.Error


@dataclass(frozen=True)
class Choice:
    """What the explorer looks at; prompt None stands for all prompts."""

    sweep: str
    model: str
    setting: str
    attribute: str
    classifier: str
    prompt: str | None = None


def connect(root: str) -> duckdb.DuckDBPyConnection:
    """Return a connection to a store whose SQL can reach the store's files and no others."""
    store = Store(root)
    connection = store.connect()
    connection.execute(f"set allowed_directories = ['{str(store.root).replace(chr(39), chr(39) * 2)}']")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def options(connection: duckdb.DuckDBPyConnection, sweep: str | None = None) -> dict[str, list[str]]:
    """Return what there is to choose from; guided settings come before unguided ones."""
    queries = {
        "sweep": "select distinct sweep from plan order by all",
        "model": "select distinct model from plan where sweep = $sweep order by all",
        "setting": "select distinct setting, baseline from settings where sweep = $sweep order by 2, 1",
        "attribute": "select distinct attribute from targets where sweep = $sweep order by all",
        "classifier": "select distinct classifier from share where sweep = $sweep order by all",
        "prompt": "select distinct prompt_name from plan where sweep = $sweep order by all",
    }
    asked = {"sweep": queries["sweep"]} if sweep is None else queries
    return {
        name: [row[0] for row in connection.execute(query, {"sweep": sweep} if "$" in query else None).fetchall()]
        for name, query in asked.items()
    }


def share_plot(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return the dot plot of a cell's shares, unguided and guided, as HTML."""
    query = """
        select attribute, "group", prompt_name, model, setting, baseline, share, low, high, target, n
        from share
        left join settings using (sweep, model, setting)
        where sweep = $sweep and model = $model and attribute = $attribute and classifier = $classifier
            and (setting = $setting or baseline) and coalesce(prompt_name = $prompt, true)
        order by prompt_name, position, baseline desc"""
    plots = figures.share_plots(_rows(connection, query, asdict(choice)))
    return figures.templates().get_template("shares.html.j2").module.plot(plots[0], lambda row: "") if plots else ""


def pairs(
    connection: duckdb.DuckDBPyConnection, choice: Choice, order: str = "seed", start: int = 0, size: int = 24
) -> list[dict]:
    """Return the images `start` to `start + size` in one of ORDERS, each with the unguided image of its seed.

    Each row also says in `total` how many there are.
    """
    query = (shipped.path("dashboards") / "wall.sql").read_text(encoding="utf-8")
    return _rows(connection, query, {**asdict(choice), "order": order, "start": start, "size": size})


def wall(connection: duckdb.DuckDBPyConnection, setting: str, rows: list[dict]) -> str:
    """Return these pairs as HTML, reading their pictures and no others."""
    ids = {row[key] for row in rows for key in ("image_id", "unguided_id")} - {None}
    shown = {key: pictures.thumbnail(png, 160) for key, png in pictures.read(connection, sorted(ids)).items()}
    return figures.templates().get_template("wall.html.j2").render(rows=rows, setting=setting, pictures=shown)


def as_csv(rows: list[dict]) -> bytes:
    """Return what the wall shows as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["image_id"])
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Return the first ROWS rows of a query; raises SqlError for one that DuckDB refuses."""
    found = connection.sql(sql)
    return pa.table({}) if found is None else found.limit(ROWS).to_arrow_table()


def _rows(connection: duckdb.DuckDBPyConnection, query: str, params: dict) -> list[dict]:
    found = connection.sql(query, params=params)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
