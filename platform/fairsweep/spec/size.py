"""How many images a sweep plans, counted from what is written, before any of it is written out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairsweep.mistakes import mistake

MOST_IMAGES = 1_000_000
MOST_SETTINGS = 10_000


def check_size(data: dict, swept: Mapping[str, Sequence[Iterable[list]]], most_images: int) -> None:
    """Refuse a sweep of more than `most_images` images, or a list whose grids make more than MOST_SETTINGS items.

    swept: key -> for each item of that list the lists of values that it sweeps over.
    """
    counts = {"prompts": _prompts(data.get("prompts")), "seeds": _seeds(data.get("seeds"))}
    images = data.get("images")
    count = images.get("count") if isinstance(images, dict) else None
    if type(count) is int:
        counts["source pictures"] = count
    for key, items in swept.items():
        counts[key] = sum(math.prod(len(values) for values in lists) for lists in items)
        if counts[key] > MOST_SETTINGS:
            raise mistake(f"the lists make {_number(counts[key])} {key}, more than {MOST_SETTINGS:,}", key)
    # A factor of 0 is a mistake of its own, and must not hide that another is too large to be written out.
    total = math.prod(max(1, count) for count in counts.values())
    if total > most_images:
        factors = " x ".join(f"{_number(count)} {key}" for key, count in counts.items())
        message = f"this plans {_number(total)} images ({factors}), more than {most_images:,}"
        largest = max(counts, key=counts.__getitem__)
        raise mistake(
            f"{message}: --most-images lifts the bound", "images" if largest == "source pictures" else largest
        )


def _prompts(prompts: Any) -> int:
    if not isinstance(prompts, dict):
        return 1
    texts, variables = prompts.get("texts"), prompts.get("variables")
    if isinstance(texts, list | tuple):
        return len(texts)
    if isinstance(prompts.get("rows"), list | tuple):
        return len(prompts["rows"])
    values = variables.values() if isinstance(variables, dict) else ()
    return math.prod(len(each) for each in values if isinstance(each, list | tuple))


def _seeds(seeds: Any) -> int:
    count = seeds.get("count") if isinstance(seeds, dict) else seeds
    if type(count) is int:
        return count
    return len(seeds) if isinstance(seeds, list | tuple) else 1


def _number(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"{float(count):.1e}" if count < 10**300 else "over 1e300"
