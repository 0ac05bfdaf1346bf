"""Groups of images of one physical part, and splits and folds that never divide a group.

A group is *defective* if any of its images is. Knows groups, labels and CSV files of groups. Does not know
images, layouts or what is done with either side of a split.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from re import Match
from typing import Protocol

import numpy as np
import re2

from exdd_core import files, tables
from exdd_core.datasets.record import DEFECT, Record, natural_key
from exdd_core.errors import BadInput
from exdd_core.sentences import count

MOST_BYTES = 256 * 2**20  # of a CSV file
_QUIET = re2.Options()
_QUIET.log_errors = False  # the sentence says them


class _Pattern(Protocol):
    """What is needed of a pattern of RE2, whose package names no types."""

    groups: int

    def search(self, text: str) -> Match[str] | None: ...


class Grouped(Protocol):
    """Anything with a group and a label: a `Record`, a row of the workspace."""

    @property
    def group(self) -> str: ...
    @property
    def label(self) -> str: ...


# --- groups by a rule ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class GroupRule:
    """How the images of a plain folder are grouped.

    kind "subfolder": by the folder that an image lies in, below good/ or defect/ and the defect type, if
    there is one. kind "csv": `value` is a CSV file with the columns path and group, paths relative to the
    root of the data set. kind "pattern": by the first capture group of the regular expression `value`,
    searched in the file's name.
    """

    kind: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> GroupRule:
        """Read `subfolder`, `csv:FILE` or `pattern:REGEX`. Raises `BadInput`."""
        kind, _, value = text.strip().partition(":")
        if kind == "subfolder" and not value:
            return cls(kind)
        if kind == "csv" and value:
            if not Path(value).exists():
                raise BadInput(f"The CSV file {value} does not exist; check the path.")
            files.require_regular(Path(value), f"The CSV file {value}")
            return cls(kind, value)
        if kind == "pattern" and value:
            _compiled(value)
            return cls(kind, value)
        raise BadInput(f'"{text}" is not a way to group images; use subfolder, csv:FILE or pattern:REGEX.')

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind


def apply_rule(records: Sequence[Record], rule: GroupRule) -> list[Record]:
    """The records grouped by a "csv" or "pattern" rule. Raises `BadInput` if an image gets no group."""
    if rule.kind == "csv":
        table = _read_groups(Path(rule.value))
        names = [table.get(_table_key(record.path)) for record in records]
        where = f"no row in {rule.value}"
        advice = "add a row path,group for each, with paths relative to the data set's folder"
    else:
        pattern = _compiled(rule.value)
        matches = [pattern.search(record.path.rsplit("/", 1)[-1]) for record in records]
        names = [match[1] if match else None for match in matches]
        where = f"a name that the pattern {rule.value} does not match"
        advice = "change the pattern or rename them"
    missing = [record.path for record, name in zip(records, names, strict=True) if not name]
    if missing:
        lack = f"{len(missing)} of {count(len(records), 'image')} {'has' if len(missing) == 1 else 'have'}"
        raise BadInput(f"{lack} {where} (first: {missing[0]}); {advice}.")
    return [replace(record, group=str(name)) for record, name in zip(records, names, strict=True)]


def _compiled(regex: str) -> _Pattern:
    """The pattern by RE2, whose time grows with the length of a name only, whatever the pattern is."""
    try:
        pattern: _Pattern = re2.compile(regex, _QUIET)
    except (re2.error, UnicodeError) as error:
        why = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise BadInput(
            f"The pattern {regex} is not a valid RE2 regular expression ({why}); correct it, without "
            "lookaround or backreferences, which RE2 does not support."
        ) from None
    if not pattern.groups:
        raise BadInput(
            f"The pattern {regex} captures nothing; put the part's name in parentheses, such as (part\\d+)_."
        )
    return pattern


def _read_groups(path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for row in read_table(path, ("path", "group")):
        key, group = _table_key(row["path"].replace("\\", "/")), row["group"].strip()
        if groups.setdefault(key, group) != group:
            raise BadInput(
                f"{path} assigns two groups to {key}, {groups[key]} and {group}; an image shows one "
                "part, so keep one row."
            )
    return groups


def _table_key(path: str) -> str:
    return unicodedata.normalize("NFC", Path(path).as_posix())


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with commas, semicolons or tabs, in UTF-8 with or without a byte-order mark.

    columns: names that its first line must have, in any case. Raises `BadInput`.
    """
    try:
        text = files.read_regular(path, f"The CSV file {path}", MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"The CSV file {path} cannot be read; save it as UTF-8 CSV.") from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        names = {name.strip().casefold(): name for name in reader.fieldnames or () if name}
        if not set(columns) <= set(names):
            raise BadInput(
                f"{path} needs the columns {' and '.join(columns)} in its first line, separated by commas, "
                "semicolons or tabs; add them."
            )
        return [{column: tables.read(row[names[column]] or "") for column in columns} for row in reader]
    except csv.Error:
        raise BadInput(f"The CSV file {path} cannot be read; save it as UTF-8 CSV.") from None


