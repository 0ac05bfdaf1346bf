"""Experiments: evaluation, the paper's tables and figures, sweeps and reports, stored as runs.

Knows the workspace, banks and evaluation. Does not know jobs or pages.
"""
