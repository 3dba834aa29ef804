"""The last lines of a run: what came out, in words and numbers, and how to go on."""

import os
from shlex import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairsweep.errors import counted, some
from fairsweep.measure.catalogue import connect
from fairsweep.measure.sql import rows
from fairsweep.store import Store
from fairsweep.terminal.progress import duration

_PROMPTS = 16
_FAILURES = 10

# One reference for an attribute: a column of several would say of none whose figures they are.
_PLANTED = """
with planted as (
    select distinct on (prompt_name, attribute, "group") prompt_name, attribute, "group", share, reference
    from (
        from reference_shares semi join (select reference from sweep_references where sweep = $sweep) using (reference)
        qualify reference = min(reference) over (partition by attribute)
    )
),
"""

_SHARES = f"""
{_PLANTED}
named as (
    select share.*, planted.share as reference, planted.reference as reference_name,
        dense_rank() over (order by share.prompt_name) as rank
    from share left join planted using (prompt_name, attribute, "group")
    where sweep = $sweep
)
select named.* from named join settings using (sweep, model, setting)
order by attribute, classifier, prompt_name, position, model, baseline desc, setting
"""

_DISTANCES = f"""
{_PLANTED}
means as (
    select share.model, share.setting, share.attribute, share.classifier, share.prompt_name,
        if(count(share.share) = count(*), sum(abs(share.share - share.target)) / 2, null) as distance,
        arg_max(share.share, coalesce(planted.share, share.share)) as largest,
        max(planted.share) as reference_largest
    from share left join planted using (prompt_name, attribute, "group")
    where sweep = $sweep group by all
)
select attribute, classifier, model, setting, avg(distance) as distance,
    -- Of the prompts that the reference speaks of, where it speaks of any.
    coalesce(avg(largest) filter (reference_largest is not null), avg(largest)) as largest,
    avg(reference_largest) as reference_largest, count(*) as prompts,
    any_value(off_target) as off_target, any_value(undecided) as undecided, any_value(unseen) as unseen,
    any_value(images) as images,
    any_value(least_difference) as least_difference
from means join settings using (model, setting)
left join (
    select model, setting, attribute, classifier, count(*) filter (verdict = 'off target') as off_target,
        count(*) filter (verdict = 'not decided') as undecided, count(*) filter (verdict = 'no images') as unseen,
        max(images) as images,
        min(least_difference) as least_difference
    from target_test where sweep = $sweep group by all
) using (model, setting, attribute, classifier)
where settings.sweep = $sweep and distance is not null
group by attribute, classifier, model, setting, baseline order by attribute, classifier, model, baseline desc, setting
"""


# What pilots led to: the verdict is theirs, and not that of the images made after them, whose shares stand above.
_CALIBRATED = """
with pilots as (
    select distinct
        model, setting, attribute, if(verdict = 'no pilot', verdict, decided) as verdict, prompt_name,
        if(decided = 'not reachable', round(100 * foreseen)::bigint, null) as miss
    from calibrated where sweep = $sweep
)
select model, setting, attribute, verdict, count(*) as n,
    list(prompt_name || coalesce(' (at best ' || miss || ' % off)', '') order by prompt_name) as prompts
from pilots group by all order by all
"""


def show(store: Store, sweep: str, outcome, logged: str | None, console: Console) -> None:
    """Print what a run did, its failures, the findings, the paths and the commands to go on with."""
    option = store_option(store)
    _failures(outcome, console)
    with connect(store) as connection:
        shares = rows(connection.execute(_SHARES, {"sweep": sweep}))
        distances = rows(connection.execute(_DISTANCES, {"sweep": sweep}))
        decided = store.has_decisions()
        calibrated = rows(connection.execute(_CALIBRATED, {"sweep": sweep})) if decided else []
    for attribute, classifier in dict.fromkeys((row["attribute"], row["classifier"]) for row in shares):
        own = [row for row in shares if (row["attribute"], row["classifier"]) == (attribute, classifier)]
        _shares(own, attribute, classifier, option, console)
        for row in distances:
            if (row["attribute"], row["classifier"]) == (attribute, classifier):
                console.print(_sentence(row), soft_wrap=True)
    for row in calibrated:
        console.print(_calibrated(row), soft_wrap=True, markup=False)
    _did(outcome, console)
    console.print(f"\nresults    {store.root}", soft_wrap=True)
    if logged:
        console.print(f"MLflow     {logged}", soft_wrap=True)
    ui = f"  fairsweep ui{option}\n" if store.tracking else ""
    console.print(
        "\ngo on with\n"
        f'  fairsweep sql "select setting, attribute, total_variation from summary"{option}\n'
        f"{ui}"
        f"  fairsweep explore{option}\n"
        f"  fairsweep report{option} -o report.html",
        soft_wrap=True,
    )


def store_option(store: Store) -> str:
    """Return the option that names the store in a command to copy; empty where the command finds it by itself."""
    silent = Store(os.environ.get("FAIRSWEEP_STORE") or "fairsweep-store")
    return "" if store.root == silent.root else f" --store {quote(str(store.root))}"


