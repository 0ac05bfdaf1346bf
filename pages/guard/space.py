"""What a Space of Hugging Face says of itself by environment variables, and how it is served there.

Everybody may look at the demo there and change nothing (docs/SPACE.md). Knows names of variables and addresses.
Does not know requests.
"""

from __future__ import annotations

from collections.abc import Mapping

FRAMES = ("https://huggingface.co",)  # sites that show a Space inside of their pages


def is_space(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("SPACE_ID"))


def defaults(environment: Mapping[str, str]) -> dict[str, object]:
    """The options of app.py that a Space has unless it is told otherwise; none elsewhere."""
    if not is_space(environment):
        return {}
    host = environment.get("SPACE_HOST")
    return {"demo": True, "read_only": True, "address": f"https://{host}" if host else ""}
