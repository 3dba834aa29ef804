"""Match the pictures of a source to prompts: by what captions name, by similarity, and by a threshold on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.audits.data.captions import Captions, words_of_groups
from fairsweep.audits.data.index import blocks
from fairsweep.audits.data.search import Nearest, Search, Spread
from fairsweep.audits.data.threshold import Threshold, caption_threshold, mixture_thresholds
from fairsweep.errors import FairsweepError
from fairsweep.spec import SweepSpec
from fairsweep.spec.data import DataSpec
from fairsweep.store import Store

CAPTIONS = "captions"
UNNAMED = "captions-unnamed"
MIXTURE = "threshold-mixture"
GUIDED = "threshold-captions"


@dataclass
class Matching:
    """The pictures that one way of matching gives to one prompt: their rows in the index, in its order or by rank."""

    match: str
    prompt: int
    rows: np.ndarray
    similarities: np.ndarray | None = None
    ranked: bool = False
    threshold: Threshold | None = None
    duplicates: np.ndarray | None = None


@dataclass
class Matches:
    """All matchings of a source, the references of the rows that they have, and counts of the whole source."""

    matchings: list[Matching] = field(default_factory=list)
    references: dict[int, str | None] = field(default_factory=dict)
    pictures: int = 0
    damaged: int = 0
    without_caption: int = 0


def match(spec: SweepSpec, data: DataSpec, store: Store, queries: np.ndarray | None) -> Matches:
    """Return the matchings of every prompt, over the source's index.

    queries: the prompts' vectors, [prompts, dimensions]; None where captions alone are asked for. Raises FairsweepError
    for embeddings of another width, and where no picture has a caption though captions are asked for.
    """
    result = Matches()
    by_caption, unnamed = _by_captions(spec, data, store, result)
    if data.match in ("captions", "both"):
        for match_, rows in ((CAPTIONS, by_caption), (UNNAMED, unnamed)):
            result.matchings += [Matching(match_, prompt, each) for prompt, each in enumerate(rows)]
    if queries is not None:
        _by_similarity(data, store, queries, by_caption, result)
    matched = np.unique(np.concatenate([each.rows for each in result.matchings] or [np.array([], np.int64)]))
    if queries is not None:
        _find_duplicates(data, store, result, matched)
    _refer(data, store, result, matched)
    return result


def _by_captions(spec: SweepSpec, data: DataSpec, store: Store, result: Matches) -> tuple[list, list]:
    """Return the rows whose captions name each prompt, all of them and those that name no group; count the source."""
    prompts = spec.prompts.expand()
    captions = Captions(prompts, words_of_groups(spec.attributes, data.group_words))
    parts: list[list[np.ndarray]] = [[] for _ in prompts]
    plain: list[list[np.ndarray]] = [[] for _ in prompts]
    first = 0
    for block in blocks(store, data.name, ("caption", "error")):
        texts = block["caption"]
        fine = pc.is_null(block["error"])
        result.damaged += len(block) - pc.sum(fine).as_py()
        silent = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), True)
        result.without_caption += pc.sum(pc.and_(silent, fine)).as_py()
        texts = pc.if_else(fine, texts, None)
        for prompt, positions in enumerate(captions.match(texts)):
            numbers = positions.to_numpy(zero_copy_only=False).astype(np.int64)
            parts[prompt].append(numbers + first)
            names = captions.name_a_group(texts.take(positions)).to_numpy(zero_copy_only=False)
            plain[prompt].append(numbers[~names.astype(bool)] + first)
        first += len(block)
    result.pictures = first - result.damaged
    if not result.pictures:
        raise FairsweepError(f"data {data.name}: none of its {result.damaged:,} rows can be read")
    if data.match != "nearest" and result.without_caption == result.pictures:
        raise FairsweepError(
            f"data {data.name}: no picture has a caption in the column {data.caption!r}: name another with `caption`, "
            "or give `match: nearest`"
        )
    return [np.concatenate(part) for part in parts], [np.concatenate(part) for part in plain]


def vectors(data: DataSpec, store: Store, width: int) -> Iterator[np.ndarray]:
    """Yield a source's embeddings, [rows, dimensions], zeros where there is none; raises for another width."""
    for block in blocks(store, data.name, ("embedding",)):
        lists = block["embedding"]
        there = lists.is_valid().to_numpy(zero_copy_only=False)
        widths = pc.unique(pc.drop_null(pc.list_value_length(lists))).to_pylist()
        if widths and widths != [width]:
            other = next(other for other in widths if other != width)
            raise FairsweepError(
                f"data {data.name}: its embeddings have {other} dimensions, the prompts' {width}: name the encoder "
                "that they were made with"
            )
        held = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, width)
        if there.all():
            yield held
            continue
        block_vectors = np.zeros((len(lists), width), np.float32)
        block_vectors[there] = held
        yield block_vectors


