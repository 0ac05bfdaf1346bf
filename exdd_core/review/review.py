"""The review of one workspace, as pages, jobs and commands use it: lists, comparisons, marks and exports.

Knows the modules of this room and passes each question to one of them. Does not know pages or HTTP, nor how
anything is computed or drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.detectors import load_detector
from exdd_core.curation import outlining
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.review import export, lists, marks, regions as regions_of, states, thresholds
from exdd_core.review.comparing import ComparedImage, Comparing
from exdd_core.review.lists import Entry, ImageList, ShownImage
from exdd_core.review.marks import Mark
from exdd_core.review.regions import RegionRow
from exdd_core.review.results import Results, StoredRow
from exdd_core.review.states import BankState
from exdd_core.workspace import scales

if TYPE_CHECKING:
    from exdd_core.curation import Decided
    from exdd_core.picture import Picture
    from exdd_core.workspace import BankVersion, Workspace
    from exdd_core.workspace.dataset_changes import Changed
    from exdd_core.workspace.thresholds import Choice


class Review:
    """Everything that can be asked about the images of one workspace. Safe to call from any thread.

    bank, wherever it is asked for: the id or name of a bank version; None: the active one. Every method
    raises BadInput for an image, a list or a version that does not exist.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._comparing = Comparing(workspace)

    # --- lists ----------------------------------------------------------------------------------------

    def lists(self) -> list[ImageList]:
        return lists.every_list(self.workspace)

    def left_out(self, key: str) -> list[str]:
        return lists.left_out(key)

    def images(self, key: str) -> list[ShownImage]:
        return lists.images_of(self.workspace, key)

    def entries(self, key: str) -> list[Entry]:
        return lists.entries_of(self.workspace, key)

    def image(self, id: str) -> ShownImage:
        return lists.find_image(self.workspace, id)

    def list_of(self, id: str) -> str:
        return lists.list_of(self.workspace, id)

    def open_folder(self, path: Path | str) -> str:
        return lists.open_folder(self.workspace, path)

    def add_files(self, files: Sequence[tuple[Path, str]]) -> tuple[list[str], list[str]]:
        return lists.add_files(self.workspace, files)

    def clear(self, key: str) -> str:
        return lists.clear(self.workspace, key, marks.marked(self.workspace))

    def put_back(self) -> str:
        return lists.put_back(self.workspace)

    # --- what both methods say ------------------------------------------------------------------------

    def bank_state(self, bank: str | None = None) -> BankState | None:
        return states.bank_state(self.workspace, bank)

    def results(self, bank: BankVersion) -> Results:
        return self._comparing.results(bank)

    def read(self, image: ShownImage, bank: str | None = None) -> Picture:
        return states.read(self.workspace, image, bank)

    def notes(self, image: ShownImage, picture: Picture, bank: str | None = None) -> list[str]:
        return states.notes(self.workspace, image, picture, bank)

    def compare(self, id: str, bank: str | None = None) -> ComparedImage:
        return self._comparing.compare(id, bank)

    def by_fusion(self, id: str, bank: str | None, fusion: str) -> ComparedImage:
        return self._comparing.by_fusion(id, bank, fusion)

    def fusions(self, bank: str | None = None) -> tuple[str, ...]:
        """The fusions that a bank version has, its own first."""
        detector = load_detector(self.workspace, bank)
        return tuple(dict.fromkeys((detector.fusion.name, *detector.fusions)))

    def score(
        self, images: Sequence[ShownImage], progress: Progress | None = None, bank: str | None = None
    ) -> list[str]:
        return self._comparing.score(images, progress, bank)

    def rows(self, ids: Iterable[str], bank: str | None = None) -> list[StoredRow]:
        """The results of these images, in this order; images that are not scored yet are left out."""
        return self._rows(states.require_state(self.workspace, bank), ids)

    # --- the threshold that people choose -------------------------------------------------------------

    def find_threshold(self, wanted: thresholds.Wanted, bank: str | None = None) -> thresholds.Found:
        return thresholds.find(self._comparing, self.workspace, bank, wanted)

    def choose_threshold(
        self, wanted: thresholds.Wanted, who: str, bank: str | None = None
    ) -> tuple[Choice, str]:
        return thresholds.choose(self._comparing, self.workspace, bank, wanted, who)

    def undo_threshold(self, who: str, bank: str | None = None) -> tuple[Choice, str]:
        return thresholds.undo(self._comparing, self.workspace, bank, who)

    # --- marks and outlines ---------------------------------------------------------------------------

    def why_not(self, id: str, bank: str | None = None) -> str:
        return marks.why_not(self.workspace, id, bank)

    def marks(self, id: str) -> list[Mark]:
        return marks.marks(self.workspace, id)

    def marked(self) -> set[str]:
        return marks.marked(self.workspace)

    def alarm(self, id: str) -> tuple[np.ndarray, str]:
        """The proposed mask of a false alarm, see `marks.alarm_region`."""
        compared = self.compare(id)
        return marks.alarm_region(compared.exdd, compared.image.label)

    def shown(self, id: str) -> tuple[np.ndarray, str]:
        """What the heatmap shows as a proposed mask, see `marks.shown_region`."""
        return marks.shown_region(self.compare(id).exdd)

    def mark_missed(self, id: str, mask: np.ndarray, who: str, defect_type: str = "") -> Decided:
        return marks.mark_missed(self.workspace, id, mask, who, defect_type)

    def mark_false_alarm(self, id: str, mask: np.ndarray | None, who: str) -> Decided:
        return marks.mark_false_alarm(self.workspace, id, mask, who)

    def outline(self, id: str, mask: np.ndarray | None, who: str) -> Changed:
        """Give an image a mask, see `outlining.keep`. mask: bool (H, W); None: what `shown` proposes."""
        region = self.shown(id)[0] if mask is None else mask
        return outlining.keep(self.workspace, id, region, who)

    def undo_outline(self, id: str, who: str) -> Changed:
        return outlining.undo(self.workspace, id, who)

    # --- exports --------------------------------------------------------------------------------------

    def export_table(self, ids: Iterable[str], bank: str | None = None) -> Path:
        """The results of these images as CSV, in this order; images that are not scored yet are left out."""
        state = states.require_state(self.workspace, bank)
        return export.write_table(self.workspace, state.version, self._rows(state, ids))

    def _rows(self, state: BankState, ids: Iterable[str]) -> list[StoredRow]:
        rows = self.results(state.version).rows(state.state)
        mm_per_pixel = scales.scale(self.workspace, state.version.dataset)
        return [self._present(rows[id], mm_per_pixel) for id in ids if id in rows]

    def _present(self, row: StoredRow, mm_per_pixel: float | None) -> StoredRow:
        """A row with the present label, type and scale of its image, which may have changed since it was scored."""
        with suppress(BadInput):  # the image may be gone
            image = self.image(row["id"])
            row = {**row, "truth": image.label, "defect_type": image.defect_type}
        if regions := row.get("regions"):
            row["regions"] = regions_of.scaled(regions, mm_per_pixel)
        return row

    def regions(self, compared: ComparedImage) -> list[RegionRow]:
        """The regions of a compared image, with areas in square millimetres where its data set has a scale."""
        mm_per_pixel = scales.scale(self.workspace, compared.bank.dataset)
        return regions_of.scaled(regions_of.region_rows(compared.exdd), mm_per_pixel)

    def export_coco(self, ids: Sequence[str], progress: Progress, bank: str | None = None) -> Path:
        """The regions of many images as COCO annotations."""
        version = states.require_state(self.workspace, bank).version

        def compare(id: str) -> ComparedImage:
            return self.compare(id, version.id)

        return export.write_regions(self.workspace, version, ids, compare, progress)

    def export_panes(self, id: str, bank: str | None = None) -> Path:
        """The panes of one image as PNG."""
        return export.write_image(self.workspace, self.compare(id, bank))

    def export_all(
        self, ids: Sequence[str], progress: Progress | None = None, bank: str | None = None
    ) -> Path:
        """The panes of many images and the table of their results as one zip file."""
        version = states.require_state(self.workspace, bank).version

        def compare(id: str) -> ComparedImage:
            return self.compare(id, version.id)

        return export.write_zip(self.workspace, version, ids, compare, progress or Progress())