# --- splits and folds ---------------------------------------------------------------------------------


def grouped_split(records: Sequence[Record], test_every: tuple[int, int]) -> list[Record]:
    """The records with a side, "train" or "test", by group.

    test_every: (a, b). In natural order of their names, every a-th normal and every b-th defective group is
    test.
    """
    defective = _defective_groups(records)
    groups = sorted({record.group for record in records}, key=natural_key)
    test: set[str] = set()
    for kind, every in ((False, test_every[0]), (True, test_every[1])):
        test.update([group for group in groups if (group in defective) == kind][every - 1 :: every])
    return [replace(record, split="test" if record.group in test else "train") for record in records]


def split_made(what: str) -> str:
    """The end of a sentence about the split of layouts whose TEST_EVERY is (3, 2).

    what: "image" or "part".
    """
    return f"a split is created that keeps every third normal and every second defective {what} for the test."


def folds(records: Sequence[Grouped], k: int, seed: int = 0) -> list[set[int]]:
    """The indices of the test images of `k` folds; each record is in exactly one fold, and so is each group.

    Groups are shuffled by `seed` and assigned to folds in turn, first the defective and then the normal ones:
    no fold is empty, and defective groups are spread evenly. Raises `BadInput` unless `k` is 2 to the number
    of groups.
    """
    defective = _defective_groups(records)
    groups = sorted({record.group for record in records}, key=natural_key)
    if not 2 <= k <= len(groups):
        raise BadInput(
            f"{count(len(groups), 'part')} cannot be divided into {k} folds; "
            + (f"choose 2 to {count(len(groups), 'fold')}." if len(groups) > 1 else "import more.")
        )
    rng = np.random.default_rng(seed)
    dealt = [*_shuffled([g for g in groups if g in defective], rng)]
    dealt += _shuffled([g for g in groups if g not in defective], rng)
    fold_of = {group: turn % k for turn, group in enumerate(dealt)}
    sides: list[set[int]] = [set() for _ in range(k)]
    for index, record in enumerate(records):
        sides[fold_of[record.group]].add(index)
    return sides


def limit_parts(records: Sequence[Grouped], m: int | None, seed: int = 0) -> list[int]:
    """The indices of all normal images and of the defective images of `m` groups, chosen by `seed`.

    With the same seed a larger `m` includes the groups of a smaller one. None keeps all. Raises `BadInput`
    for `m` < 0.
    """
    if m is None:
        return list(range(len(records)))
    if m < 0:
        raise BadInput(f"The number of defective parts cannot be {m}; choose 0 or more.")
    chosen = _shuffled(sorted(_defective_groups(records), key=natural_key), np.random.default_rng(seed))[:m]
    kept = set(chosen)
    return [i for i, record in enumerate(records) if record.label != DEFECT or record.group in kept]


def _defective_groups(records: Sequence[Grouped]) -> set[str]:
    return {record.group for record in records if record.label == DEFECT}


def _shuffled(groups: list[str], rng: np.random.Generator) -> list[str]:
    return [groups[i] for i in rng.permutation(len(groups))]
