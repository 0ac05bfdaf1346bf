"""A contact sheet: close-ups of candidates with what they were painted with, as one picture.

Knows candidates and drawing. Does not know pages, measures or the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from exdd_core.drawing import shortened
from exdd_core.errors import BadInput
from exdd_core.images import fit
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
        close = editor.painted_close_up(made)
        height, width = (max(1, round(side * SIDE / max(close.shape[:2]))) for side in close.shape[:2])
        sheet.paste(Image.fromarray(fit(close, width, height)), (x, y))
        title = ordering.engine(workspace, made.engine).TITLE
        for line, below, fill, points in (
            (made.prompt or "No prompt", 6, INK, 13),
            (f"{title} · seed {made.seed} · {made.status}", 26, QUIET, 11),
        ):
            words, face = shortened(line, points, SIDE)
            draw.text((x, y + SIDE + below), words, fill=fill, font=face)
    return np.asarray(sheet)
