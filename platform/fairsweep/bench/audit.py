"""Time the search that an audit of training data does, beside plain NumPy and faiss in the same run."""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from fairsweep.audits.data.search import Nearest, Search, Spread
from fairsweep.audits.data.threshold import mixture_thresholds
from fairsweep.memory import keep_freed_memory

_WIDTH = 512
_BLOCK = 16_384
# Of the inverted lists: how many there are, and how many of them a query looks into.
_LISTS, _PROBES = 1024, 16


def run(rows: int = 1_000_000, prompts: int = 150, k: int = 250, threads: int = 2) -> dict[str, float]:
    """Return seconds and MiB at most of each way to find the k nearest of every prompt, and those above a threshold.

    The vectors are random, with a component of their prompt in one of two; each way runs in a process of its own and
    reads them from the same file. The audit also fits the thresholds, which the others are given. faiss, where it is
    installed (the extra `faiss`): `faiss` is its flat index, `inverted` inverted lists, whose `recall` is the share of
    the k nearest that they find.
    """
    figures: dict[str, float] = {}
    # Read by the libraries of each way's process when they start.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), rows, prompts)
        for way in (_audit, _numpy, _faiss, _inverted):
            with get_context("spawn").Pool(1) as pool:
                answer = pool.apply(_timed, (way, folder, k, threads))
            if answer is None:
                continue
            name = way.__name__.removeprefix("_")
            seconds, mebibytes, checksum, recall = answer
            figures |= {f"{name}_seconds": seconds, f"{name}_mib": mebibytes, f"{name}_checksum": checksum}
            figures |= {f"{name}_recall": recall}
    for name in ("numpy", "faiss", "inverted"):
        if f"{name}_seconds" in figures:
            figures[f"audit_over_{name}"] = figures["audit_seconds"] / figures[f"{name}_seconds"]
    return figures


def _write(folder: Path, rows: int, prompts: int) -> None:
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(prompts, _WIDTH)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    np.save(folder / "queries.npy", queries)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, _WIDTH))
    for start in range(0, rows, _BLOCK):
        part = rng.standard_normal((min(_BLOCK, rows - start), _WIDTH), np.float32)
        own = np.flatnonzero(rng.random(len(part)) < 0.5)
        part[own] += 12 * queries[rng.integers(prompts, size=len(own))]
        vectors[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    vectors.flush()


def _timed(way: Callable, folder: str, k: int, threads: int) -> tuple[float, float, float, float] | None:
    # As every command of fairsweep does.
    keep_freed_memory()
    started = time.perf_counter()
    answer = way(Path(folder), k, threads)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if answer is None:
        return None
    nearest, total, above = answer
    if way is _audit:
        np.save(Path(folder) / "nearest.npy", nearest)
    exact = np.load(Path(folder) / "nearest.npy")
    recall = float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(nearest, exact, strict=True)]))
    return seconds, peak, total + above, recall


# Each way returns the rows of the nearest, [prompts, k], the sum of their similarities, and how many lie above.


def _audit(folder: Path, k: int, threads: int) -> tuple[np.ndarray, float, int]:
    queries = np.load(folder / "queries.npy")
    nearest, spread = Nearest(len(queries), k), Spread(len(queries))
    search = Search(lambda: _blocks(folder), queries)
    search.run(nearest.add, spread.add)
    thresholds = mixture_thresholds(spread.counts)
    least = np.array([each.similarity if each else np.inf for each in thresholds], np.float32)[:, None]
    above = 0

    def count(values: np.ndarray, _: int) -> None:
        nonlocal above
        above += int((values >= least).sum())

    search.run(count)
    np.save(folder / "least.npy", least)
    found = [nearest.of(query) for query in range(len(queries))]
    return np.stack([rows for rows, _ in found]), float(sum(similarities.sum() for _, similarities in found)), above


def _blocks(folder: Path) -> Iterator[np.ndarray]:
    """Yield the vectors in blocks, read and not mapped: pages of a mapped file would count as memory."""
    with open(folder / "vectors.npy", "rb") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        for start in range(0, shape[0], _BLOCK):
            count = min(_BLOCK, shape[0] - start) * _WIDTH
            yield np.fromfile(file, np.float32, count).reshape(-1, _WIDTH)


def _numpy(folder: Path, k: int, threads: int) -> tuple[np.ndarray, float, int]:
    queries, vectors = np.load(folder / "queries.npy"), np.load(folder / "vectors.npy")
    similarities = queries @ vectors.T
    rows = np.argpartition(similarities, similarities.shape[1] - k, axis=1)[:, -k:]
    best = np.take_along_axis(similarities, rows, axis=1)
    return rows, float(best.sum()), int((similarities >= np.load(folder / "least.npy")).sum())


def _faiss(folder: Path, k: int, threads: int) -> tuple[np.ndarray, float, int] | None:
    try:
        import faiss
    except ImportError:
        return None
    return _indexed(folder, k, threads, faiss.IndexFlatIP(_WIDTH))


def _inverted(folder: Path, k: int, threads: int) -> tuple[np.ndarray, float, int] | None:
    try:
        import faiss
    except ImportError:
        return None
    rows = np.load(folder / "vectors.npy", mmap_mode="r").shape[0]
    quantizer, lists = faiss.IndexFlatIP(_WIDTH), min(_LISTS, max(1, rows // 39))
    index = faiss.IndexIVFFlat(quantizer, _WIDTH, lists, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = _PROBES
    return _indexed(folder, k, threads, index)


def _indexed(folder: Path, k: int, threads: int, index) -> tuple[np.ndarray, float, int]:
    import faiss

    faiss.omp_set_num_threads(threads)
    queries, vectors = np.load(folder / "queries.npy"), np.load(folder / "vectors.npy")
    index.train(vectors)
    index.add(vectors)
    best, rows = index.search(queries, k)
    # One radius for all queries, in one call: many at a time are much faster than one by one.
    least = np.load(folder / "least.npy")[:, 0]
    ends, similarities, _ = index.range_search(queries, float(least.min()))
    above = sum(
        int((similarities[ends[query] : ends[query + 1]] >= each).sum()) for query, each in enumerate(least.tolist())
    )
    return rows, float(best[rows >= 0].sum()), above
