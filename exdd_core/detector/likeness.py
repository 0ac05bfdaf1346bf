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

    painted: for each engine, the weight of its paintings, 0 to 1, and how many defects they show. At weight 1 each of
    these is worth a real part, up to the weight of `most_by_paintings`.
    """
    alone, limit = _trust_of(real_parts), most_by_paintings(real_parts)
    earned = (alone + w * (min(limit, _trust_of(real_parts + number)) - alone) for w, number in painted)
    return max([alone, *earned])


def most_by_paintings(real_parts: int) -> float:
    """The largest weight that paintings can give: that of the real parts alone, or one for each of them.

    One or two parts are weak proof that paintings are believable; where there is none, a person's word decides.
    Measured: tests/bench/PAINTING.md.
    """
    return max(_trust_of(real_parts), min(LARGEST_WEIGHT, real_parts or LARGEST_WEIGHT))


def _trust_of(parts: int) -> float:
    few = WEIGHT_OF_PAINTED + (1 - WEIGHT_OF_PAINTED) * min(1.0, parts / FEWEST_PARTS)
    return max(few, min(LARGEST_WEIGHT, parts / PARTS_PER_WEIGHT))
