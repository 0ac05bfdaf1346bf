"""Figures that the README states: `make bench`, or `python -m tests.bench contact_sheet|fusions|speed`. Measurements, not tests."""
