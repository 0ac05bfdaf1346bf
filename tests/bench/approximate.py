"""Exact against approximate search among many rows: recall, time and memory of faiss's Flat, IVF and HNSW indexes.

The rows are patch features of the real images by the embedded backbone; the queries come from images of which no row is
in the index. recall@k: the share of the k true nearest rows that an index returns among its k. excess: how much larger
than the true one the distance to the nearest row comes out, on average and for the worst hundredth of the queries: the
anomaly score of PatchCore is off by as much.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from exdd_core.detector import backbones, patches
from exdd_core.images import Size
from tests.bench import real_images

ROWS = (100_000, 1_000_000)
QUERIES = 1_000
K = 9
HELD_BACK = 12  # images that only queries come from
LISTS = 1_024  # of IVF
PROBES = (1, 8, 32)  # lists of them that a search looks through
NEIGHBOURS = 16  # links of each row in HNSW
BREADTHS = (32, 128)  # candidates that a search in HNSW follows
DEADLINE = 900.0  # core seconds after which HNSW takes no further rows
CHUNK = 20_000  # rows that HNSW takes between two looks at the clock


def main(options: argparse.Namespace) -> None:
    rows, queries = _features(max(ROWS))
    print(f"approximate: {len(rows):,} rows of {rows.shape[1]}, {QUERIES:,} queries, K = {K}")
    print(
        f"{'rows':>9}  {'index':<22} {'build s':>8} {'MB':>6} {'ms/1,000':>9} {'@1':>6} {'@9':>6} {'excess':>16}"
    )
    told = []
    for count in ROWS:
        told += list(_measured(rows[:count], queries))
    file = Path(options.out) / "approximate.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=1))
    print(f"Written to {file}.")


def _features(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows (n, d) in random order, and QUERIES rows of other images; less the mean, as a bank has them."""
    data, backbone = real_images(), backbones.load(backbones.EMBEDDED)
    tiles = sorted((data / "magnetic_tile").rglob("*.jpg"))
    commutators = sorted((data / "kolektor_sdd").rglob("*.jpg"))
    rng, found, total = np.random.default_rng(0), [], 0
    queries: list[np.ndarray] = []
    for images, size in ((tiles, Size(256, 256)), (commutators, Size(256, 632))):
        images = [images[i] for i in rng.permutation(len(images))]
        held_back, others = images[:HELD_BACK], images[HELD_BACK:]
        queries += [f.reshape(-1, f.shape[-1]) for f in patches.extract(backbone, held_back, size)]
        for start in range(0, len(others), 64):
            if total >= count:
                break
            some = patches.extract(backbone, others[start : start + 64], size)
            found += [f.reshape(-1, f.shape[-1]) for f in some]
            total += sum(len(f) for f in found[-len(some) :])
    rows = np.concatenate(found)
    rows = rows[rng.permutation(len(rows))[:count]]
    asked = np.concatenate(queries)
    middle = rows.mean(0)
    return rows - middle, asked[rng.permutation(len(asked))[:QUERIES]] - middle


def _measured(rows: np.ndarray, queries: np.ndarray) -> Iterator[dict[str, object]]:
    """One line for each index and setting of its search."""
    dimension = rows.shape[1]
    exact, seconds = _built(faiss.IndexFlatL2(dimension), rows)
    began = time.process_time()
    true = exact.search(queries, K)
    yield _line("Flat", exact, seconds, time.process_time() - began, true, true)
    del exact
    coarse = faiss.IndexFlatL2(dimension)
    inverted, seconds = _built(faiss.IndexIVFFlat(coarse, dimension, LISTS), rows)
    for inverted.nprobe in PROBES:
        yield _searched(f"IVF{LISTS}, nprobe {inverted.nprobe}", inverted, queries, seconds, true)
    del inverted
    graph, seconds = _built(faiss.IndexHNSWFlat(dimension, NEIGHBOURS), rows)
    if graph.ntotal < len(rows):
        print(
            f"HNSW{NEIGHBOURS} took {DEADLINE:.0f} core seconds for {graph.ntotal:,} rows, and got no more."
        )
        exact, _ = _built(faiss.IndexFlatL2(dimension), rows[: graph.ntotal])
        true = exact.search(queries, K)
        del exact
    for graph.hnsw.efSearch in BREADTHS:
        yield _searched(f"HNSW{NEIGHBOURS}, efSearch {graph.hnsw.efSearch}", graph, queries, seconds, true)


def _built(index: Any, rows: np.ndarray) -> tuple[Any, float]:
    """The index with all rows, or with those that it took until DEADLINE; and the core seconds that this took."""
    began = time.process_time()
    if not index.is_trained:
        index.train(rows[: 64 * LISTS])
    for start in range(0, len(rows), CHUNK):
        index.add(rows[start : start + CHUNK])
        if time.process_time() - began > DEADLINE:
            break
    return index, time.process_time() - began


Found = tuple[np.ndarray, np.ndarray]  # squared distances and numbers of rows, (q, K)


def _searched(name: str, index: Any, queries: np.ndarray, seconds: float, true: Found) -> dict[str, object]:
    began = time.process_time()
    found = index.search(queries, K)
    return _line(name, index, seconds, time.process_time() - began, true, found)


def _line(
    name: str, index: Any, seconds: float, searched: float, true: Found, found: Found
) -> dict[str, object]:
    """The figures of one index, printed and returned."""
    first = float((found[1][:, 0] == true[1][:, 0]).mean())
    shares = [len(np.intersect1d(a, b)) / K for a, b in zip(found[1], true[1], strict=True)]
    excess = np.sqrt(found[0][:, 0]) / np.sqrt(np.maximum(true[0][:, 0], 1e-12)) - 1
    told: dict[str, object] = {
        "rows": index.ntotal,
        "index": name,
        "build_core_seconds": seconds,
        "megabytes": _size(index) / 1e6,
        "core_milliseconds_per_query": 1e3 * searched / len(true[0]),
        "recall_at_1": first,
        "recall_at_9": float(np.mean(shares)),
        "excess_mean": float(excess.mean()),
        "excess_99": float(np.quantile(excess, 0.99)),
    }
    print(
        "| {rows:,} | {index} | {build_core_seconds:.1f} | {megabytes:,.0f} | {core_milliseconds_per_query:.2f} | "
        "{recall_at_1:.1%} | {recall_at_9:.1%} | {excess_mean:.2%} | {excess_99:.2%} |".format_map(told),
        flush=True,
    )
    return told


def _size(index: Any) -> int:
    """Bytes of an index as faiss writes it, which is what it holds in memory; none of them is kept."""
    counted = [0]

    def count(content: bytes) -> int:
        counted[0] += len(content)
        return len(content)

    writer = faiss.PyCallbackIOWriter(count)  # type: ignore[attr-defined]
    faiss.write_index(index, faiss.BufferedIOWriter(writer))
    return counted[0]
