"""EXDD_DEVICE: what it may say, what it chooses, and the sentence for anything else."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import psutil
import pytest
import torch

from exdd_core import device
from exdd_core.detector import backbones, coreset
from exdd_core.errors import BadInput


@pytest.mark.parametrize(
    ("said", "gpu", "expected"),
    [
        (None, False, "cpu"),
        (None, True, "cuda"),
        ("", True, "cuda"),
        ("auto", True, "cuda"),
        ("cpu", True, "cpu"),
        (" CPU ", True, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_device_is_chosen(
    monkeypatch: pytest.MonkeyPatch, said: str | None, gpu: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.delenv("EXDD_DEVICE", raising=False)
    if said is not None:
        monkeypatch.setenv("EXDD_DEVICE", said)
    assert device.chosen() == torch.device(expected)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("EXDD_DEVICE", "cuda")
    for use in (backbones.load, lambda: coreset.greedy_coreset(np.eye(3, dtype=np.float32), 1)):
        with pytest.raises(BadInput, match="PyTorch finds no GPU; set it to auto or cpu"):
            use()


def test_another_word_is_refused_by_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXDD_DEVICE", "gpu0")
    asked = [sys.executable, "-m", "exdd_core", "doctor"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "EXDD_DEVICE is 'gpu0', which is not a valid device; set it to auto, cpu or cuda." in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no freed memory")
def test_freed_memory_between_pieces_in_use_is_given_back() -> None:
    process, pieces = psutil.Process(), [bytes(range(256)) * 80 for _ in range(5_000)]  # 100 MB
    held = process.memory_info().rss
    in_use = pieces[::50]
    del pieces
    device.trim()
    assert held - process.memory_info().rss > 80 << 20 and len(in_use) == 100
