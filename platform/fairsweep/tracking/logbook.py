"""Gather what of a sweep is worth logging, as plain data: tags, parameters, metrics, pictures."""

import json
import math
import shutil
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

from fairsweep.measure.catalogue import connect
from fairsweep.measure.sql import rows
from fairsweep.measure.verdicts import Verdict, verdicts
from fairsweep.pages import pictures
from fairsweep.store import Store
from fairsweep.tracking import view

if TYPE_CHECKING:
    # Most runs of this module end before a frame is asked for.
    import pandas as pd

SEEDS_SHOWN = 4
PROMPTS_SHOWN = 24
CELL = "sweep = $sweep and model = $model and setting = $setting"
_KEYS = {"sweep", "model", "setting", "attribute", "classifier"}

Cell = dict[str, str]


class Logbook:
    """One sweep of a store; a cell is {"model": ..., "setting": ...}."""

    def __init__(self, store: Store, sweep: str):
        self.store, self.sweep = store, sweep
        self.sql: duckdb.DuckDBPyConnection = connect(store)
        self.resolved = store.read_spec(sweep)
        self.spec = self.resolved.get("spec", {})
        self.fingerprint = self.resolved.get("fingerprint", "none")

    def cells(self) -> list[Cell]:
        """Return every model x setting."""
        return self.rows("select distinct model, setting from planned where sweep = $sweep order by all")

    def status(self) -> tuple[str, str | None]:
        """Return "finished", or "interrupted" with the reason."""
        count = self.rows(
            """
            select count(*) as planned, count(made.image_id) as made
            from planned left join (from images where error is null) as made using (image_id)
            where sweep = $sweep"""
        )[0]
        missing = count["planned"] - count["made"]
        if missing:
            return "interrupted", f"{missing} of {count['planned']} images are not there"
        return "finished", None

    def origin(self) -> dict[str, str]:
        """Return tags that say which packages made the images, and which commit this folder is at."""
        tags: dict[str, str] = {}
        for row in self.rows("select distinct versions from images where versions is not null"):
            tags |= {f"version.{name}": str(version) for name, version in json.loads(row["versions"]).items()}
        if shutil.which("git"):
            commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
            tags |= {"mlflow.source.git.commit": commit.stdout.strip()} if commit.stdout else {}
        return tags

    def size(self) -> dict[str, object]:
        """Return how many models, settings, classifiers, seeds and prompts the sweep has."""
        listed = ("models", "guidance", "classifiers", "seeds")
        counted = {key: len(self.spec[key]) for key in listed if key in self.spec}
        prompts = self.rows("select count(distinct prompt) as prompts from planned where sweep = $sweep")
        return counted | prompts[0]

    def setting(self, cell: Cell) -> dict[str, object]:
        """Return a cell's parameters: the model's options and the guidance, flat."""
        models = {model["name"]: model for model in self.spec.get("models", ())}
        params = {
            **cell,
            **{key: value for key, value in models.get(cell["model"], {}).items() if key != "name"},
        }
        for row in self.rows(f"select method, attributes, params from settings where {CELL}", cell):
            params |= {"method": row["method"], "steered": ", ".join(row["attributes"] or ())}
            params |= {f"guidance.{key}": value for key, value in json.loads(row["params"] or "{}").items()}
        return {key: value for key, value in params.items() if value is not None}

    def metrics(self, cell: Cell) -> dict[str, float]:
        """Return the finite numbers of `summary`, as <attribute>/<classifier>/<column>, and of `cost`.

        What people chart first has a short name too: as the first classifier that the spec names for it saw it.
        """
        values: dict[str, object] = {}
        summary = self.rows(f"select * from summary where {CELL} order by attribute, classifier", cell)
        for row in summary:
            place = f"{row['attribute']}/{row['classifier']}"
            values |= {f"{place}/{column}": row[column] for column in row.keys() - _KEYS}
        for row in self.rows(f"select * from cost where {CELL}", cell):
            values |= {f"cost/{column}": row[column] for column in row.keys() - _KEYS}
            values[view.SPEED] = row["images_per_second"]
        order = [classifier["name"] for classifier in self.spec.get("classifiers", ()) if "name" in classifier]
        first = sorted(
            summary, key=lambda row: order.index(row["classifier"]) if row["classifier"] in order else len(order)
        )
        for row in reversed(first):
            values[view.distance(row["attribute"])] = row["total_variation"]
            values[f"off_target_{row['attribute']}"] = row["prompts_off_target"]
            values[f"missing_{row['attribute']}"] = row["missing_share"]
            if row["scene_similarity"] is not None:
                values[view.KEPT] = row["scene_similarity"]
        numbers = {key: float(value) for key, value in values.items() if isinstance(value, int | float | Decimal)}
        return {key: value for key, value in numbers.items() if math.isfinite(value)}

    def verdicts(self) -> list[Verdict]:
        """Return the verdicts on what the sweep's spec requires."""
        return verdicts(self.sql, self.sweep, self.spec)

    def decided(self, cell: Cell | None = None) -> str:
        """Return how many prompts and attributes of the sweep, or of a cell, were decided how; empty where none was."""
        chosen = CELL if cell else "sweep = $sweep"
        query = f"select kind, verdict, count(*) as n from decided where {chosen} group by all order by all"
        return ", ".join(f"{row['kind']}: {row['n']} {row['verdict']}" for row in self.rows(query, cell))

    def skewed(self) -> list[str]:
        """Return a line for each target that asks for less parity than the model has without guidance."""
        query = """
            select model, setting, attribute from decisions
            where sweep = $sweep and kind = 'skew' and value = 'farther from parity' order by all"""
        return [
            f"skewed on purpose: {row['setting']} makes {row['model']} less even in {row['attribute']}"
            for row in self.rows(query)
        ]

    def attributes(self) -> list[str]:
        """Return the attributes that the sweep declares."""
        rows = self.rows("select distinct attribute from targets where sweep = $sweep order by all")
        return [row["attribute"] for row in rows]

    def first_error(self, cell: Cell) -> str | None:
        """Return the error of one of the cell's failed images, if any failed."""
        query = f"""
            select min(error) as error
            from (select image_id from planned where {CELL}) join images using (image_id)"""
        return self.rows(query, cell)[0]["error"]

    def pictures(self) -> list[dict]:
        """Return the same seeds of the same prompts for every cell, each row with its picture in `png`."""
        rows = pictures.fixed_set(self.sql, self.sweep, PROMPTS_SHOWN, SEEDS_SHOWN)
        pixels = pictures.read(self.store, self.sql, [row["image_id"] for row in rows])
        return [{**row, "png": pixels[row["image_id"]]} for row in rows if row["image_id"] in pixels]

    def frame(self, query: str, cell: Cell | None = None) -> "pd.DataFrame":
        """Return a query's rows; it may name $sweep, and with a cell $model and $setting."""
        return self.relation(query, cell).df()

    def relation(self, query: str, cell: Cell | None = None) -> duckdb.DuckDBPyRelation:
        """Return a query, not run yet."""
        return self.sql.sql(query, params={"sweep": self.sweep, **(cell or {})})

    def rows(self, query: str, cell: Cell | None = None) -> list[dict]:
        """Return a query's rows as plain values."""
        return rows(self.sql.execute(query, {"sweep": self.sweep, **(cell or {})} if "$" in query else None))
