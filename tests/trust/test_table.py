"""A promise that nobody holds: the table of docs/TRUST.md says more or less than the tests do."""

from __future__ import annotations

from tests.trust.table import FILE, table


def test_the_table_of_promises_is_that_of_the_tests():
    assert FILE.read_text(encoding="utf-8") == table(), "run: python -m tests.trust"
