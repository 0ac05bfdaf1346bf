"""A contact sheet: close-ups of candidates with what they were painted with, as one picture.

Knows candidates and drawing. Does not know pages, measures or the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from exdd_core.drawing import font
from exdd_core.errors import BadInput
from exdd_core.images import thumbnail
from exdd_core.studio import editor, ordering

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

MOST = 120  # candidates of one sheet
SIDE, GAP, CAPTION, COLUMNS = 240, 16, 52, 6  # pixels, and pictures beside each other
INK, QUIET, PAPER = (28, 30, 34), (96, 100, 108), (255, 255, 255)


def contact_sheet(workspace: Workspace, chosen: Sequence[Candidate]) -> np.ndarray:
    """Draw candidates, at most `MOST`, in rows of six with captions: uint8 (H, W, 3). Raises BadInput without any."""
    shown = chosen[:MOST]
    if not shown:
        raise BadInput("There are no results to draw; change the filters.")
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    size = (GAP + columns * (SIDE + GAP), GAP + rows * (SIDE + CAPTION + GAP))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, made in enumerate(shown):
        x = GAP + number % columns * (SIDE + GAP)
        y = GAP + number // columns * (SIDE + CAPTION + GAP)
        sheet.paste(Image.fromarray(thumbnail(editor.painted_close_up(made), SIDE)), (x, y))
        title = ordering.engine(workspace, made.engine).TITLE
        draw.text((x, y + SIDE + 6), _short(draw, made.prompt or "No prompt", 13), fill=INK, font=font(13))
        facts = f"{title} · seed {made.seed} · {made.status}"
        draw.text((x, y + SIDE + 26), _short(draw, facts, 11), fill=QUIET, font=font(11))
    return np.asarray(sheet)


def _short(draw: ImageDraw.ImageDraw, words: str, size: int) -> str:
    """As much of a caption as fits below its picture."""
    while len(words) > 1 and draw.textlength(words, font=font(size)) > SIDE:
        words = f"{words[:-2].rstrip()}…"
    return words
