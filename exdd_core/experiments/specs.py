"""What measurements take: evaluate, Table 1, the sweep.

Knows names, types and bounds. Does not know how anything is measured.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict, Field

from exdd_core.banks.options import BankOptions


class _Measured(BankOptions):
    """What all measurements take; other names, which the record of an older one may hold, are passed over.

    rate: share of normal test images that are false alarms, at which recall is read; None is
    `FALSE_ALARM_RATE`. folds: grouped folds over all images, each with banks of its own by `BankOptions`;
    None is the test split.
    """

    model_config = ConfigDict(extra="ignore")
    ABOUT: ClassVar[str] = "A measurement"
    rate: float | None = Field(default=None, ge=0, lt=1, title="false-alarm rate")
    folds: int | None = Field(default=None, ge=2, title="number of folds")


class EvaluateSpec(_Measured):
    """A version on the test split, or settings by folds.

    bank: id or name of the version; None is the active one. changes: the number of the version's last change
    that is measured with; None is the newest. fusion: in place of the version's; by folds also "all".
    """

    bank: str | None = None
    changes: int | None = None


class TableOneSpec(_Measured):
    """PatchCore, ExDD base and ExDD full.

    base, full: ids of bank versions that are built already, and changes the number of the last change of
    each. By folds, synthetic: ids of accepted defects; None is all.
    """

    base: str | None = None
    full: str | None = None
    changes: dict[str, int] | None = None
    synthetic: list[str] | None = None


class SweepSpec(_Measured):
    """ExDD with `counts` of the accepted synthetic defects, for each of `seeds` draws.

    synthetic: ids of accepted ones to draw from; None is all.
    """

    counts: list[int] = Field(title="numbers of synthetic defects")
    seeds: int = Field(ge=1, title="number of draws")
    synthetic: list[str] | None = None
