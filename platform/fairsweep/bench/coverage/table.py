"""Write what a simulation measured as a table: per figure, how far coverage falls and rises, and where."""

from collections import Counter

from fairsweep.bench.coverage.run import by_figure, world_of


def table(results: list[dict], again: list[dict] | None = None) -> str:
    """Return three tables in Markdown: of intervals, of where they are surer than they say, and of tests.

    again: what a second, larger draw of the extreme worlds measured; lowest and highest are then told from it.
    """
    lines = [
        "| interval | about | worlds | not shown | below .93 | below .90 | above .99 | lowest | highest |",
        "|---|---|--:|--:|--:|--:|--:|---|---|",
    ]
    tests = ["| test | worlds | highest |", "|---|--:|---|"]
    sure: Counter[str] = Counter()
    second = by_figure(again or results)
    for (kind, figure, about), rows in by_figure(results).items():
        shown = [row for row in rows if row["value"] is not None]
        ranked = sorted(
            (row for row in second.get((kind, figure, about), []) if row["value"] is not None),
            key=lambda row: row["value"],
        )
        if kind == "test":
            tests.append(f"| {figure}: {about} | {len(rows)} | {_where(ranked[-1])} |")
            continue
        counts = [sum(surely(row) for row in shown) for surely in (_below(0.93), _below(0.9), _above(0.99))]
        sure.update(_why(row) for row in shown if _above(0.99)(row))
        ends = f"{_where(ranked[0])} | {_where(ranked[-1])}" if ranked else " | "
        missing = len(rows) - len(shown)
        lines.append(f"| {figure} | {about} | {len(rows)} | {missing} | {' | '.join(map(str, counts))} | {ends} |")
    why = ["| above .99 where | intervals |", "|---|--:|", *(f"| {name} | {n} |" for name, n in sure.most_common())]
    return "\n".join([*lines, "", *why, "", *tests])


def _below(bound: float):
    return lambda row: row["value"] + 2 * row["error"] < bound


def _above(bound: float):
    return lambda row: row["value"] - 2 * row["error"] > bound


def _why(row: dict) -> str:
    """Return the first of what makes an interval surer than it says that is true of a world."""
    world = world_of(row)
    if world.images * min(world.shares) < 5:
        return "a group is expected in fewer than five images"
    if "fair" in row["figure"] or "change" in row["figure"]:
        return "a side is guided to its target"
    if world.target == "own":
        return "the model is on its target"
    if len(world.shares) > 2:
        return "three groups hold together"
    return "the mean is of entropies" if "entropy" in row["figure"] else "none of these is so"


def _where(row: dict) -> str:
    return f"{row['value']:.3f} ± {row['error']:.3f} ({world_of(row)})"
