"""Find the rows that two files of a store hold, and say which of them count: the writer leaves the others out."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import duckdb

from fairsweep.measure.sql import in_memory, listed
from fairsweep.store.compact import Twice
from fairsweep.store.files import Folder, parsed
from fairsweep.store.merge import LIMITS
from fairsweep.store.places import Entry, Place
from fairsweep.store.schemas import PICTURES
from fairsweep.store.verify import first_damaged

_MEMORY = "1GB"


def find(place: Place, kind: str, folders: Mapping[str, Folder], whole: bool = False) -> Twice:
    """Return the rows that stand more than once among images or labels, as `compact` takes them.

    Which count, of rows that several files hold: those that were written again under the keys of merged ones; else
    those in merged files, which were counted before; else those that were there first. Failures apart: a failed row
    never takes the place of another.
    Only files that are not merged yet are looked at, and what else holds their rows: no merge lets a row in twice.
    whole: all are. The caller holds the store's lock. Raises DamagedEntryError.
    """
    ranks: dict[Entry, tuple] = {}
    for folder in folders.values():
        ranks |= {entry: (0, -entry.stamp, entry.name) for entry in folder.later}
        ranks |= {entry: (2 - parsed(entry.name).compacted, entry.stamp, entry.name) for entry in folder.base}
    entries = [entry for entry in ranks if not parsed(entry.name).imported]
    fresh = [entry for entry in entries if whole or not parsed(entry.name).compacted]
    if not fresh:
        return {}
    try:
        held = _held(place, kind, entries, fresh)
    except duckdb.Error:
        if damaged := first_damaged(place, entries):
            raise damaged from None
        raise
    twice: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for (_, key), holders in held.items():
        first, *others = sorted(holders, key=ranks.__getitem__)
        for entry in others:
            twice[entry.folder][entry.name][key] = 0
        if holders[first] > 1:
            twice[first.folder][first.name][key] = 1
    return twice


def _held(place: Place, kind: str, entries: list[Entry], fresh: list[Entry]) -> dict[tuple[str, str], Counter[Entry]]:
    """Return each row of `fresh` that stands more than once, of labels by classifier, and how often in which file."""
    paths = place.rows(entries, PICTURES) if kind == "images" else place.files(entries)
    by_path = {str(paths[entry.key]): entry for entry in entries}
    columns = LIMITS[kind].key
    # Of an image there is one, whatever its folder is called in another sweep.
    folder = "filename.parse_path()[-2]" if kind == "labels" else "''"

    def rows(chosen: list[Entry], what: str) -> str:
        files = listed(paths[entry.key] for entry in chosen)
        return f"select {what} from read_parquet([{files}], hive_partitioning = false, filename = true)"

    # Each column is hashed by itself, which DuckDB does once per word of a file's dictionary and not once per row.
    number = "hash(image_id)"
    for column in (*columns[1:], "error is null", folder):
        number = f"xor({number}, hash({column}, {len(number)}))"
    others = [entry for entry in entries if entry not in {*fresh}]
    numbers = "select number from fresh group by number having count(*) > 1"
    if others:
        numbers += f" union select number from ({rows(others, f'{number} as number')}) semi join fresh using (number)"
    named = f"{', '.join(columns)}, error is null as made, {folder} as folder, filename"
    query = f"""
        with twice as ({numbers})
        select {named} from ({rows(entries, f"*, {number} as number")}) semi join twice using (number)"""
    with in_memory(_MEMORY) as sql:
        sql.execute(f"create temp table fresh as {rows(fresh, f'{number} as number')}")
        held: dict[tuple[str, str], Counter[Entry]] = defaultdict(Counter)
        for *key, made, of, path in sql.execute(query).fetchall():
            held[of, "\0".join([*key, "" if made else "failed"])][by_path[path]] += 1
    return {key: holders for key, holders in held.items() if holders.total() > 1}
