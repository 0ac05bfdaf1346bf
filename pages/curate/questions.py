"""What the Curate page's script asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Literal

from exdd_core.curation.sifting import FILTERS
from pages.questions import Count, Few, Id, Ids, Layer, One, Question, Text, Whole


class Sought(Question):
    """Candidates by filters, null for one that lets everything pass; and how many of them in which order."""

    status: Id
    sort: Id
    limit: Count
    who: Id = ""
    prompt: Text | None = None
    engine: Id | None = None
    mask: Id | None = None
    type: Id | None = None
    visible: Id | None = None
    clean: Id | None = None
    plausible: Id | None = None
    new: Id | None = None
    effect: Id | None = None

    @property
    def filters(self) -> dict[str, str | None]:
        return {name: getattr(self, name) for name in FILTERS}


class Opened(One):
    """A candidate that a person opens, and the one that they had open before."""

    who: Id
    before: Id = ""


class Next(Question):
    """The candidates that come next."""

    ids: Few


class Owned(One):
    """One candidate, and who decides."""

    who: Id


class Rejected(Owned):
    reasons: Few = []


class Named(Owned):
    type: Id


class Trimmed(Owned):
    layer: Layer


class Undone(Question):
    decision: Whole
    who: Id


class Person(Question):
    who: Id


class Test(Question):
    id: Id


class Reason(Question):
    reason: Id


class ReasonCalled(Reason):
    called: Id


class Blind(Person):
    """What somebody says of the crop of this number in their blind test."""

    number: Count
    said: Literal["real", "painted"]


class Several(Question):
    ids: Ids


class SeveralOwned(Several):
    who: Id


class Bulk(SeveralOwned):
    action: Literal["accept", "reject"]
    reasons: Few = []


class Lines(Question):
    limit: Count


class Run(Question):
    run: Id


class Stamp(Question):
    stamp: Text


class Measured(One):
    """The candidate that is open, those on the screen, and the stamp of the measures that the script has."""

    screen: Ids = []
    have: Text = ""
