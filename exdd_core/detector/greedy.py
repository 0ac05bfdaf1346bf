"""Greedy k-center selection (Eq. 8), exact and lazy: rows in, row numbers out.

Every pick is a row with the largest distance to its nearest picked row. Those distances only shrink, so an old one, or
any bound above it, shows that a row is not the next one while another's exact distance is larger (Minoux 1978). Rows
are compared with the picked ones only when their bounds are among the largest: levels narrow all rows down to a few
hundred candidates, whose distances are exact. Between the levels matrix products give the bounds, with all that
rounding may add; candidates are measured by subtraction. So the result is that of the plain algorithm, bit by bit.

Does not know images, banks, projections or what the rows mean.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from exdd_core.detector import rough_products
from exdd_core.errors import BadInput, Cancelled
from exdd_core.files import whole
from exdd_core.later import torch
from exdd_core.progress import Progress

CANDIDATES = 2048  # rows whose distances are found at a time, at least
NARROWING = 16  # a level holds this share of the rows of the one above
SAVED_EVERY = 20.0  # seconds between two states of the file that a selection is continued from
STAGE = "Choosing the rows to keep"
PRODUCT = 4_096, 256  # rows, and picked rows, in a matrix product: so few that it stays in the cache
PRODUCT_ON_GPU = 65_536, 2_048
MANY_AMONG, FEW_AMONG = 8 * CANDIDATES, 128  # most candidates compared all at once, on a GPU and on a CPU
ROUGH_FROM = 50_000  # rows from which their bounds are found by products of bfloat16, where these are faster
TINY = 1e-34  # more than squares and products lose among the smallest numbers of float32
LONGEST = 1e37  # squared length of a row, so that no sum overflows
FEW = 4  # up to this many picked rows are compared by subtraction at once


@dataclass
class _Level:
    """Rows and bounds above their distances to the nearest picked row.

    numbers: int64 (m,), their numbers among all rows; at: int64 (m,), their places in the level above. rows: float32
    (m, p), centred; squares: float32 (m,), their squared lengths. bounds: float32 (m,), -1 for picked rows. compared:
    int32 (m,), how many picked rows the bounds include; exact: bool (m,), bounds that are the distance to the nearest
    of these. floor: the largest bound of the rows of the level above that this one lacks.
    """

    numbers: torch.Tensor
    at: torch.Tensor
    rows: torch.Tensor
    squares: torch.Tensor
    bounds: torch.Tensor
    compared: torch.Tensor
    exact: torch.Tensor
    floor: float


class Greedy:
    """One selection from rows (n, p), float32 or float16, which it does not change."""

    def __init__(self, rows: torch.Tensor, size: int, first: int, progress: Progress):
        self.rows, self.progress = rows, progress
        progress.begin(STAGE, size)
        self.n, width = rows.shape
        self.gpu = on_gpu(rows)
        self.chunk, self.at_once = PRODUCT_ON_GPU if self.gpu else PRODUCT
        self.buffer = torch.empty(self.chunk * self.at_once, device=rows.device)
        # A dot product of p numbers in float32 is off by at most (p + 2) u |a| |b| with u = 2^-24, in any order of
        # summation (Higham 2002, section 3.1). Added up over |a|^2, |b|^2, 2ab and the subtraction that it is compared
        # with, and with ab below (a^2 + b^2) / 2, that is less than this share of |a|^2 + |b|^2.
        self.slack = 4 * (width + 8) * 2.0**-24
        if torch.get_float32_matmul_precision() != "highest":  # factors may be rounded to 8 bits
            self.slack += 2.0**-6
        self.middle = self._mean()
        self.picked = torch.full((size,), -1, dtype=torch.int64)
        self.points = torch.empty(size, width, device=rows.device)
        self.squares = torch.empty(size, device=rows.device)
        is_rough = not self.gpu and self.n >= ROUGH_FROM and rough_products.are_faster()
        self.rough = rough_products.empty(size, width) if is_rough else None
        self.count = 0
        self._add(torch.tensor([first]), self._centred(rows[first : first + 1]))
        self.levels = [self._everything()]
        if not float(self.levels[0].squares.max()) <= LONGEST:
            raise BadInput(
                "Some features are too large, so no coreset can be selected; compute them from the images again."
            )
        progress.advance()

    # --- rows -------------------------------------------------------------------------------------

    def _mean(self) -> torch.Tensor:
        """The mean row, float32 (p,). Raises BadInput where a value is not finite."""
        if self.rows.dtype == torch.float32:
            middle = self.rows.mean(0)
        else:
            total = torch.zeros(self.rows.shape[1], dtype=torch.float64, device=self.rows.device)
            for part in self.rows.split(self.chunk):
                total += part.double().sum(0)
            middle = (total / self.n).float()
        if not torch.isfinite(middle).all():
            raise BadInput(
                "Some features are not finite, so no coreset can be selected; compute them from the images again."
            )
        return middle

    def _centred(self, rows: torch.Tensor) -> torch.Tensor:
        """Distances stay the same, and dot products of long vectors that are alike lose fewer digits."""
        return rows.float() - self.middle

    def _everything(self) -> _Level:
        """The level of all rows, compared with the first pick. Its rows stay where they are, not centred."""
        device = self.rows.device
        bounds, squares = (torch.empty(self.n, device=device) for _ in range(2))
        for start in range(0, self.n, self.chunk):
            part = slice(start, start + self.chunk)
            rows = self._centred(self.rows[part])
            squares[part] = rows.square().sum(1)
            bounds[part] = distances(rows, self.points[:1])[:, 0]
            self._alive()
        bounds[self.picked[0]] = -1
        everything = torch.arange(self.n, device=device)
        compared = torch.ones(self.n, dtype=torch.int32, device=device)
        exact = torch.ones(self.n, dtype=torch.bool, device=device)
        return _Level(everything, everything, self.rows, squares, bounds, compared, exact, -torch.inf)

    def _gather(self, level: _Level, at: torch.Tensor) -> torch.Tensor:
        """Rows of a level, centred."""
        if level is not self.levels[0]:
            return level.rows.index_select(0, at)
        out = torch.empty(len(at), level.rows.shape[1], device=level.rows.device)
        for start in range(0, len(at), self.chunk):
            part = slice(start, start + self.chunk)
            torch.sub(level.rows.index_select(0, at[part]).float(), self.middle, out=out[part])
        return out

    # --- levels -----------------------------------------------------------------------------------

    def run(self, state: Path | None = None) -> np.ndarray:
        """Pick until there are `size`: int64 (size,). state: see `coreset.select`."""
        if state:
            self._continue(state)
        saved = time.monotonic()
        try:
            while self.count < len(self.picked):
                self._step()
                if state and time.monotonic() > saved + SAVED_EVERY:
                    self._save(state)
                    saved = time.monotonic()
        finally:
            if state:
                self._save(state)
        return self.picked.numpy()

    def _step(self) -> None:
        level = self.levels[-1]
        largest = float(level.bounds.max())
        if len(self.levels) > 1 and largest <= max(level.floor, 0):
            self._leave()
        elif largest == 0:  # of all rows, as this is the first level
            self._take_copies()
        else:
            self._descend(level)

    def _descend(self, level: _Level) -> None:
        """Narrow a level down to another one; from one of few rows, pick."""
        number = max(CANDIDATES, len(level.bounds) // NARROWING)
        at, floor = self._largest(level, number if len(level.bounds) > 2 * CANDIDATES else len(level.bounds))
        if len(at) < len(level.bounds):
            self._enter(level, at, floor)
            return
        at = (level.bounds > floor).nonzero()[:, 0]
        self._measure(level, at)
        self._pick_among(level, at[level.bounds[at] > floor], floor)

    def _largest(self, level: _Level, number: int) -> tuple[torch.Tensor, float]:
        """The places of the `number` rows with the largest bounds and of all that tie with the last of them.

        Also returns the largest bound of all other rows, those of the levels above included.
        """
        if number >= len(level.bounds):
            return torch.arange(len(level.bounds), device=level.bounds.device), level.floor
        if self.gpu:
            least = float(level.bounds.topk(number, sorted=False).values.min())
        else:
            least = float(np.partition(level.bounds.numpy(), -number)[-number])
        chosen = level.bounds >= least
        others = float(level.bounds.masked_fill(chosen, -1).max())
        return chosen.nonzero()[:, 0], max(level.floor, others)

    def _enter(self, level: _Level, at: torch.Tensor, floor: float) -> None:
        """Open the level of the rows at these places, their bounds brought up to date."""
        at = at[level.compared[at].argsort(stable=True)]
        inner = _Level(
            level.numbers.index_select(0, at),
            at,
            self._gather(level, at),
            level.squares.index_select(0, at),
            level.bounds.index_select(0, at),
            level.compared.index_select(0, at),
            level.exact.index_select(0, at),
            floor,
        )
        for start in range(0, len(at), self.chunk):
            part = slice(start, start + self.chunk)
            self._alive()
            self._lower(inner, part, int(inner.compared[start]))
        inner.compared.fill_(self.count)
        self.levels.append(inner)

    def _leave(self) -> None:
        """Close the innermost level and hand what it knows to the one above."""
        inner = self.levels.pop()
        above = self.levels[-1]
        above.bounds[inner.at] = inner.bounds
        above.compared[inner.at] = inner.compared
        above.exact[inner.at] = inner.exact

    # --- distances --------------------------------------------------------------------------------

    def _products(self, rows: torch.Tensor, since: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """|b|^2 - 2ab of rows a and the picked rows b from number `since` on, some of these at a time."""
        for start in range(since, self.count, self.at_once):
            some = slice(start, min(start + self.at_once, self.count))
            out = self.buffer[: len(rows) * (some.stop - start)].view(len(rows), -1)
            yield some, torch.addmm(self.squares[some], rows, self.points[some].T, alpha=-2, out=out)

    def _lower(self, level: _Level, part: slice, since: int) -> None:
        """Lower bounds of a level by the picked rows from number `since` on, by matrix products."""
        if since == self.count:
            return
        bounds, squares = level.bounds[part], level.squares[part]
        lengths = squares + self.squares[since : self.count].max()
        slack = self.slack * lengths + TINY
        if self.rough is None:
            least = torch.full_like(bounds, torch.inf)
            for _, products in self._products(level.rows[part], since):
                torch.minimum(least, products.amin(1), out=least)
        else:
            least = rough_products.least(level.rows[part], self.rough[since : self.count])
            slack += rough_products.SLACK * lengths
        least += squares
        level.exact[part] &= least - slack > bounds.square()
        torch.minimum(bounds, (least + slack).clamp_(min=0).sqrt_(), out=bounds)

    def _measure(self, level: _Level, at: torch.Tensor) -> None:
        """Replace the bounds at these places by distances, as subtraction gives them."""
        since = torch.where(level.exact[at], level.compared[at], 0)
        since, order = since.sort(stable=True)
        for start in range(0, len(at), self.chunk):
            self._alive()
            first, some = int(since[start]), at[order[start : start + self.chunk]]
            if first < self.count:
                bounds, exact = level.bounds[some], level.exact[some]
                found = self._measured(self._gather(level, some), level.squares[some], bounds, first)
                found = torch.where(exact, torch.minimum(bounds, found), found)
                level.bounds[some] = torch.where(bounds < 0, bounds, found)
        level.compared[at] = self.count
        level.exact[at] = True

    def _measured(
        self, rows: torch.Tensor, squares: torch.Tensor, bounds: torch.Tensor, since: int
    ) -> torch.Tensor:
        """Distances to the nearest picked row from number `since` on; infinite where none is within the bound."""
        if self.count - since <= FEW:
            return distances(rows, self.points[since : self.count]).amin(1)
        found = torch.full_like(bounds, torch.inf)
        limits = bounds.square() - squares
        for some, products in self._products(rows, since):
            slack = self.slack * (squares + self.squares[some].max()) + TINY
            least = products.amin(1)
            limits = torch.minimum(limits, least + slack)
            hit = (least <= limits + slack).nonzero()[:, 0]
            row, pick = (products[hit] <= (limits + slack)[hit, None]).nonzero(as_tuple=True)
            points = self.points[some]
            # With many picked rows at about the same distance, measuring all takes less memory.
            if len(row) > 8 * len(rows):
                found[hit] = torch.minimum(found[hit], distances(rows[hit], points).amin(1))
            else:
                gaps = distances(rows[hit[row], None], points[pick, None])[:, 0, 0]
                found.scatter_reduce_(0, hit[row], gaps, "amin")
        return found

    # --- picks ------------------------------------------------------------------------------------

    def _pick_among(self, level: _Level, at: torch.Tensor, floor: float) -> None:
        """Pick candidates, whose distances are exact, until none is farther than the largest bound of other rows."""
        if not len(at):
            return
        at = at[level.numbers[at].argsort()]  # of rows that tie, the first is picked
        rows, bounds = self._gather(level, at), level.bounds[at].cpu().numpy()
        left, some, among = np.arange(len(at)), rows, self._among(rows)  # those that may still be picked
        taken: list[int] = []
        while len(left) and self.count + len(taken) < len(self.picked):
            farthest = int(bounds.argmax())
            if bounds[farthest] <= floor:
                break
            taken.append(int(left[farthest]))
            gaps = distances(some, some[farthest, None])[:, 0].numpy() if among is None else among[farthest]
            np.minimum(bounds, gaps, out=bounds)
            bounds[farthest] = -1
            self.progress.advance()
            above = bounds > floor
            if among is None and 2 * np.count_nonzero(above) < len(left):
                self._note(level, at[left[~above]], bounds[~above], self.count + len(taken))
                left, bounds, some = left[above], bounds[above], some[torch.from_numpy(above)]
                among = self._among(some)
        self._note(level, at[left], bounds, self.count + len(taken))
        self._add(level.numbers[at[taken]].cpu(), rows[taken])

    def _among(self, rows: torch.Tensor) -> np.ndarray | None:
        """All distances among rows, float32 (m, m); None for so many that those to the picked ones are found faster.

        A GPU computes them at once, and the picking waits for it only once.
        """
        few = len(rows) <= (MANY_AMONG if self.gpu else FEW_AMONG)
        return distances(rows, rows).cpu().numpy() if few else None

    def _note(self, level: _Level, at: torch.Tensor, bounds: np.ndarray, compared: int) -> None:
        """Note distances, float32 (m,), of rows at these places to the nearest of so many picked rows."""
        level.bounds[at] = torch.from_numpy(bounds).to(level.bounds.device)
        level.compared[at] = compared

    def _add(self, numbers: torch.Tensor, rows: torch.Tensor) -> None:
        """Note picked rows, float32 (m, p), centred, and their numbers."""
        new = slice(self.count, self.count + len(numbers))
        self.picked[new], self.points[new] = numbers, rows
        self.squares[new] = rows.square().sum(1)
        if self.rough is not None:
            self.rough[new] = rough_products.points(rows, self.squares[new])
        self.count = new.stop

    def _take_copies(self) -> None:
        """Every row that is left equals a picked one: take the first."""
        missing = len(self.picked) - self.count
        rest = (self.levels[0].bounds == 0).nonzero()[:missing, 0]
        self._add(rest.cpu(), self._gather(self.levels[0], rest))
        self.progress.advance(missing)

    # --- the file that a selection is continued from -----------------------------------------------

    def _mark(self) -> str:
        """Tells these rows and this first pick from others."""
        first = int(self.picked[0])
        return hashlib.sha256(
            repr((self.n, first)).encode() + self.middle.cpu().numpy().tobytes()
        ).hexdigest()

    def _save(self, file: Path) -> None:
        """Write the picks. An error, such as a full disk, is ignored: the selection itself needs no file."""
        with suppress(OSError), whole(file) as unfinished, unfinished.open("wb") as out:
            np.savez(out, picked=self.picked[: self.count].numpy(), mark=self._mark())

    def _continue(self, file: Path) -> None:
        """Take over the picks from a file of the same rows. Another file, or a damaged one, is ignored."""
        try:
            with np.load(file) as found:
                picked, mark = torch.from_numpy(found["picked"])[: len(self.picked)], str(found["mark"])
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):
            return
        if mark == self._mark():
            # No bound has to change: each still is the distance to the first pick, so it includes one.
            at = picked[1:].to(self.rows.device)
            self._add(picked[1:], self._gather(self.levels[0], at))
            self.levels[0].bounds[at] = -1
            self.progress.begin(STAGE, len(self.picked), self.count)

    def _alive(self) -> None:
        """Raise Cancelled after a person has cancelled."""
        if self.progress.cancelled:
            raise Cancelled(self.progress.stage)


def distances(rows: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Euclidean distances (..., n, m) by subtraction: dot products give equal rows a distance above 0."""
    return torch.cdist(rows, points, compute_mode="donot_use_mm_for_euclid_dist")


def on_gpu(rows: torch.Tensor) -> bool:
    """Whether a GPU computes with these rows, which is given much at a time and seldom waited for."""
    return rows.device.type != "cpu"