def _by_similarity(data: DataSpec, store: Store, queries: np.ndarray, named: list, result: Matches) -> None:
    """Add the nearest, and what lies above a threshold of each prompt."""
    width, count = queries.shape[1], len(queries)
    search = Search(lambda: vectors(data, store, width), queries, unit=False)
    nearest, spread = Nearest(count, max(data.nearest)), Spread(count)
    matches, labelled = Spread(count), Spread(count)
    any_named = np.unique(np.concatenate(named)) if named else np.array([], np.int64)

    def divide(similarities: np.ndarray, first: int) -> None:
        """Count apart what captions give to each prompt, and what they give to any."""
        end = first + similarities.shape[1]
        labelled.add(similarities[:, _within(any_named, first, end) - first])
        for prompt, values in enumerate(similarities):
            matches.add_to(prompt, values[_within(named[prompt], first, end) - first])

    search.run(nearest.add, spread.add, divide)
    for k in data.nearest:
        for prompt in range(count):
            rows, similarities = nearest.of(prompt)
            result.matchings.append(Matching(f"nearest-{k}", prompt, rows[:k], similarities[:k], ranked=True))
    thresholds = {(MIXTURE, prompt): each for prompt, each in enumerate(mixture_thresholds(spread.counts))}
    if data.match == "both":
        for prompt in range(count):
            own, all_named = matches.counts[prompt], labelled.counts[prompt]
            thresholds[GUIDED, prompt] = caption_threshold(own, all_named - own, spread.counts[prompt])
    least = np.array(
        [
            min((t.similarity for (_, of), t in thresholds.items() if of == prompt and t), default=np.inf)
            for prompt in range(count)
        ],
        np.float32,
    )
    above: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(count)]

    def collect(similarities: np.ndarray, first: int) -> None:
        for prompt in np.flatnonzero((similarities >= least[:, None]).any(axis=1)):
            places = np.flatnonzero(similarities[prompt] >= least[prompt])
            above[prompt].append((places + first, similarities[prompt][places]))

    search.run(collect)
    for (match_, prompt), threshold in thresholds.items():
        rows = np.concatenate([part for part, _ in above[prompt]] or [np.array([], np.int64)])
        similarities = np.concatenate([part for _, part in above[prompt]] or [np.array([], np.float32)])
        chosen = similarities >= threshold.similarity if threshold else np.zeros(len(rows), bool)
        result.matchings.append(Matching(match_, prompt, rows[chosen], similarities[chosen], threshold=threshold))


def _within(rows: np.ndarray, first: int, end: int) -> np.ndarray:
    return rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)]


def _find_duplicates(data: DataSpec, store: Store, result: Matches, matched: np.ndarray) -> None:
    """Tell in every matching which pictures are nearly the same as an earlier one; matched: the rows of all of them."""
    if not len(matched):
        return
    held, first = [], 0
    for block in blocks(store, data.name, ("embedding",)):
        inside = _within(matched, first, first + len(block)) - first
        held += block["embedding"].take(pa.array(inside)).to_pylist()
        first += len(block)
    width = next((len(vector) for vector in held if vector is not None), 1)
    known = np.array([vector if vector is not None else [0.0] * width for vector in held], np.float32)
    known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-12)
    for each in result.matchings:
        each.duplicates = _repeats(known[np.searchsorted(matched, each.rows)], data.duplicate_above)


def _repeats(known: np.ndarray, limit: float, block: int = 2048) -> np.ndarray:
    """Tell of each row whether an earlier one has a cosine of at least the limit with it."""
    repeats = np.zeros(len(known), bool)
    for start in range(0, len(known), block):
        part = known[start : start + block]
        before = part @ known[: start + len(part)].T >= limit
        before &= np.arange(before.shape[1])[None] < (start + np.arange(len(part)))[:, None]
        repeats[start : start + block] = before.any(axis=1)
    return repeats


def _refer(data: DataSpec, store: Store, result: Matches, matched: np.ndarray) -> None:
    first = 0
    for block in blocks(store, data.name, ("reference",)):
        inside = _within(matched, first, first + len(block))
        references: Sequence[str | None] = block["reference"].take(pa.array(inside - first)).to_pylist()
        result.references.update(zip(inside.tolist(), references, strict=True))
        first += len(block)
