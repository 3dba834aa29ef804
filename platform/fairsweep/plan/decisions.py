"""What a sweep in rounds has decided: rows of the store, made once, by which every later plan goes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from duckdb import DuckDBPyConnection

from fairsweep.measure.sql import rows
from fairsweep.plan.declared import lead
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

# Per prompt and attribute of a cell: "go on", or a verdict, after each of its rounds.
STOP = "stop"
# Per prompt and attribute of a setting that steers only where it must: the group that is over-drawn, or "leave".
STEER = "steer"
# Per prompt and attribute of a calibrated setting: a verdict after each pilot, with quota and scale in its evidence.
QUOTA = "quota"
# Per setting and attribute: whether its target is farther from parity than the unguided model.
SKEW = "skew"


@dataclass(frozen=True)
class Decision:
    """One decision: about which prompt and attribute of which cell, after which round, and what it was read off.

    prompt: its text; empty where the decision is about all. round: from 0. value: what was decided, by kind.
    evidence: numbers by name (lists of numbers, too). rule: see `rule`.
    """

    sweep: str
    kind: str
    round: int
    model: str
    setting: str
    prompt: str
    prompt_name: str
    attribute: str
    value: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    rule: str = ""

    def row(self) -> dict:
        """Return the decision as a row of the store."""
        return asdict(self) | {"evidence": json.dumps(dict(self.evidence), sort_keys=True)}

    @classmethod
    def of(cls, row: dict) -> "Decision":
        """Return the decision that a row of the store holds."""
        return cls(**row | {"evidence": json.loads(row["evidence"])})


def evidence(spec: SweepSpec, connection: DuckDBPyConnection, query: str, **bound: Any) -> Iterator[dict]:
    """Yield the rows of a query about a sweep that hold what the leading classifier of their attribute read."""
    readers = {attribute: lead(spec, attribute) for attribute in spec.attributes}
    for row in rows(connection.execute(query, {"sweep": spec.name, **bound})):
        if row["classifier"] == readers.get(row["attribute"]):
            yield row


def about(row: Mapping[str, Any], **decided: Any) -> Decision:
    """Return a decision about the prompt and attribute of a cell that a row names; decided: all that it does not."""
    return Decision(
        model=row["model"],
        setting=row["setting"],
        prompt=row["prompt"],
        prompt_name=row["prompt_name"],
        attribute=row["attribute"],
        **decided,
    )


def rule(*parts: Any) -> str:
    """Return a short hash of what of a spec a decision is made by: under another rule it is made anew."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def read(store: Store, sweep: str) -> list[Decision]:
    """Return every decision of a sweep, whatever rule it was made by."""
    return [Decision.of(row) for row in store.read_decisions(sweep)]


def write(store: Store, decisions: Iterable[Decision]) -> None:
    """Keep decisions of one sweep, all or none; those that are there stay. The caller holds the store's lock."""
    rows = [decision.row() for decision in decisions]
    if rows:
        store.write_decisions(rows[0]["sweep"], rows)
