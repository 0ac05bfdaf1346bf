"""Matrix products of bfloat16, from which bounds on distances are found several times as fast as from those of float32.

Only on processors that multiply bfloat16 themselves, with AMX or AVX512-BF16. Knows rows and rounding. Does not know
what the bounds are for.
"""

from __future__ import annotations

import time
from functools import cache

from exdd_core.later import torch

# Rounding to bfloat16 has a relative error of u = 2^-8 at most. So 2ab is off by (2u + u^2) (|a|^2 + |b|^2) at most,
# and |b|^2 - 2ab, itself no more than |a|^2 + 2|b|^2, is rounded: 2u (|a|^2 + |b|^2) more. What is left of 4.04 is for
# |b|^2, added in two parts, and for the error in what is rounded. Sums are of float32; their error is not counted here.
SLACK = 4.04 * 2.0**-8
AT_ONCE = 256  # points in a matrix product
CLEARLY = 1.5  # times as fast


def empty(size: int, width: int) -> torch.Tensor:
    """Room for so many of `points`."""
    return torch.empty(size, width + 2, dtype=torch.bfloat16)


def points(rows: torch.Tensor, squares: torch.Tensor) -> torch.Tensor:
    """What `least` takes of points b, float32 (m, p): -2b and both parts of |b|^2, bfloat16 (m, p + 2).

    squares: |b|^2, float32 (m,).
    """
    high = squares.bfloat16()
    return torch.cat([(-2 * rows).bfloat16(), high[:, None], (squares - high).bfloat16()[:, None]], 1)


def least(rows: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The least |b|^2 - 2ab of each row a, float32 (n, p), and the points b: float32 (n,).

    Off by no more than SLACK (|a|^2 + |b|^2) for the longest b, and what the smallest numbers of float32 lose.
    """
    own = torch.cat([rows.bfloat16(), torch.ones(len(rows), 2, dtype=torch.bfloat16)], 1)
    found = torch.full((len(rows),), torch.inf, dtype=torch.bfloat16)
    for some in points.split(AT_ONCE):
        torch.minimum(found, (some @ own.T).amin(0), out=found)  # amin(1) takes twice as long
    return found.float()


@cache
def are_faster() -> bool:
    """Whether this processor multiplies matrices of bfloat16 clearly faster than those of float32, tried once."""
    rows, others = torch.ones(4_096, 128), torch.ones(AT_ONCE, 128)
    return _seconds(rows, others) > CLEARLY * _seconds(rows.bfloat16(), others.bfloat16())


def _seconds(rows: torch.Tensor, others: torch.Tensor) -> float:
    """The least time of five products."""
    tries = []
    for _ in range(5):
        began = time.perf_counter()
        rows @ others.T
        tries.append(time.perf_counter() - began)
    return min(tries)
