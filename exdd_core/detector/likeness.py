"""How much likeness to known defects weighs in the fusion `context`, by the number of known defects.

Knows numbers of parts. Does not know distances or how a fusion is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence

# The weight of likeness in `Context`, measured: with unchecked painted defects alone, and at most with many real ones.
WEIGHT_OF_PAINTED, LARGEST_WEIGHT = 0.03, 3.0
PARTS_PER_WEIGHT = 8  # defective parts for each 1 of that weight, once they give more than 1
FEWEST_PARTS = 3  # leave-one-part-out needs at least this many defective parts


def trust(real_parts: int, painted: Sequence[tuple[float, int]] = ()) -> float:
    """The weight of likeness to known defects in `Context`, by the number of parts with a real defect.

    painted: for each engine, the weight of its paintings, 0 to 1, and how many defects they show; at weight 1 each of
    these is worth a real part.
    """
    alone = _trust_of(real_parts)
    return max([alone, *(alone + w * (_trust_of(real_parts + number) - alone) for w, number in painted)])


def _trust_of(parts: int) -> float:
    few = WEIGHT_OF_PAINTED + (1 - WEIGHT_OF_PAINTED) * min(1.0, parts / FEWEST_PARTS)
    return max(few, min(LARGEST_WEIGHT, parts / PARTS_PER_WEIGHT))
