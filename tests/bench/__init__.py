"""Figures that the README states: `make bench`, or `python -m tests.bench fusions|speed`. Measurements, not tests."""
