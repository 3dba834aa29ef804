"""Values as the text of a page: shares and distances in per cent, everything else as a short number."""

from markupsafe import Markup

# Columns of the report's own tables that hold shares or distances between shares, and differences of such.
_SHARES = frozenset(
    (
        "share",
        "other_share",
        "share_before",
        "share_after",
        "target",
        "corrected",
        "flipped",
        "missing",
        "agreed",
        "distance",
        "distance_floor",
        "least_difference",
        "obeyed",
    )
)
_POINTS = frozenset(("change", "difference"))


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share as text, such as "94 %"; a dash for none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def number(value: object) -> str:
    """Return a table's value as short text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if 0.001 <= abs(value) < 10 else f"{value:.3g}"


def columns(row: dict) -> list[str]:
    """Return a table's columns: less the bounds that another takes into its cells, and what is for the sentences."""
    hidden = {"baseline", "for_sentences", *(f"{name}_{side}" for name in row for side in ("low", "high"))}
    return [name for name in row if name not in hidden]


def in_unit(value: object, name: str) -> str:
    """Return the value of a column of the report's own tables as text: shares and distances in per cent."""
    if not isinstance(value, int | float) or name not in _SHARES | _POINTS:
        return number(value)
    return f"{100 * value:+.0f}" if name in _POINTS else percent(value, int(0 < value < 0.095))


def heading(name: str, plain: bool) -> str:
    """Return what a column is called; plain: its values are as SQL gives them."""
    text = name.replace("_", " ")
    return f"{text}, points" if name in _POINTS and not plain else text


def interval(row: dict, name: str, plain: bool = False) -> Markup:
    """Return the interval of a row's value as text; nothing where it has none."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None:
        return Markup("")
    if name in _SHARES | _POINTS and not plain:
        ends = tuple(f"{100 * end:.0f}" for end in (low, high))
    else:
        ends = tuple(number(end) if abs(end) >= 10 else f"{end:.3f}" for end in (low, high))
    return Markup(' <span class="ci">[{}, {}]</span>').format(*ends)


def numeric(rows: list[dict], name: str) -> bool:
    """Tell whether a column holds numbers, or nothing: its dashes stand where numbers would."""
    values = [row[name] for row in rows if row[name] is not None]
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
