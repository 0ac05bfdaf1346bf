"""Transplants a real defect, cut out of its image by its mask, into another image.

The defect is turned, scaled and flipped to fit the drawn mask, matched to the brightness and contrast around it,
and blended along its own outline, so that the surface around it stays the receiver's. No network is involved.
Knows one donor and one receiver. Does not know where donors come from, or which split may lend them.
"""

from __future__ import annotations

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis.blending import blend, faded
from exdd_core.synthesis.controls import Control, shared_controls
from exdd_core.synthesis.cutouts import TransplantSettings, cut
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.foreground import foreground
from exdd_core.synthesis.mask_geometry import Array
from exdd_core.synthesis.posing import find_pose
from exdd_core.synthesis.request import Step, Window

HALO = 4  # pixels: without a halo, cracks end in steps where a borrowed mask is narrower than they are


class Transplant(Engine[TransplantSettings]):
    NAME = "transplant"
    TITLE = "Transplant"
    DESCRIPTION = "Cuts a real defect of the training split out of its image and blends it into this one."
    CONTROLS = (
        Control(
            "placing",
            "Placing",
            "choice",
            "fit",
            choices=("fit", "as set"),
            help="fit: turned, scaled and flipped to suit the drawn mask and the grain of the surface; "
            "as set: by the next three settings",
        ),
        Control("angle", "Angle", "number", 0.0, -180, 180, 1, unit="°", help="used if placing is as set"),
        Control("scale", "Scale", "number", 1.0, 0.25, 4, 0.05, help="used if placing is as set"),
        Control("flip", "Flip", "switch", False, help="left to right; used if placing is as set"),
        Control("strength", "Strength", "number", 1.0, 0.2, 2, 0.05, help="contrast of the defect"),
        Control(
            "margin",
            "Margin",
            "number",
            5.0,
            0,
            16,
            0.5,
            unit="px",
            help="how far around the defect its own surroundings are copied along, fading out",
        ),
        *shared_controls(geometry="native", feather=1.0, match_brightness=False, halo=HALO),
    )

    @property
    def version(self) -> str:
        return "2"

    def _render(self, window: Window[TransplantSettings], step: Step) -> Array:
        donor = window.request.donor
        if donor is None:
            raise BadInput("A transplant needs a real defect to copy; choose one.")
        image = read_image(donor.image, donor.id, donor.depth)
        piece = cut(image, read_mask(donor.mask, image.shape[:2]))
        left, top, right, bottom = window.box
        squeeze = (window.image.shape[1] / (right - left), window.image.shape[0] / (bottom - top))
        part = foreground(window.request.image)[top:bottom, left:right]
        if squeeze != (1, 1):
            part = cv2.resize(part.astype(np.uint8), window.mask.shape[::-1]) > 0
        region = window.mask & part
        if not region.any():
            raise BadInput("The mask lies outside the part, on the background; paint it onto the part.")
        pose = find_pose(piece, region, part, squeeze, window)
        kind = f"{donor.defect_type} " if donor.defect_type else ""
        flipped = ", flipped" if pose.flip else ""
        window.notes.append(
            f"The {kind}defect of {donor.id}, turned by {round(pose.angle)}°, scaled by {pose.scale:.2f}{flipped}."
        )
        painted = blend(window.image, part, piece, pose, squeeze, window.settings)
        return faded(window.image, painted, window.haloed & part)
