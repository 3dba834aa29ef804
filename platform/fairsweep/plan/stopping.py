"""When a prompt has enough seeds: once it is surely off its targets, or surely within the margin of them."""

from collections.abc import Iterator

from duckdb import DuckDBPyConnection

from fairsweep.measure.sql import rows
from fairsweep.plan.decisions import STOP, Decision
from fairsweep.plan.declared import lead
from fairsweep.plan.rounds import UNDECIDED, Rounds
from fairsweep.spec import SweepSpec

OFF, ON, UNREADABLE = "off target", "on target", "unreadable"

# Nothing is decided on an attribute of which the classifier cannot tell a group.
# Of images that were made and labelled, the share that shows no declared group has an any-time interval, too.
_LOOKS = """
with intervals as (
    select
        model, setting, prompt, attribute, classifier, bool_and(farthest is not null) as measured,
        measured and bool_or(target < low or target > high) as off, measured and bool_and(farthest <= $margin) as near,
        map(list("group"), list(round(low, 6))) as low,
        map(list("group"), list(round(high, 6))) as high, map(list("group"), list(count)) as counts
    from share_anytime where sweep = $sweep group by all
)
select
    intervals.*, prompt_name, n, images, failed,
    anytime_low(
        [struct_pack(n := images - failed, counts := [n, images - failed - n])], 2, 1e0 - confidence_level()
    ) > 0.5 as unreadable
from intervals
join group_counts using (model, setting, prompt, attribute, classifier)
where sweep = $sweep and images > failed
"""


def decide(rounds: Rounds, connection: DuckDBPyConnection) -> Iterator[Decision]:
    """Yield what the images of the last round decide, for every prompt and attribute that was still open.

    Where no image was made and labelled nothing is decided: the next run tries these again. The views must see the
    whole round. Every image of it counts for the result, too: the intervals hold however often one looks.
    """
    spec = rounds.spec
    if not spec.sampling:
        return
    readers = {attribute: lead(spec, attribute) for attribute in spec.attributes}
    bound = {"sweep": spec.name, "margin": spec.sampling.margin}
    for row in rows(connection.execute(_LOOKS, bound)):
        place = (row["model"], row["setting"], row["prompt"], row["attribute"])
        number = rounds.open(*place)
        if number is None or row["classifier"] != readers.get(row["attribute"]):
            continue
        evidence = {name: row[name] for name in ("images", "failed", "n", "counts", "low", "high")}
        yield _decision(spec, rounds, row, number, _verdict(row), evidence)


def _verdict(row: dict) -> str:
    if row["unreadable"]:
        return UNREADABLE
    if not row["n"]:
        return UNDECIDED
    return ON if row["near"] else OFF if row["off"] else UNDECIDED


def _decision(spec: SweepSpec, rounds: Rounds, row: dict, number: int, value: str, evidence: dict) -> Decision:
    return Decision(
        sweep=spec.name,
        kind=STOP,
        round=number,
        model=row["model"],
        setting=row["setting"],
        prompt=row["prompt"],
        prompt_name=row["prompt_name"],
        attribute=row["attribute"],
        value=value,
        evidence=evidence,
        rule=rounds.rules(row["model"], row["setting"])[number],
    )
