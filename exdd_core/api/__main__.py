"""`python -m exdd_core.api` writes the description of the API to docs/openapi.json. Knows that file alone."""

from __future__ import annotations

import json
from pathlib import Path

from exdd_core import files
from exdd_core.api.application import described

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def written() -> str:
    """The description as it stands in the file."""
    return json.dumps(described(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with files.whole(FILE) as place:
        place.write_text(written(), encoding="utf-8")
    print(f"Wrote {FILE}.")
