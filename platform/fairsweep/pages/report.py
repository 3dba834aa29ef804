"""Write a sweep's report: one self-contained HTML page whose every number is a row of a metric's view."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb

from fairsweep import shipped
from fairsweep.measure.catalogue import connect
from fairsweep.measure.materialise import materialise
from fairsweep.measure.sql import literal, rows
from fairsweep.pages import figures, pictures, sentences
from fairsweep.store import Store, sweeps

PICTURES = 240
SEEDS = 6
ROWS = 100
FACTORS = ("model", "setting", "prompt", "seed")
CHECKS = {
    "flips": (
        "Flips",
        "Images whose group is not that of the unguided image of their seed. p: Student's t over seeds of the change "
        "of the groups' shares; q: Benjamini and Hochberg's over all settings of an attribute.",
    ),
    "cell_tests": (
        "All prompts together",
        "Whether the images of all prompts show the groups as often as the target asks: Student's t over seeds; q: "
        "over all settings of an attribute. A smaller difference of a share than the least could not have been found.",
    ),
    "comparison": (
        "Models side by side",
        "Shares over all prompts, on the same seeds; the interval is Student's over the seeds' differences.",
    ),
    "side_effects": (
        "Side effects",
        "Shares of attributes that the guidance was not meant to touch; p is that of the flips.",
    ),
    "missing": (
        "Images without a group",
        "No face, unknown or failed, where most: never dropped in silence.",
    ),
    "agreement": ("Agreement of classifiers", "Cohen's kappa: 1 is full agreement, 0 is chance."),
    "corrected": ("Corrected for classifier error", "What the shares are once the classifier's known errors are out."),
    "reference": (
        "Against a reference",
        "Whether prompts amplify, reflect or mitigate the reference's bias.",
    ),
    "cost": ("Cost", "Device time as the pipeline measured it."),
}


@dataclass(frozen=True)
class Query:
    """Rows by column name, and the SQL that gave them."""

    sql: str
    rows: list[dict]


def write(store: Store, sweep: str | None = None, path: Path | str = "report.html") -> Path:
    """Write the report of a sweep (default: the one planned last), return its path; raises StoreError."""
    path = Path(path)
    path.write_text(render(store, sweep), encoding="utf-8")
    return path


def render(store: Store, sweep: str | None = None, connection: duckdb.DuckDBPyConnection | None = None) -> str:
    """Return the report as HTML; on the connection, a sweep's metrics are then tables and no longer views."""
    connection = connection or connect(store)
    sweep = sweeps.choose(store, sweep)
    resolved = store.read_spec(sweep)
    metrics = materialise(connection, sweep, ROWS)
    q = _figures(connection, sweep, resolved.get("spec", {}))
    cells = [{**row, **row["for_sentences"]} for row in q["cells"].rows]
    shares = q["shares"].rows
    measured = sentences.measured(cells)
    return (
        figures.templates()
        .get_template("page.html.j2")
        .render(
            sweep=sweep,
            fingerprint=resolved.get("fingerprint"),
            notes=resolved.get("spec", {}).get("notes"),
            spec=json.dumps(resolved["spec"], indent=2) if "spec" in resolved else None,
            made=datetime.now(UTC),
            q=q,
            best=sentences.best(cells),
            headline=sentences.headline(cells),
            limits=sentences.limits(cells),
            findings=sentences.sentences(cells, shares, q["agreement"].rows, q["comparison"].rows),
            models=list(dict.fromkeys(row["model"] for row in cells)),
            settings=list(dict.fromkeys(row["setting"] for row in cells if not row["baseline"])),
            shares=figures.share_plots(shares),
            wall=_wall(store, connection, sweep, shares),
            figures=figures.draw(measured, sentences.measured(q["dose"].rows)),
            components=figures.components(q["components"].rows),
            checks=CHECKS,
            metrics=metrics,
            extent=_extent(q["extent"].rows[0]),
            guided=len({(row["model"], row["setting"]) for row in measured if not row["baseline"]}),
        )
    )


def _figures(connection: duckdb.DuckDBPyConnection, sweep: str, spec: dict) -> dict[str, Query]:
    """Run every .sql of the report for a sweep, with each attribute's leading classifier."""
    order = [classifier["name"] for classifier in spec.get("classifiers", ())]
    labelled = connection.execute(
        "select distinct attribute, classifier from share where sweep = ? order by all", [sweep]
    ).fetchall()
    labelled.sort(key=lambda pair: order.index(pair[1]) if pair[1] in order else len(order))
    lead = dict(reversed(labelled))
    pairs = ", ".join(f"({literal(a)}, {literal(c)})" for a, c in sorted(lead.items())) or "(null, null)"
    values = {"$sweep": literal(sweep), "$lead": f"({pairs})"}
    queries = {}
    for file in sorted((shipped.path("dashboards") / "report").glob("*.sql")):
        sql = re.sub(r"\$(sweep|lead)\b", lambda name: values[name[0]], file.read_text(encoding="utf-8"))
        queries[file.stem] = Query(sql, rows(connection.execute(sql)))
    return queries


def _wall(store: Store, connection: duckdb.DuckDBPyConnection, sweep: str, shares: list[dict]) -> dict[str, list[dict]]:
    """Return per prompt the cells' pictures of the same seeds, as many prompts as the page has room for."""
    cells = len({(row["model"], row["setting"]) for row in shares}) or 1
    first = tuple(dict.fromkeys(row["prompt_name"] for row in shares))
    rows = pictures.fixed_set(connection, sweep, max(3, PICTURES // (SEEDS * cells)), SEEDS, first)
    pixels = pictures.read(store, connection, [row["image_id"] for row in rows])
    baseline = {(row["model"], row["setting"]) for row in shares if row["baseline"]}
    wall: dict[str, list[dict]] = {}
    for (model, setting, prompt), images in groupby(rows, itemgetter("model", "setting", "prompt_name")):
        thumbnails = [
            {"seed": image["seed"], "source": pictures.thumbnail(pixels[image["image_id"]])}
            for image in images
            if image["image_id"] in pixels
        ]
        if thumbnails:
            cell = {
                "model": model,
                "setting": setting,
                "baseline": (model, setting) in baseline,
                "pictures": thumbnails,
            }
            wall.setdefault(prompt, []).append(cell)
    return {prompt: sorted(cells, key=lambda cell: not cell["baseline"]) for prompt, cells in wall.items()}


def _extent(counts: dict) -> str:
    counted = (f"{counts[f'{name}s']} {name}{'s' if counts[f'{name}s'] != 1 else ''}" for name in FACTORS)
    return f"{' × '.join(counted)}: {counts['images_made']:,} of {counts['images_planned']:,} images are there"
