"""Write what a simulation measured as a table: per figure, how far coverage falls and rises, and where."""

from fairsweep.bench.coverage.run import by_figure, world_of


def table(results: list[dict], again: list[dict] | None = None) -> str:
    """Return two tables in Markdown, of intervals and of tests.

    again: what a second, larger draw of the extreme worlds measured; lowest and highest are then told from it.
    """
    lines = [
        "| interval | about | worlds | not shown | below .93 | below .90 | above .99 | lowest | highest |",
        "|---|---|--:|--:|--:|--:|--:|---|---|",
    ]
    tests = ["| test | worlds | highest |", "|---|--:|---|"]
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
        ends = f"{_where(ranked[0])} | {_where(ranked[-1])}" if ranked else " | "
        missing = len(rows) - len(shown)
        lines.append(f"| {figure} | {about} | {len(rows)} | {missing} | {' | '.join(map(str, counts))} | {ends} |")
    return "\n".join([*lines, "", *tests])


def _below(bound: float):
    return lambda row: row["value"] + 2 * row["error"] < bound


def _above(bound: float):
    return lambda row: row["value"] - 2 * row["error"] > bound


def _where(row: dict) -> str:
    return f"{row['value']:.3f} ± {row['error']:.3f} ({world_of(row)})"
