"""Fetch what the explorer shows, one screen at a time: choices, share plots, pictures, a query's rows."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa

from fairsweep.errors import FairsweepError
from fairsweep.measure import catalogue
from fairsweep.measure.selection import confine, selected
from fairsweep.measure.sql import rows
from fairsweep.pages import figures, pictures, strips
from fairsweep.store import Store
from fairsweep.store.sweeps import newest_first

ORDERS = {
    "seed": "prompt_name, seed",
    "disagreement": "disagreed desc, lowest_score nulls last, prompt_name, seed",
    "lowest score": "lowest_score nulls last, prompt_name, seed",
    "flips": "flipped desc, lowest_score nulls last, prompt_name, seed",
}
ROWS = 100_000
# Training images of each matching that stand beside the generated ones.
MATCHED = 6
SqlError = (duckdb.Error, FairsweepError)


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
    """Return a connection to a store whose SQL can reach the store's files and no others; shares are computed once."""
    store = Store(root)
    connection = catalogue.connect(store)
    connection.execute("create temp table share as from main.share")
    confine(connection, store)
    return connection


def sweeps(connection: duckdb.DuckDBPyConnection, root: str) -> list[str]:
    """Return the sweeps of the store, the one planned last first."""
    return newest_first(Store(root))


def options(connection: duckdb.DuckDBPyConnection, sweep: str) -> dict[str, list[str]]:
    """Return what there is to choose from in a sweep; guided settings come before unguided ones."""
    queries = {
        "model": "select distinct model from plan where sweep = $sweep order by all",
        "setting": "select distinct setting, baseline from settings where sweep = $sweep order by 2, 1",
        "attribute": "select distinct attribute from targets where sweep = $sweep order by all",
        "classifier": "select distinct classifier from share where sweep = $sweep order by all",
        "prompt": "select distinct prompt_name from plan where sweep = $sweep order by all",
    }
    return {
        name: [row[0] for row in connection.execute(query, {"sweep": sweep}).fetchall()]
        for name, query in queries.items()
    }


def shares(connection: duckdb.DuckDBPyConnection, choice: Choice) -> list[dict]:
    """Return the rows of `share` of a cell and of its unguided baseline."""
    query = """
        select attribute, classifier, "group", prompt_name, model, setting, baseline, share, low, high, target, n
        from share
        left join settings using (sweep, model, setting)
        where sweep = $sweep and model = $model and attribute = $attribute and classifier = $classifier
            and (setting = $setting or baseline) and coalesce(prompt_name = $prompt, true)
        order by prompt_name, position, baseline desc"""
    return rows(connection.sql(query, params=asdict(choice)))


def share_plot(share_rows: list[dict]) -> str:
    """Return the dot plot of such rows, unguided and guided, as HTML."""
    plots = strips.share_plots(share_rows)
    template: Any = figures.templates().get_template("shares.html.j2").module
    return template.plot(plots[0], lambda row: "") if plots else ""


def gather(connection: duckdb.DuckDBPyConnection, choice: Choice) -> int:
    """Lay ready the images of a cell, each with the unguided image of its seed, and return how many there are."""
    connection.execute(
        """
        create or replace temp table gathered as
        select * from seed_pairs
        where sweep = $sweep and model = $model and setting = $setting and attribute = $attribute
            and classifier = $classifier and coalesce(prompt_name = $prompt, true)""",
        asdict(choice),
    )
    return connection.table("gathered").shape[0]


def pairs(connection: duckdb.DuckDBPyConnection, order: str = "seed", start: int = 0, size: int = 24) -> list[dict]:
    """Return those `start` to `start + size` of what is gathered, in one of ORDERS, with what each classifier saw."""
    query = f"""
        with page as (
            select *, row_number() over (order by {ORDERS[order]}) as place from gathered
            qualify place > $start and place <= $start + $size
        ),
        seen as (select image_id, attribute from page union select unguided_id, attribute from page),
        answered as (
            select image_id, list({{classifier: classifier, label: label, score: score}} order by classifier) as answers
            from labels
            semi join seen using (image_id, attribute)
            where error is null
            group by image_id
        )
        select
            prompt_name, seed, steered_to, page.image_id, unguided_id, one.answers, other.answers as unguided_answers,
            disagreed, flipped, lowest_score
        from page
        left join answered as one on one.image_id = page.image_id
        left join answered as other on other.image_id = unguided_id
        order by place"""
    return rows(connection.sql(query, params={"start": start, "size": size}))


def wall(connection: duckdb.DuckDBPyConnection, root: str, setting: str, rows: list[dict]) -> str:
    """Return these pairs as HTML, reading their pictures and no others."""
    ids = {row[key] for row in rows for key in ("image_id", "unguided_id")} - {None}
    encoded = pictures.read(Store(root), connection, sorted(ids))
    shown = {key: pictures.thumbnail(png, 160) for key, png in encoded.items()}
    return figures.templates().get_template("wall.html.j2").render(rows=rows, setting=setting, pictures=shown)


def training(connection: duckdb.DuckDBPyConnection, choice: Choice) -> list[dict]:
    """Return some training images that each way of matching gives to the choice's prompt, with what was seen there."""
    query = """
        with chosen as (
            select model, setting, image_id, any_value(prompt_name) as prompt_name from plan
            where sweep in (select data_sweep from matchings where sweep = $sweep)
                and coalesce(prompt_name = $prompt, true)
            group by model, setting, image_id
            -- Ids are hashes: the first of them are a sample.
            qualify row_number() over (partition by model, setting order by image_id) <= $most
        )
        select model, setting, prompt_name, image_id, label, score from chosen
        left join (
            select image_id, label, score from labels
            where attribute = $attribute and classifier = $classifier and error is null
        ) using (image_id)
        order by model, setting, image_id"""
    asked = {"sweep": choice.sweep, "prompt": choice.prompt, "most": MATCHED}
    asked |= {"attribute": choice.attribute, "classifier": choice.classifier}
    return rows(connection.sql(query, params=asked))


def training_wall(connection: duckdb.DuckDBPyConnection, root: str, shown: list[dict]) -> str:
    """Return these training images as HTML, read where they lie; nothing where no training data were audited."""
    opened = pictures.opened(Store(root), connection, sorted({row["image_id"] for row in shown}))
    thumbnails = {key: pictures.thumbnail(picture, 160) for key, picture in opened.items()}
    matchings: dict[str, list[dict]] = {}
    for row in shown:
        matchings.setdefault(f"{row['model']}.{row['setting']}", []).append(row)
    return figures.templates().get_template("training.html.j2").render(matchings=matchings, pictures=thumbnails)


def as_csv(rows: list[dict]) -> bytes:
    """Return rows as CSV, what is nested in them as JSON."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["image_id"])
    writer.writeheader()
    for row in rows:
        writer.writerow({key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()})
    return buffer.getvalue().encode()


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Return the first ROWS rows of a SELECT; raises SqlError for anything else and for what DuckDB refuses."""
    return selected(connection, sql).limit(ROWS).to_arrow_table()
