"""What a bundle says of itself in bundle.json.

Knows the names and types of its values. Does not know how they are made or used.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from exdd_core.detector import fusion


class Figures(TypedDict):
    """Of a network. image_auroc, pixel_auroc: 0 to 1; None where they could not be measured. bytes: of its file.

    milliseconds: for one image, the network alone, on the machine that exported.
    """

    image_auroc: float | None
    pixel_auroc: float | None
    milliseconds: float
    bytes: int


class Cost(TypedDict):
    """What quantizing cost and saved. images, defective: the numbers of test images that it was measured on.

    otherwise: how many of them are judged otherwise in int8. calibrated_by: the number of normal training images.
    """

    float32: Figures
    int8: Figures
    images: int
    defective: int
    otherwise: int
    calibrated_by: int


class Golden(TypedDict):
    """A golden image and what is expected of it. image, map: names in the bundle; the map has the model's size."""

    name: str
    image: str
    map: str
    score: float
    verdict: str


class MadeWith(TypedDict):
    """The program's version, and those of the libraries that the bank was built with."""

    program: str
    libraries: dict[str, str]


class InputSize(TypedDict):
    """`Size` as JSON."""

    width: int
    height: int
    keep_aspect: bool


class Manifest(TypedDict):
    """The content of bundle.json.

    tolerance: the largest difference of a golden score, in shares of the distance from the median of normal images to
    the threshold, and of a golden map, in shares of that of maps. windows: sides of the squares of the discriminant.
    types: of defects, by the number that `banks.npz` has for each positive row. positives: as in `banks.options`.
    by_brightest: as in `detector.settings`. digests: SHA-256 of every other file but the program and licences. int8:
    what it cost and saved to quantize the network, with the golden images as the version itself judges them, by its
    network in float32.
    """

    format: int
    bank: str
    dataset: str
    created: str
    exported: str
    backbone: dict[str, str]
    licences: dict[str, str]
    made_with: MadeWith
    size: InputSize
    depth: str | None
    by_brightest: NotRequired[bool]
    grid: list[int]
    fusion: fusion.State
    calibration: dict[str, float | tuple[float, float] | None]
    region_area: int
    region_gap: int
    mm_per_pixel: float | None
    windows: list[int]
    types: list[str]
    tolerance: float
    golden: list[Golden]
    positives: str
    digests: dict[str, str]
    int8: NotRequired[Cost]
    golden_of_version: NotRequired[list[Golden]]
