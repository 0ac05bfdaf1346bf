"""Answers the Studio page's script on what the active bank version says of a painting.

Knows curation and drawing. Does not know masks, prompts or results.
"""

from __future__ import annotations

from exdd_core import drawing
from exdd_core.curation import seeing
from exdd_core.review import finite
from pages.html import Answer
from pages.pictures import png_url
from pages.questions import One
from pages.studio.state import Studio

MAP_SIDE = 320  # pixels of the longer side of a map


def seen(shared: Studio, asked: One) -> Answer:
    """Found or not, new or not, and the heatmap. Raises BadInput where the active version cannot say."""
    made = seeing.seen(shared.judge, asked.id, MAP_SIDE)
    return {
        "id": asked.id,
        "version": made.version,
        "found": made.found,
        "verdict": made.verdict,
        "score": finite(made.score),
        "measures": [
            {"light": m.light, "text": m.text, "meaning": m.meaning} for m in (made.visible, made.new)
        ],
        "map": png_url(drawing.heatmap(made.map)),
    }
