"""Fetch what the explorer shows, one screen at a time: choices, shares, pictures with their labels, rows of SQL."""

import csv
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import duckdb
import pyarrow as pa

from fairsweep.errors import FairsweepError
from fairsweep.measure import catalogue
from fairsweep.measure.selection import check_select, confine
from fairsweep.measure.sql import rows
from fairsweep.store import Store
from fairsweep.store.sweeps import newest_first

ORDERS = {
    "seed": "prompt_name, seed",
    "worst prompts": "distance desc nulls last, prompt_name, seed",
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


@dataclass(frozen=True)
class Filters:
    """Which pictures of a choice to keep: of a group, without any, flipped by guidance, seen differently."""

    group: str | None = None
    missing: bool = False
    flipped: bool = False
    disagreed: bool = False


NONE = Filters()
# The groups of no picture without one: those that are declared have a position.
KEPT = """coalesce(after = $group, true) and (not $missing or position is null) and (not $flipped or flipped)
    and (not $disagreed or disagreed)"""


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
        "model": "select distinct model from planned where sweep = $sweep order by all",
        "setting": "select distinct setting, baseline from settings where sweep = $sweep order by 2, 1",
        "attribute": "select distinct attribute from targets where sweep = $sweep order by all",
        "classifier": "select distinct classifier from share where sweep = $sweep order by all",
        "prompt": "select distinct prompt_name from planned where sweep = $sweep order by all",
    }
    return {
        name: [row[0] for row in connection.execute(query, {"sweep": sweep}).fetchall()]
        for name, query in queries.items()
    }


def groups(connection: duckdb.DuckDBPyConnection, sweep: str) -> dict[str, list[str]]:
    """Return the declared groups of each attribute of a sweep, in their order."""
    query = 'select attribute, list("group" order by position) from targets where sweep = ? group by attribute'
    return dict(connection.execute(query, [sweep]).fetchall())


def unguided(connection: duckdb.DuckDBPyConnection, sweep: str) -> list[str]:
    """Return the settings that others are compared with."""
    query = "select distinct setting from settings where sweep = ? and baseline order by all"
    return [row[0] for row in connection.execute(query, [sweep]).fetchall()]


# How far each prompt of a cell lies from its target.
_DISTANCES = """
    select prompt_name, if(count(share) = count(*), sum(abs(share - target)) / 2, null) as distance from share
    where sweep = $sweep and model = $model and setting = $setting and attribute = $attribute
        and classifier = $classifier
    group by prompt_name"""


def shares(connection: duckdb.DuckDBPyConnection, choice: Choice, beside: Collection[str] = ()) -> list[dict]:
    """Return the rows of `share` of a cell, its unguided baseline and settings beside it, the worst prompts first."""
    query = f"""
        with distances as ({_DISTANCES})
        select attribute, classifier, "group", prompt_name, model, setting, baseline, share, low, high, target, n,
            reason
        from share
        left join settings using (sweep, model, setting)
        left join distances using (prompt_name)
        where sweep = $sweep and model = $model and attribute = $attribute and classifier = $classifier
            and (setting = $setting or baseline or setting in $beside) and coalesce(prompt_name = $prompt, true)
        order by distance desc nulls last, prompt_name, position, baseline desc, setting <> $setting, setting"""
    return rows(connection.sql(query, params={**asdict(choice), "beside": list(beside)}))


def gather(connection: duckdb.DuckDBPyConnection, choice: Choice) -> int:
    """Lay ready the images of a cell, each with the unguided image of its seed, and return how many there are."""
    connection.execute(
        f"""
        create or replace temp table gathered as
        with distances as ({_DISTANCES})
        select seed_pairs.*, distance, position from seed_pairs
        left join distances using (prompt_name)
        left join (select "group", position from targets where sweep = $sweep and attribute = $attribute) as declared
            on declared."group" = after
        where sweep = $sweep and model = $model and setting = $setting and attribute = $attribute
            and classifier = $classifier and coalesce(prompt_name = $prompt, true)""",
        asdict(choice),
    )
    return connection.table("gathered").shape[0]


def count(connection: duckdb.DuckDBPyConnection, filters: Filters) -> int:
    """Return how many of what is gathered the filters keep."""
    (found,) = rows(connection.execute(f"select count(*) as n from gathered where {KEPT}", asdict(filters)))
    return found["n"]


