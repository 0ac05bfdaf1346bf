"""Computes the integrity report of a data set again after a change.

The report keeps what concerns the sources (files left out, turned masks, notes); images and masks are read again.
Knows rows, records and reports. Does not know the change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from exdd_core import images
from exdd_core.datasets import integrity
from exdd_core.datasets.record import Question, Record
from exdd_core.datasets.reports import Report
from exdd_core.datasets.survey import DIFFER, LeftOut, Survey, of_two_depths
from exdd_core.datasets.tree import Tree
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.workspace import imports
from exdd_core.workspace.columns import DatasetColumns, ImageColumns

OF_DEPTH = "Images of more than 8 bits are read with "  # how the note begins that is written again


def record_of(row: ImageColumns) -> Record:
    """An image's row as a record. It names an unusable mask, too, so that the report lists it again."""
    mask = row["mask"] or next(iter(mask_files(row)), None)
    return Record(row["path"], row["label"], row["defect_type"], mask, row["split"], row["group"])


def mask_files(row: ImageColumns) -> list[str]:
    """The imported files of an image's mask, in its data set's folder."""
    if row["originals"]:
        return list(json.loads(row["originals"]))
    return [row["mask"]] if row["mask"] else []


def size_of(row: DatasetColumns) -> Size:
    return Size(row["width"], row["height"], bool(row["keep_aspect"]))


def depth_of(row: DatasetColumns) -> Depth | None:
    return Depth.parse(row["depth"]) if row["depth"] else None


def renewed(
    folder: Path,
    info: DatasetColumns,
    rows: Sequence[ImageColumns],
    progress: Progress,
    more: Survey | None = None,
    unusable: Mapping[str, str] | None = None,
) -> Report:
    """The report of a data set for its images' rows, of which none is retired.

    info: its row, with the former report. more: the survey of a source that joined. unusable: image -> why its mask
    could not be written.
    """
    old: Report = json.loads(info["report"])
    records = [record_of(row) for row in rows]
    records += _unreadable(old, {record.path for record in records})
    without = {row["path"] for row in rows if not row["mask"]}
    known = {
        item["path"]: item["reason"]
        for item in (*old["masks"]["wrong_size"], *old["masks"]["unreadable"])
        if item["path"] in without and not item["reason"].endswith(" pixels")
    }
    found = _survey(folder, info, old, records, more)
    report = integrity.check(folder, records, progress, found, {**known, **(unusable or {})}, size_of(info))
    imports.name_unreadable(report, records)
    report["choices"], report["doubts"] = old.get("choices", {}), found.doubts
    return report


def _unreadable(old: Report, there: set[str]) -> list[Record]:
    """The unreadable images, which have no row."""
    return [
        Record(item["path"], item["label"], item["defect_type"], None, item["split"], item["group"])
        for item in old["unreadable"]
        if "label" in item and item["path"] not in there
    ]


def _survey(
    folder: Path, info: DatasetColumns, old: Report, records: Sequence[Record], more: Survey | None
) -> Survey:
    """The surveys of all sources of a data set in one."""
    there = {record.path for record in records}
    left = [
        LeftOut(item["folder"], item["reason"], paths, item["serious"])
        for item in old.get("left_out", ())
        if (paths := tuple(path for path in item["paths"] if path not in there))
    ]
    told = {one.sentence for one in left} | {old.get("mask_rule", {}).get("sentence")}
    notes = [note for note in old.get("notes", ()) if note not in told and not note.startswith(OF_DEPTH)]
    depth = depth_of(info)
    before = old.get("depth")
    clipped = before["clipped"] if before else {}
    if depth is not None and (before is None or str(depth) != before["value"]):
        clipped = beyond(folder, [record.path for record in records], depth)
    found = Survey(
        Tree(folder),
        list(records),
        left,
        [Question(**question) for question in old.get("questions", ())],
        notes,
        _rule(info, old),
        depth,
        {path: share for path, share in clipped.items() if path in there},
        {path: how for path, how in old.get("masks_turned", {}).items() if path in there},
        {path: pages for path, pages in old.get("several_pages", {}).items() if path in there},
        [path for path in old.get("masks_of_normal", ()) if path in there],
        old.get("doubts", []),
    )
    found = _with(found, more) if more is not None else found
    doubts = [doubt for doubt in found.doubts if DIFFER not in doubt]
    return replace(found, doubts=[*doubts, *mixed_depths(folder, found)])


def mixed_depths(folder: Path, found: Survey) -> list[str]:
    """Sentences on images of 8 bits among images of more; none where all are alike."""
    if found.depth is None:
        return []
    shallow: list[str] = []
    deep: list[str] = []
    for record in found.records:
        with suppress(BadInput):
            told = images.header(folder / record.path, record.path)
            (deep if told.deep else shallow).append(record.path)
    return of_two_depths(deep, shallow)


def _rule(info: DatasetColumns, old: Report) -> MaskRule:
    rule = MaskRule.parse(info["mask_rule"]) if info["mask_rule"] else MaskRule()
    kept = old.get("mask_rule", {})
    return replace(rule, title=kept["title"]) if kept.get("rule") == str(rule) and "title" in kept else rule


def _with(found: Survey, more: Survey) -> Survey:
    left = {(one.folder, one.reason): one for one in (*found.left_out, *more.left_out)}
    asked = {question.folder: question for question in (*found.questions, *more.questions)}
    return replace(
        found,
        left_out=list(left.values()),
        questions=list(asked.values()),
        notes=list(dict.fromkeys([*found.notes, *more.notes])),
        clipped={**found.clipped, **more.clipped},
        turned={**found.turned, **more.turned},
        several_pages={**found.several_pages, **more.several_pages},
        doubts=list(dict.fromkeys([*found.doubts, *more.doubts])),
        masks_of_normal=list(dict.fromkeys([*found.masks_of_normal, *more.masks_of_normal])),
    )


def beyond(folder: Path, paths: Sequence[str], depth: Depth) -> dict[str, float]:
    """Image -> the share of its pixels whose values exceed a depth, for images that have any."""
    found = {}
    for path in paths:
        with suppress(BadInput):
            values = images.read_deep(folder / path, path)
            if values is not None and (share := depth.beyond(values)):
                found[path] = share
    return found
