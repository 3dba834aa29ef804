"""Write the report of a sweep, or of several: one self-contained HTML page whose every number is a row of a view."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb
from markupsafe import Markup

from fairsweep import shipped
from fairsweep.errors import counted
from fairsweep.measure import beside
from fairsweep.measure.catalogue import connect
from fairsweep.measure.materialise import materialise
from fairsweep.measure.sql import literal, rows
from fairsweep.measure.verdicts import verdicts
from fairsweep.pages import figures, pictures, sentences, strips
from fairsweep.store import Store, sweeps

PICTURES = 240
SEEDS = 6
# A wall has this many prompts at least; where so many cells would need more pictures than this, it has fewer seeds.
WALL_PROMPTS, MOST_PICTURES = 3, 720
ROWS = 100
FACTORS = ("model", "setting", "prompt", "seed")
CHECKS = {
    "edits": (
        "What edits keep",
        "Images that start from a picture, by the group that it showed (before) and what they show (after): n of so "
        "many images. The interval is that of as many images as there are pictures.",
    ),
    "pull": (
        "Which way edits pull",
        "The share of a group among the source pictures and among their images; gained and lost count pictures. p: "
        "McNemar's exact test; q: over all settings of an attribute.",
    ),
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
        "Differences of models",
        "Shares of the prompts and seeds of which both models show a group; the interval is Student's over seeds.",
    ),
    "side_effects": (
        "Side effects",
        "Shares of attributes that the guidance was not meant to touch; p is that of the interval, q over all "
        "groups of a model and setting.",
    ),
    "missing": (
        "Images without a group",
        "No face, unknown or failed, where most: never dropped in silence.",
    ),
    "agreement": ("Agreement of classifiers", "Cohen's kappa: 1 is full agreement, 0 is chance."),
    "corrected": ("Corrected for classifier error", "What the shares are once the classifier's known errors are out."),
    "reference": (
        "Against a reference",
        "A reference is a distribution that is known from elsewhere, such as labour statistics or training data. A "
        "prompt reflects it where its shares lie within 4 % of the reference's, amplifies its bias where they are "
        "farther from the target than the reference is, and mitigates it where they are nearer. By test: the "
        "difference must be significant, in place of the 4 %; prompts of too few images to find one count for none.",
    ),
    "cost": (
        "Cost",
        "Device time as the pipeline measured it. Seconds per finding: the device time of a setting over its "
        "prompts found off target, of each attribute and by each classifier; none where nothing was found.",
    ),
}


@dataclass(frozen=True)
class Query:
    """Rows by column name, and the SQL that gave them; empty where no client could ask the same."""

    sql: str
    rows: list[dict]


def write(store: Store, names: Sequence[str] = (), path: Path | str = "report.html") -> Path:
    """Write the report of these sweeps (default: the one planned last), return its path; raises FairsweepError."""
    path = Path(path)
    path.write_text(render(store, names), encoding="utf-8")
    return path


def render(store: Store, names: Sequence[str] = (), connection: duckdb.DuckDBPyConnection | None = None) -> str:
    """Return the report as HTML; on the connection, the sweeps' metrics are then tables and no longer views."""
    connection = connection or connect(store)
    chosen = list(dict.fromkeys(sweeps.choose(store, name) for name in names or (None,)))
    sweep = beside.name(chosen)
    resolved = {name: store.read_spec(name) for name in chosen}
    specs = {name: each["spec"] for name, each in resolved.items() if "spec" in each}
    metrics = materialise(connection, chosen, ROWS, store.metrics())
    q = _figures(connection, sweep, specs, alone=len(chosen) == 1)
    cells = [{**row, **row["for_sentences"]} for row in q["cells"].rows]
    shares = q["shares"].rows
    measured = sentences.measured(cells)
    page = figures.templates().get_template("page.html.j2")
    return page.render(
        sweep=sweep,
        fingerprints=[each["fingerprint"] for each in resolved.values() if "fingerprint" in each],
        notes=[spec["notes"] for spec in specs.values() if spec.get("notes")],
        specs={name: json.dumps(spec, indent=2) for name, spec in specs.items()},
        left_out=[name for name, same in beside.declared(connection, chosen).items() if not same],
        made=datetime.now(UTC),
        q=q,
        best=sentences.best(cells),
        headline=sentences.unfinished(q["extent"].rows[0]) + sentences.headline(cells),
        limits=" ".join(filter(None, [sentences.limits(cells), *map(sentences.grown, resolved.values())])),
        # Each sweep has models and requirements of its own.
        verdicts=verdicts(connection, sweep, specs.get(sweep, {})),
        findings=sentences.sentences(cells, shares, q["agreement"].rows, q["comparison"].rows),
        models=list(dict.fromkeys(row["model"] for row in cells)),
        settings=list(dict.fromkeys(row["setting"] for row in cells if not row["baseline"])),
        shares=strips.share_plots(shares),
        wall=_wall(store, connection, sweep, shares),
        figures=figures.draw(measured, sentences.measured(q["dose"].rows)),
        components=figures.components(q["components"].rows),
        ranges=strips.ranges(q["leaderboard"].rows, q["obeyed"].rows, q["kept"].rows),
        variables=strips.variable_plots(q["variables"].rows),
        checks=CHECKS,
        metrics=metrics,
        extent=_extent(q["extent"].rows[0]),
        guided=len({(row["model"], row["setting"]) for row in measured if not row["baseline"]}),
        script=_script(),
    )


def _script() -> dict[str, str]:
    """Return the page's one script, and the hash by which the page lets no other run."""
    code = (shipped.path("dashboards") / "report" / "page.js").read_text(encoding="utf-8")
    return {"code": Markup(code), "hash": base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}


def _figures(
    connection: duckdb.DuckDBPyConnection, sweep: str, specs: dict[str, dict], alone: bool
) -> dict[str, Query]:
    """Run every .sql of the report for a sweep, with each attribute's leading classifier."""
    order = [classifier["name"] for spec in specs.values() for classifier in spec.get("classifiers", ())]
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
        queries[file.stem] = Query(sql if alone else "", rows(connection.execute(sql)))
    return queries


def _wall(store: Store, connection: duckdb.DuckDBPyConnection, sweep: str, shares: list[dict]) -> dict[str, list[dict]]:
    """Return per prompt the cells' pictures of the same seeds, as many prompts as the page has room for."""
    cells = len({(row["model"], row["setting"]) for row in shares}) or 1
    first = tuple(dict.fromkeys(row["prompt_name"] for row in shares))
    prompts = max(WALL_PROMPTS, PICTURES // (SEEDS * cells))
    seeds = min(SEEDS, max(1, MOST_PICTURES // (prompts * cells)))
    rows = pictures.fixed_set(connection, sweep, prompts, seeds, first)
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
    """Say what was asked for and how much is there; results from elsewhere may have no seeds and no pictures.

    A product where every prompt has every seed in every setting; not of sweeps side by side, nor of one in rounds.
    """
    whole = math.prod(counts[f"{name}s"] or 1 for name in FACTORS)
    crossed = not counts["seeds"] or whole == counts["images_planned"] + counts["images_elsewhere"]
    text = (" × " if crossed else ", ").join(
        counted(counts[f"{name}s"], name) for name in FACTORS if counts[f"{name}s"]
    )
    parts = []
    if counts["images_planned"]:
        parts.append(f"{counts['images_made']:,} of {counts['images_planned']:,} images are there")
    if counts["images_elsewhere"]:
        parts.append(f"{counted(counts['images_elsewhere'], 'image')} made elsewhere")
    return f"{text}: {', '.join(parts)}"
