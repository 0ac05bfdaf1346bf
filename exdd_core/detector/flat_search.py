"""Exact search for the nearest rows (flat L2), with faiss or by PyTorch's matrix products.

faiss searches on the CPU, and on the GPU where it has one. Without faiss, or where the device is a GPU that faiss has
none of, PyTorch does. Both give the same distances within 2e-4 of them, and the same rows, except among equal ones.
Arrays in, arrays out. Does not know banks or what a row means.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from exdd_core.device import chosen
from exdd_core.later import torch

# faiss brings an OpenBLAS that takes a newer processor for one of 2004 and is then half as fast (measured:
# 13.8 ms against 6.7). It reads the variable once, when it is loaded. Any core with AVX2 can run the code for
# Haswell. SciPy's own OpenBLAS must not see it: its last digits would depend on what is imported first.
KERNEL = "OPENBLAS_CORETYPE"
QUERIES_AT_ONCE = 8192
ROWS_AT_ONCE = 4096  # of PyTorch's search
SPARE = 16  # further candidates where rounding may have changed the order of neighbours


@functools.cache
def _faiss() -> Any:
    """The package, loaded once; None where it is not installed."""
    importlib.import_module("scipy.linalg")  # its OpenBLAS reads the variable now, before it is set
    given = os.environ.get(KERNEL)
    if given is None and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        os.environ[KERNEL] = "Haswell"
    try:
        return importlib.import_module("faiss")
    except ImportError:
        return None
    finally:
        if given is None:
            os.environ.pop(KERNEL, None)


class Products(Protocol):
    """The nearest of some rows by dot products, whose distances are less precise the longer the vectors are."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances float32 (q, k), ascending, and row numbers int64 (q, k). k: at most the rows there are."""


class FlatIndex:
    """Exact search among rows, float32 (n, d).

    |a - b|^2 expanded into dot products loses digits where a and b are long and alike. So all vectors are first moved
    by the rows' mean, and distances that are small even then are computed again by subtraction.
    """

    def __init__(self, rows: np.ndarray):
        self.middle = rows.mean(0) if len(rows) else np.zeros(rows.shape[1], np.float32)
        self.rows = np.ascontiguousarray(rows - self.middle)
        self.index = _products(self.rows)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances float32 (q, k) and row numbers int64 (q, k), as `Bank.search` promises them."""
        distances = np.full((len(queries), k), np.inf, np.float32)
        numbers = np.full((len(queries), k), -1, np.int64)
        there = min(k, len(self.rows))
        for start in range(0, len(queries) if there else 0, QUERIES_AT_ONCE):
            part = np.ascontiguousarray(queries[start : start + QUERIES_AT_ONCE] - self.middle, np.float32)
            squared, found = self.index.search(part, there)
            length = np.einsum("qd,qd->q", part, part)
            close = np.flatnonzero(squared[:, 0] < 1e-3 * length)
            for at in np.array_split(close, -(-len(close) // 256)) if len(close) else ():
                squared[at], found[at] = self._measured(part[at], there)
            at_once = slice(start, start + len(part))
            distances[at_once, :there], numbers[at_once, :there] = np.sqrt(np.maximum(squared, 0)), found
        if 0 < there < k:
            for found in (distances, numbers):
                found[:, there:] = found[:, there - 1 : there]
        return distances, numbers

    def _measured(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and row numbers (q, k), computed by subtraction from k + SPARE candidates."""
        found = self.index.search(queries, min(k + SPARE, len(self.rows)))[1]
        gap = queries[:, None] - self.rows[found]
        squared = np.einsum("qkd,qkd->qk", gap, gap)
        best = squared.argsort(axis=1, kind="stable")[:, :k]
        return np.take_along_axis(squared, best, 1), np.take_along_axis(found, best, 1)


def _products(rows: np.ndarray) -> Products:
    """The index for these rows, on the device that EXDD_DEVICE says."""
    device = chosen()
    if not faiss_searches():
        return TorchProducts(rows, device)
    faiss = _faiss()
    index = faiss.IndexFlatL2(rows.shape[1])
    if device.type == "cuda":
        index = faiss.index_cpu_to_gpu(_gpu_resources(), 0, index)
    index.add(rows)
    return index


def faiss_searches() -> bool:
    """Whether faiss is there for the device that EXDD_DEVICE says; faiss-cpu lacks the function or answers 0."""
    faiss = _faiss()
    return faiss is not None and (chosen().type == "cpu" or bool(getattr(faiss, "get_num_gpus", int)()))


@functools.cache
def _gpu_resources() -> Any:
    return _faiss().StandardGpuResources()  # reserves GPU memory, so all indexes share one


class TorchProducts:
    """`Products` by PyTorch, on any device; what goes to and from a GPU is in pinned memory."""

    def __init__(self, rows: np.ndarray, device: torch.device):
        self.device = device
        self.rows = self._sent(rows)
        self.squares = torch.linalg.vecdot(self.rows, self.rows)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        asked = self._sent(queries)
        best: tuple[torch.Tensor, torch.Tensor] | None = None
        for values, numbers in self._blocks(asked, k):
            if best is not None:
                values, numbers = torch.cat([best[0], values], 1), torch.cat([best[1], numbers], 1)
            values, at = values.topk(min(k, values.shape[1]), dim=1, largest=False)
            best = values, numbers.gather(1, at)
        assert best is not None  # there is a row, as k is at least 1
        squared = best[0] + torch.linalg.vecdot(asked, asked)[:, None]
        return squared.cpu().numpy(), best[1].cpu().numpy()

    def _blocks(self, asked: torch.Tensor, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """|b|^2 - 2ab of the nearest rows b of each block of rows, and their numbers: (q, k) or fewer columns."""
        for start in range(0, len(self.rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            products = torch.addmm(self.squares[part], asked, self.rows[part].T, alpha=-2)
            values, at = products.topk(min(k, products.shape[1]), dim=1, largest=False)
            yield values, at + start

    def _sent(self, array: np.ndarray) -> torch.Tensor:
        there = torch.from_numpy(array)
        return there.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else there
