"""Time the search that an audit of training data does, beside plain NumPy and faiss's flat index in the same run."""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from fairsweep.audits.data.search import Nearest, Spread, scan
from fairsweep.audits.data.threshold import mixture_threshold

_WIDTH = 512
_BLOCK = 16_384


def run(rows: int = 1_000_000, prompts: int = 150, k: int = 250, threads: int = 2) -> dict[str, float]:
    """Return seconds and MiB at most of each way to find the k nearest of every prompt, and those above a threshold.

    The vectors are random, with a component of their prompt in one of a hundred; each way runs in a process of its own
    and reads them from the same file. The audit also fits the threshold, which the others are given. faiss: where it is
    installed (the extra `faiss`).
    """
    figures: dict[str, float] = {}
    # Read by the libraries of each way's process when they start.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), rows, prompts)
        for way in (_audit, _numpy, _faiss):
            with get_context("spawn").Pool(1) as pool:
                answer = pool.apply(_timed, (way, folder, k, threads))
            if answer is None:
                continue
            name = way.__name__.removeprefix("_")
            seconds, mebibytes, checksum = answer
            figures |= {f"{name}_seconds": seconds, f"{name}_mib": mebibytes, f"{name}_checksum": checksum}
    others = [figures[f"{name}_seconds"] for name in ("numpy", "faiss") if f"{name}_seconds" in figures]
    return figures | {"audit_over_faster": figures["audit_seconds"] / min(others)}


def _write(folder: Path, rows: int, prompts: int) -> None:
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(prompts, _WIDTH)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    np.save(folder / "queries.npy", queries)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, _WIDTH))
    for start in range(0, rows, _BLOCK):
        part = rng.normal(size=(min(_BLOCK, rows - start), _WIDTH)).astype(np.float32)
        own = np.flatnonzero(rng.random(len(part)) < 0.5)
        part[own] += 12 * queries[rng.integers(prompts, size=len(own))]
        vectors[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    vectors.flush()


def _timed(way: Callable, folder: str, k: int, threads: int) -> tuple[float, float, float] | None:
    started = time.perf_counter()
    answer = way(Path(folder), k, threads)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return None if answer is None else (seconds, peak, answer)


def _blocks(folder: Path):
    """Yield the vectors in blocks, read and not mapped: pages of a mapped file would count as memory."""
    with open(folder / "vectors.npy", "rb") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        for start in range(0, shape[0], _BLOCK):
            count = min(_BLOCK, shape[0] - start) * _WIDTH
            yield np.fromfile(file, np.float32, count).reshape(-1, _WIDTH)


def _audit(folder: Path, k: int, threads: int) -> float:
    queries = np.load(folder / "queries.npy")
    nearest, spread = Nearest(queries, k), Spread(len(queries))
    scan(_blocks(folder), queries, nearest.add, lambda values, _: spread.add(values))
    thresholds = [mixture_threshold(counts) for counts in spread.counts]
    least = np.array([each.similarity if each else np.inf for each in thresholds], np.float32)[:, None]
    above = 0

    def count(values: np.ndarray, _: int) -> None:
        nonlocal above
        above += int((values >= least).sum())

    scan(_blocks(folder), queries, count)
    np.save(folder / "least.npy", least)
    return float(sum(nearest.of(query)[1].sum() for query in range(len(queries)))) + above


def _numpy(folder: Path, k: int, threads: int) -> float:
    queries, vectors = np.load(folder / "queries.npy"), np.load(folder / "vectors.npy")
    least = np.load(folder / "least.npy")
    total = 0.0
    similarities = queries @ vectors.T
    best = np.partition(similarities, similarities.shape[1] - k, axis=1)[:, -k:]
    total += float(best.sum()) + int((similarities >= least).sum())
    return total


def _faiss(folder: Path, k: int, threads: int) -> float | None:
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(threads)
    queries, vectors = np.load(folder / "queries.npy"), np.load(folder / "vectors.npy")
    least = np.load(folder / "least.npy")
    index = faiss.IndexFlatIP(_WIDTH)
    index.add(vectors)
    best, _ = index.search(queries, k)
    above = sum(len(index.range_search(queries[q : q + 1], float(least[q, 0]))[1]) for q in range(len(queries)))
    return float(best.sum()) + above