def _failures(outcome, console: Console) -> None:
    if outcome.stopped:
        console.print(outcome.stopped, soft_wrap=True)
    for what, refused in (("model", outcome.refused_models), ("classifier", outcome.refused_classifiers)):
        for name, reason in refused.items():
            console.print(f"{what} {name} could not be used: {reason}", soft_wrap=True)
    if outcome.failed_images or outcome.failed_labels:
        counts = f"{counted(outcome.failed_images, 'image')} and {counted(outcome.failed_labels, 'label')} failed"
        console.print(f"{counts}; the same command tries them again")
        for name, reason in outcome.failed[:_FAILURES]:
            console.print(f"  {name}  {reason}", soft_wrap=True)


def _shares(shares: list[dict], attribute: str, classifier: str, option: str, console: Console) -> None:
    cells = list(dict.fromkeys((row["model"], row["setting"]) for row in shares))
    several = len({model for model, _ in cells}) > 1
    reference = next((row["reference_name"] for row in shares if row["reference_name"]), None)
    console.print(
        Text.assemble("\n", (attribute, "bold"), f" (read by {classifier}): share, 95 % interval"),
        soft_wrap=True,
    )
    table = Table("prompt", "group", box=None, pad_edge=False)
    for title in [reference, "target"] if reference else ["target"]:
        table.add_column(title, justify="right")
    for model, setting in cells:
        table.add_column(f"{model} {setting}" if several else setting, justify="right")
    intervals = {(row["prompt_name"], row["group"], row["model"], row["setting"]): row for row in shares}
    keys = list(dict.fromkeys((row["prompt_name"], row["group"]) for row in shares))
    prompts = list(dict.fromkeys(prompt for prompt, _ in keys))
    for prompt, group in keys:
        if prompt not in prompts[:_PROMPTS]:
            continue
        first = next(row for row in shares if (row["prompt_name"], row["group"]) == (prompt, group))
        line = [_percent(first["reference"])] if reference else []
        line += [_percent(first["target"]), *(_interval(intervals.get((prompt, group, *cell))) for cell in cells)]
        table.add_row(prompt, group, *line)
    console.print(table)
    for reason in sorted({row["reason"] for row in shares if row["reason"]}):
        console.print(f"–: {reason}", soft_wrap=True)
    if len(prompts) > _PROMPTS:
        console.print(
            f"... and {counted(len(prompts) - _PROMPTS, 'more prompt')}: fairsweep measure --metric share{option}",
            soft_wrap=True,
        )


def _sentence(row: dict) -> str:
    cell = f"{row['model']} / {row['setting']}"
    mean = _percent(row["distance"])
    text = f"{cell}: over {counted(row['prompts'], 'prompt')} the shares lie {mean} from the target on average"
    if row["reference_largest"] is None:
        text += f"; on average over prompts the largest group takes {_percent(row['largest'])}"
    else:
        text += "; on average over prompts the group that the reference favours has "
        text += f"{_percent(row['reference_largest'])} there and {_percent(row['largest'])} here"
    return f"{text}. {_tested(row)}."


def _tested(row: dict) -> str:
    """Say on how many prompts a cell was found off target, and what its images could not have shown."""
    text = f"Found off target on {row['off_target']} of {row['prompts']}"
    if row["prompts"] > 1:
        text += " (corrected for looking at so many prompts; each interval is its prompt's own)"
    text += f", {counted(row['images'], 'image')} each"
    if row["undecided"]:
        text += f", nothing decided on {row['undecided']}"
    if row["unseen"]:
        text += f"; no image shows a group on {row['unseen']} more"
    if row["least_difference"] is not None and row["off_target"] < row["prompts"]:
        text += f"; a difference below {100 * row['least_difference']:.0f} points could not have been found"
    return text


def _calibrated(row: dict) -> str:
    """Say on how many prompts a pilot led to what, and where that is no quota that reaches the target."""
    what = f"the pilot of {row['attribute']}: {row['verdict']} on {counted(row['n'], 'prompt')}"
    text = f"{row['model']} / {row['setting']}: {what}"
    if row["verdict"] == "reached":
        return text
    return f"{text}: {some(row['prompts'])}"


def _did(outcome, console: Console) -> None:
    startup = outcome.seconds.get("startup", 0.0)
    seconds = outcome.seconds.get("images", 0.0) - startup
    speed = ""
    if outcome.made and seconds > 0:
        speed = f" in {duration(seconds)} ({outcome.made / seconds:.1f} images/s) after {duration(startup)} to start"
    made = counted(outcome.made, "image")
    text = f"{made} made{speed}, {outcome.there:,} were there already, {outcome.labelled:,} labelled now."
    console.print(f"\n{text}", soft_wrap=True)
    if outcome.left:
        made = f"Unfinished: {outcome.there + outcome.made:,} of {counted(outcome.planned, 'image')} are made"
        left = f"{outcome.left:,} not made yet, and in none of the figures above"
        console.print(f"{made}, {left}; the same command goes on.", soft_wrap=True)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _interval(row: dict | None) -> str:
    if row is None:
        return ""
    if row["share"] is None:
        return "–"
    return f"{100 * row['share']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
