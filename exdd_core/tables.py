"""CSV that is safe to open in a spreadsheet: no cell of text is run as a formula.

Cells that a spreadsheet would run get an apostrophe in front, which `read` takes away again. Knows cells. Does not know
what columns mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

# The OWASP's list of beginnings, and those that an apostrophe was put before.
_RUNS = re.compile(r"'*[=+\-@\t\r]")


def safe(value: object) -> object:
    """A cell as it is written: numbers and harmless text as they are, text that would be run with an apostrophe."""
    if not isinstance(value, str) or not _RUNS.match(value) or _is_number(value):
        return value
    return f"'{value}"


def read(cell: str) -> str:
    """The inverse of `safe`."""
    return cell[1:] if cell.startswith("'") and _RUNS.match(cell) else cell


def write(stream: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a header and one line for each row. Missing values are empty; keys that are no columns are left out."""
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(columns)
    for row in rows:
        lines.writerow([safe(row.get(column, "")) for column in columns])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and not text[0].isspace()
