"""What jobs are given and return: plain JSON.

Knows types. Does not know jobs.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]
Result = dict[str, Any]
