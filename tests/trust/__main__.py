"""`python -m tests.trust` writes docs/TRUST.md: a table of faults, promises and the tests that hold them."""

from __future__ import annotations

from tests.trust.table import FILE, table

FILE.parent.mkdir(exist_ok=True)
FILE.write_text(table(), encoding="utf-8")
