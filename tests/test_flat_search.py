"""Exact search with faiss and without: the same neighbours, and a package that works where faiss is not installed."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from exdd_core.detector import flat_search
from exdd_core.detector.flat_search import FlatIndex, TorchProducts

CPU = torch.device("cpu")


def both(rows: np.ndarray) -> tuple[FlatIndex, FlatIndex]:
    """The index with faiss and the one with PyTorch."""
    first = FlatIndex(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_search, "_faiss", lambda: None)
        second = FlatIndex(rows)
    assert isinstance(second.index, TorchProducts) and not isinstance(first.index, TorchProducts)
    return first, second


def check(rows: np.ndarray, queries: np.ndarray, k: int, atol: float = 1e-5) -> None:
    """Both give the distances of float64, and of the rows that they name."""
    there, asked = torch.from_numpy(rows).double(), torch.from_numpy(queries).double()
    exact = torch.cdist(asked, there, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    expected = np.sort(exact, 1)[:, :k]
    for index in both(rows):
        distances, numbers = index.search(queries, k)
        assert distances.dtype == np.float32 and numbers.dtype == np.int64
        np.testing.assert_allclose(distances, expected, rtol=2e-4, atol=atol)
        np.testing.assert_allclose(np.take_along_axis(exact, numbers, 1), expected, rtol=2e-4, atol=atol)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 50),
    k=st.integers(1, 6),
    at_once=st.integers(1, 20),
    copies=st.booleans(),
)
def test_both_find_the_nearest_rows(seed: int, n: int, k: int, at_once: int, copies: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.integers(0, 3, (n, 2)) if copies else rng.standard_normal((n, 6))).astype(np.float32)
    queries = rows[rng.integers(0, n, 9)] + (0 if copies else rng.standard_normal((9, 6)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_search, "ROWS_AT_ONCE", at_once)  # the nearest come from several blocks
        check(rows, queries, min(k, n))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_both_are_as_precise_far_from_the_origin(offset: float) -> None:
    rng = np.random.default_rng(1)
    spread = 0.01 if offset else 1.0
    rows, queries = (
        (offset + spread * rng.standard_normal((n, 40))).astype(np.float32) for n in (5_000, 200)
    )
    queries[:50] = rows[:50]  # at distance 0
    check(rows, queries, 5, atol=1e-4)


def test_pytorch_searches_where_faiss_has_no_gpu_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[torch.device] = []
    monkeypatch.setattr(flat_search, "chosen", lambda: torch.device("cuda"))
    monkeypatch.setattr(flat_search, "_faiss", lambda: SimpleNamespace(get_num_gpus=lambda: 0))
    monkeypatch.setattr(flat_search, "TorchProducts", lambda rows, device: used.append(device))
    FlatIndex(np.eye(3, dtype=np.float32))
    assert used == [torch.device("cuda")]


def test_faiss_leaves_its_gpu_alone_where_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXDD_DEVICE", "cpu")
    monkeypatch.setattr(flat_search._faiss(), "get_num_gpus", lambda: 1, raising=False)
    rows = np.eye(3, dtype=np.float32)
    assert FlatIndex(rows).search(rows, 1)[1].tolist() == [[0], [1], [2]]


WITHOUT_FAISS = """
import sys
sys.modules["faiss"] = None
import numpy as np
from exdd_core.detector.bank import Bank, BankImage
bank = Bank(np.eye(3), np.zeros(3, int), np.zeros((3, 2)), [BankImage("a", "a")])
distances, numbers = bank.search(np.array([[0, 0.9, 0]], np.float32), 1)
print(distances.round(2).item() == np.float32(0.1).item(), numbers.item())
"""


def test_a_bank_is_searched_where_faiss_is_not_installed() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_FAISS], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == ["True", "1"]
