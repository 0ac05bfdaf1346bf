"""`python -m exdd_core COMMAND`: see `exdd_core.cli`."""

from __future__ import annotations

import sys

from exdd_core.cli import run_program

sys.exit(run_program())
