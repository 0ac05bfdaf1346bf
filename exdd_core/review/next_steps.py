"""What is worth doing now, why, and where: computed from facts about a workspace, the most urgent first.

Knows facts and sentences. Does not know the database, nor who dismissed what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from exdd_core.detector.bank_header import RowsOfImage
from exdd_core.sentences import count

FAIR = 0.25  # a type of defect is thin with less than this share of an equal share of the rows
FEWEST_TYPES = 2


@dataclass(frozen=True)
class Facts:
    """What is known of a data set and of the version that judges it.

    bank: name of the version, "" without one; bank_dataset, bank_called: the data set that it was built from, and what
    people call it; own_bank: the newest version of this data set. scored, found: known defects of the test split that
    are scored with the version, and those above its threshold. untried: how many there are, where none was ever scored
    with it. rows: of the positive bank, by image. looked: some image is scored; again: some since the last decision.
    worked: more than a first try was done here. changes_most: the image that is likely to change most.
    """

    dataset: str
    called: str
    bank: str = ""
    bank_dataset: str = ""
    own_bank: str = ""
    bank_called: str = ""
    scored: int = 0
    found: int = 0
    untried: int = 0
    pending: int = 0
    new_normals: int = 0
    marks: int = 0
    rows: Mapping[str, RowsOfImage] = field(default_factory=dict)
    looked: bool = False
    painted: bool = False
    accepted: bool = False
    again: bool = False
    worked: bool = False
    changes_most: str = ""


@dataclass(frozen=True)
class Tick:
    """One of the first steps, and whether it is done."""

    title: str
    done: bool


@dataclass(frozen=True)
class Step:
    """One thing to do. kind: names it where it is dismissed. said: a sentence on why. button: its label; link: where it
    leads. ticks: of the first steps; empty for all others.
    """

    kind: str
    said: str
    button: str
    link: str
    ticks: tuple[Tick, ...] = ()


def next_steps(facts: Facts | None) -> list[Step]:
    """All that is worth doing, the most urgent first, each kind at most once. facts: None without a data set."""
    if facts is None:
        said = "There are no images yet: import a folder or a zip file, or create demo images."
        return [Step("import", said, "Bring images", "./data")]
    return list(_steps(facts))


def _steps(facts: Facts) -> Iterator[Step]:
    if not facts.bank:
        said = f'There is no bank for "{facts.called}" yet, so its images cannot be scored.'
        yield Step("build", said, "Build one", "./banks")
        return
    if facts.bank_dataset != facts.dataset:
        said = (
            f'Bank {facts.bank} was built from "{facts.bank_called}", but the images are from "{facts.called}": '
            "scores mean little."
        )
        do = f"Choose {facts.own_bank}" if facts.own_bank else "Build a bank for them"
        yield Step("mismatch", said, do, "./banks")
        return
    if facts.scored and not facts.found:
        known = count(facts.scored, "known defect")
        said = f"Bank {facts.bank} finds 0 of {known} at its threshold."
        yield Step("threshold", said, "Set it", "./?threshold=1")
    first = _first(facts)
    if first:
        yield first
    else:
        yield from _everyday(facts)
    if thin := _thin(facts):
        yield thin


def _everyday(facts: Facts) -> Iterator[Step]:
    if facts.pending:
        said = f"{count(facts.pending, 'candidate is waiting', 'candidates are waiting')} for a decision."
        yield Step("pending", said, "Decide", "./curate")
    elif facts.accepted and not facts.again:
        yield Step(
            "again", f"Bank {facts.bank} has changed since you last viewed its results.", *_look(facts)
        )
    if facts.marks:
        said = f"Bank {facts.bank} has not been tested since {count(facts.marks, 'mark')} changed it."
        yield Step("test", said, "Test it", "./evaluate")
    if facts.new_normals:
        said = f"Bank {facts.bank} does not know {count(facts.new_normals, 'new normal image')} yet."
        yield Step("rebuild", said, "Rebuild", "./banks")
    if facts.untried:
        known = count(facts.untried, "known defect")
        said = f"Bank {facts.bank} has not been tried on the {known} of the test split: see which it finds."
        yield Step("untried", said, "Score them", "./")


def _first(facts: Facts) -> Step | None:
    """The first steps of a fresh workspace; None once they are done, or where more was done already."""
    done = (facts.looked, facts.painted, facts.accepted, facts.accepted and facts.again)
    if facts.worked or all(done):
        return None
    titles = ("Look at a heatmap", "Paint a defect", "Accept it", "Look again")
    ticks = tuple(Tick(title, is_done) for title, is_done in zip(titles, done, strict=True))
    if not facts.looked:
        said, button, link = "See how both methods judge an image.", "Look at a heatmap", "./"
    elif not facts.painted:
        said, button, link = "Teach the bank a defect: paint one into a normal image.", "Paint", "./studio"
    elif not facts.accepted:
        waiting = (
            count(facts.pending, "candidate is waiting", "candidates are waiting")
            if facts.pending
            else "It is waiting"
        )
        said, button, link = f"{waiting} for your decision.", "Accept one", "./curate"
    else:
        said = f"Bank {facts.bank} has learned more: see what changed."
        button, link = _look(facts)
    return Step("first", said, button, link, ticks)


def _look(facts: Facts) -> tuple[str, str]:
    """The button and where it leads: to the image that changes most, where one is known."""
    if not facts.changes_most:
        return "Look again", "./"
    return "See the biggest change", f"./?image={quote(facts.changes_most, safe='')}"


def _thin(facts: Facts) -> Step | None:
    """The type with the fewest rows, where that is far less than its share."""
    by_type: dict[str, int] = {}
    for known in facts.rows.values():
        by_type[known.defect_type] = by_type.get(known.defect_type, 0) + known.rows
    named = {name: rows for name, rows in by_type.items() if name}
    total = sum(by_type.values())
    if len(named) < FEWEST_TYPES:
        return None
    thinnest = min(named, key=lambda name: (named[name], name))
    if named[thinnest] >= FAIR * total / len(named):
        return None
    largest = max(facts.rows.values(), key=lambda known: known.rows)
    said = f"{thinnest} has only {named[thinnest]:,} of {count(total, 'defect row')}"
    if largest.defect_type != thinnest and largest.rows > named[thinnest]:
        said += f"; one image of {largest.defect_type or 'another type'} alone has {largest.rows:,}"
    return Step("thin", f"{said}.", f"Paint {thinnest}", f"./studio?type={quote(thinnest, safe='')}")
