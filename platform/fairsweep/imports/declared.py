"""What an import declares about its results: names, groups and targets, checked before anything is read."""

import math
from collections.abc import Iterable

from fairsweep.attributes import WHOLE_IMAGE
from fairsweep.errors import ImportDataError, near
from fairsweep.imports.source import COLUMNS, MISSING, Source, listed
from fairsweep.textfile import unfit

_LONGEST = 120


def check(source: Source) -> None:
    """Refuse a name that no file can have, columns and groups that say nothing, and targets that are no shares."""
    for option, name in {"--name": source.name, "--model": source.model, "--baseline": source.baseline}.items():
        check_name(option, name)
    for attribute, groups in source.groups.items():
        if len(set(groups)) < len(groups) or len(groups) < 2 or not all(group.strip() for group in groups):
            raise ImportDataError(f"--groups {attribute}={','.join(groups)}: name two groups or more, each once")
        if set(groups) & set(MISSING):
            raise ImportDataError(f"--groups {attribute}: {listed(MISSING)} stand for what is no group")
        if attribute == WHOLE_IMAGE:
            raise ImportDataError(f"--groups {attribute}: this stands for the whole image: choose another name")
    ours = {*COLUMNS, *MISSING, *source.groups, *(group for groups in source.groups.values() for group in groups)}
    for name in source.columns:
        if name not in ours:
            raise ImportDataError(f"--column {name}=...: there is no such column{near(name, sorted(ours))}")
    targets(source)


def check_name(option: str, name: str | None) -> None:
    """Refuse a name that is empty, long, or holds a control character."""
    if name is not None and (not name.strip() or len(name) > _LONGEST or unfit(name)):
        raise ImportDataError(f"{option} {name[:40]!r}: {unfit(name) or f'a name has 1 to {_LONGEST} characters'}")


def check_baseline(source: Source, settings: Iterable[str]) -> None:
    """Refuse a baseline that is none of the settings: everything would be compared with nothing."""
    settings = sorted(set(settings))
    if source.baseline is not None and source.baseline not in settings:
        hint = near(source.baseline, settings)
        raise ImportDataError(f"--baseline {source.baseline}: {source.path} has no such setting{hint}")


def targets(source: Source) -> list[dict]:
    """Return a row per attribute and declared group; groups without a target share what is left."""
    declared = list(dict.fromkeys(group for groups in source.groups.values() for group in groups))
    for group, share in source.targets.items():
        if group not in declared:
            raise ImportDataError(f"--target names the unknown group {group!r}{near(group, declared)}")
        if not math.isfinite(share):
            raise ImportDataError(f"--target {group}={share}: expected a share between 0 and 1")
    rows = []
    for attribute, groups in source.groups.items():
        targets = {group: source.targets[group] for group in groups if group in source.targets}
        rest = (1 - sum(targets.values())) / max(1, len(groups) - len(targets))
        shares = {group: targets.get(group, rest) for group in groups}
        if min(shares.values()) < -1e-9 or abs(sum(shares.values()) - 1) > 1e-6:
            raise ImportDataError(f"the targets of {attribute} must be shares that sum to 1, not {shares}")
        for position, (group, share) in enumerate(shares.items()):
            row = {"sweep": source.name, "attribute": attribute, "group": group, "group_text": group}
            rows.append({**row, "target": max(0.0, share), "position": position})
    return rows
