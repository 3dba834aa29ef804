"""When a prompt has enough seeds: once it is surely off its targets or near them, or hardly will be within the most."""

from collections.abc import Iterator

from duckdb import DuckDBPyConnection

from fairsweep.plan.decisions import STOP, Decision, about, evidence
from fairsweep.plan.prospects import LEAST_CHANCE, Prospects
from fairsweep.plan.rounds import OUT_OF_REACH, UNDECIDED, Rounds

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
    intervals.*, prompt_name, n, images, failed, strata, group_counts.counts as numbers, targets,
    (1e0 - confidence_level()) / group_tests(len(targets)) as error,
    anytime_low(
        [struct_pack(n := images - failed, missing := 0, counts := [n, images - failed - n])], 2,
        1e0 - confidence_level()
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
    prospects = Prospects(connection, spec.sampling.margin, [block.stop for block in rounds.blocks])
    for row in evidence(spec, connection, _LOOKS, margin=spec.sampling.margin):
        number = rounds.open(row["model"], row["setting"], row["prompt"], row["attribute"])
        if number is None:
            continue
        value, beyond = _verdict(row), {}
        if value == UNDECIDED and row["measured"]:
            beyond = _beyond(row, prospects, spec.sampling.most)
            value = OUT_OF_REACH if beyond.get("chance", 1.0) < LEAST_CHANCE else UNDECIDED
        yield about(
            row,
            sweep=spec.name,
            kind=STOP,
            round=number,
            value=value,
            evidence={name: row[name] for name in ("images", "failed", "n", "counts", "low", "high")} | beyond,
            rule=rounds.rules(row["model"], row["setting"])[number],
        )


def _verdict(row: dict) -> str:
    if row["unreadable"]:
        return UNREADABLE
    if not row["n"]:
        return UNDECIDED
    return ON if row["near"] else OFF if row["off"] else UNDECIDED


def _beyond(row: dict, prospects: Prospects, most: int) -> dict:
    """Return the chance of a verdict within the most seeds, and where that is small how many images would decide.

    Of dealt directions no chance is known: they go on.
    """
    beyond: dict = {"most": most}
    if row["images"] < most and len(row["strata"]) == 1:
        chance = prospects.chance(row["images"], row["numbers"], row["targets"], row["error"])
        beyond["chance"] = round(chance, 4)
    if row["images"] >= most or beyond.get("chance", 1.0) < LEAST_CHANCE:
        beyond["needed"] = prospects.images_needed(row["strata"], row["targets"], row["error"])
    return beyond