def pairs(
    connection: duckdb.DuckDBPyConnection,
    order: str = "seed",
    start: int = 0,
    size: int = 24,
    filters: Filters = NONE,
) -> list[dict]:
    """Return those `start` to `start + size` of what is gathered, in one of ORDERS, with what each classifier saw."""
    query = f"""
        with page as (
            select *, row_number() over (order by {ORDERS[order]}) as place from gathered
            where {KEPT}
            qualify place > $start and place <= $start + $size
        ),
        seen as (select image_id, attribute from page union select unguided_id, attribute from page),
        answered as (
            select image_id, list({{classifier: classifier, label: label, score: score}} order by classifier) as answers
            from labels
            semi join seen using (image_id, attribute)
            where error is null and classifier in (select classifier from readers semi join page using (sweep))
            group by image_id
        )
        select
            prompt, prompt_name, seed, steered_to, page.image_id, unguided_id,
            one.answers, other.answers as unguided_answers, disagreed, flipped, lowest_score
        from page
        left join answered as one on one.image_id = page.image_id
        left join answered as other on other.image_id = unguided_id
        order by place"""
    return rows(connection.sql(query, params={"start": start, "size": size, **asdict(filters)}))


def beside(
    connection: duckdb.DuckDBPyConnection, choice: Choice, shown: Sequence[dict], settings: Sequence[str]
) -> dict[str, list[dict]]:
    """Return for each of these pairs, by its image_id, the images of its seed under other settings, with answers."""
    query = """
        with page as (select unnest($ids) as shown),
        others as (
            select page.shown, other.setting, other.image_id, other.direction[$attribute] as steered_to
            from page
            join plan as one on one.image_id = page.shown and one.sweep = $sweep
            join plan as other on other.sweep = one.sweep and other.model = one.model and other.prompt = one.prompt
                and other.seed = one.seed and other.setting in $settings
        ),
        answered as (
            select image_id, list({classifier: classifier, label: label, score: score} order by classifier) as answers
            from labels
            where attribute = $attribute and error is null and image_id in (select image_id from others)
                and classifier in (select classifier from readers where sweep = $sweep)
            group by image_id
        )
        select shown, setting, others.image_id, steered_to, answers from others left join answered using (image_id)
        order by setting"""
    found: dict[str, list[dict]] = {}
    if shown and settings:
        asked: dict = {"ids": [row["image_id"] for row in shown], "settings": list(settings)}
        asked |= {"sweep": choice.sweep, "attribute": choice.attribute}
        for row in rows(connection.sql(query, params=asked)):
            found.setdefault(row.pop("shown"), []).append(row)
    return found


def picture(connection: duckdb.DuckDBPyConnection, sweep: str, image_id: str) -> dict | None:
    """Return what is there to say of one image: its row of the plan, its labels, the images of its seed (siblings)."""
    planned = rows(
        connection.execute(
            """select sweep, image_id, model, setting, prompt, prompt_name, seed, direction from planned
            where image_id = $image order by sweep <> $sweep, sweep limit 1""",
            {"image": image_id, "sweep": sweep},
        )
    )
    if not planned:
        return None
    labels = """
        select attribute, classifier, label, score, error from labels
        where image_id = $image and classifier in (select classifier from readers where sweep = $sweep) order by all"""
    siblings = """
        select image_id, setting from plan left join settings using (sweep, model, setting)
        where sweep = $sweep and model = $model and prompt = $prompt and seed = $seed
        order by baseline desc nulls last, setting"""
    seed = {name: planned[0][name] for name in ("sweep", "model", "prompt", "seed")}
    return {
        **planned[0],
        "labels": rows(connection.execute(labels, {"image": image_id, "sweep": planned[0]["sweep"]})),
        "siblings": rows(connection.execute(siblings, seed)),
    }


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


def by_matching(training_rows: list[dict]) -> dict[str, list[dict]]:
    """Return the rows of `training` by the name of what matched them."""
    matchings: dict[str, list[dict]] = {}
    for row in training_rows:
        matchings.setdefault(f"{row['model']}.{row['setting']}", []).append(row)
    return matchings


def as_csv(rows: list[dict]) -> bytes:
    """Return rows as CSV, what is nested in them as JSON."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["image_id"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: json.dumps(value, default=str) if isinstance(value, list | dict) else value
                for key, value in row.items()
            }
        )
    return buffer.getvalue().encode()


def views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of what a query may ask: the views of the store and its metrics."""
    return [row[0] for row in connection.execute("select distinct name from (show all tables) order by all").fetchall()]


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Return the first ROWS rows of a SELECT; raises SqlError for anything else and for what DuckDB refuses."""
    check_select(connection, sql)
    return connection.sql(sql).limit(ROWS).to_arrow_table()
