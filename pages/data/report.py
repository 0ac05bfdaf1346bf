"""The integrity report of a data set as HTML: its sentences, and every file that they concern.

Knows the reports of `integrity.check` and `Survey.to_report`. Does not know how they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from exdd_core.sentences import count
from pages import html
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.datasets.reports import Fault, LeftOutRow, Twins
    from exdd_core.workspace import DatasetInfo

PAIRS_SHOWN = 12


def report_html(info: DatasetInfo) -> str:
    """The integrity report: its sentences, then every file that they concern."""
    report = info.report
    verdict = "✓ No problems found" if report["healthy"] else "! Needs attention"
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in report["sentences"])
    return f"""<div class="card padded"><h3 class="card-title">Integrity of {text(info.called)}</h3>
<p class="lead">{verdict}</p><ul class="sentences">{sentences}</ul>{_files_html(info)}</div>"""


def _files_html(info: DatasetInfo) -> str:
    report, masks = info.report, info.report["masks"]
    lists: list[tuple[str, Sequence[str | Fault]]] = [
        ("Cannot be read", report["unreadable"]),
        ("Same value everywhere", report.get("blank", [])),
        ("Defect without a mask", masks["missing"]),
        ("Empty mask", masks["empty"]),
        ("Mask of another size", masks["wrong_size"]),
        ("Mask cannot be used", masks["unreadable"]),
        ("Mask that seems inverted", masks.get("inverted", [])),
        ("Mask that marks most of its image", masks.get("covering", [])),
        ("Smaller than a patch", masks.get("small", [])),
        ("Normal, but with a mask that marks a defect", report.get("masks_of_normal", [])),
        ("Only the first page is read", list(report.get("several_pages") or {})),
    ]
    parts = [_file_list(f"{title}: {count(len(files), 'image')}", files) for title, files in lists if files]
    left = [_left_out_html(row) for row in report.get("left_out", [])]
    parts += left
    pairs = report["near_duplicates"]["listed"]
    if pairs:
        shown = "".join(_pair_html(info.name, pair) for pair in pairs[:PAIRS_SHOWN])
        more = f", the first {PAIRS_SHOWN}" if len(pairs) > PAIRS_SHOWN else ""
        title = f"Possibly the same part: {count(len(pairs), 'pair')} of groups{more}"
        parts.append(f'<details class="files"><summary>{title}</summary>{shown}</details>')
    return "".join(parts)


def _left_out_html(row: LeftOutRow) -> str:
    where = f"{row['folder']}/" if row["folder"] else "the folder itself"
    title = f"Left out of {where}: {count(row['count'], 'file')}"
    return _file_list(title, [{"path": path, "reason": row["reason"]} for path in row["paths"]])


def _file_list(title: str, files: Sequence[str | Fault]) -> str:
    items = "".join(
        f"<li>{text(file)}</li>"
        if isinstance(file, str)
        else f"<li>{text(file['path'])}: {text(file['reason'])}</li>"
        for file in files
    )
    return f'<details class="files"><summary>{text(title)}</summary><ul>{items}</ul></details>'


def _pair_html(dataset: str, pair: Twins) -> str:
    pictures = "".join(
        f'<a href="{html.inspect_url(f"{dataset}/{path}")}" title="{text(path)}"><img loading="lazy"'
        f' src="{html.thumbnail_url(f"{dataset}/{path}")}" alt="{text(path)}"></a>'
        for path in pair["images"]
    )
    where = "one in training, one in test" if pair["across_split"] else "on the same side of the split"
    names = " and ".join(PurePosixPath(path).name for path in pair["images"])
    return f'<div class="pair">{pictures}<p class="aside">{text(names)}: {where}</p></div>'
