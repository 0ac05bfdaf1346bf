"""Figures that the README states and sheets to look at; measurements, not tests.

`make bench`, or `python -m tests.bench contact_sheet|fusions|speed`.
"""
