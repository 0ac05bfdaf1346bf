"""A stored measurement as something to hand on: curves, one HTML file that opens offline, and the paper's Figure 2.

Every number comes from the stored run; pictures come from the data set's images and, in Figure 2, from the bank
versions that the run names. Knows runs and the workspace's images. Does not measure anything.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.metrics import precision_recall_curve, roc_curve

from exdd_core import images, reports, runs, tables
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.runs import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from exdd_core.workspace import ImageRow, Workspace

COLOURS = {"patchcore": "#6b7280", "exdd": "#1d4ed8", "exdd_base": "#0f9d8a", "exdd_full": "#1d4ed8"}
OTHERS = ("#b45309", "#7c3aed", "#0369a1", "#be185d")
GALLERY = (
    60  # images of each kind and method that can become a miss or a false alarm when the line is dragged
)
THUMBNAIL, PANE = 160, 260  # pixels of the longer side
TEMPLATE = Path(__file__).resolve().parent.parent / "assets" / "report.html"


def curves(run: Run) -> dict[str, go.Figure]:
    """{"roc", "pr"} of all methods, and "histogram METHOD" of each, as plotly figures.

    Scores are calibrated: 0 is the median of normal training images, 1 the method's threshold. Raises BadInput for a
    run without scores of images, as a sweep's.
    """
    import plotly.graph_objects as go

    labels = _labels(run)
    roc, pr = go.Figure(), go.Figure()
    figures = {"roc": roc, "pr": pr}
    for name, colour in _colours(run).items():
        scores = np.array(run.result["calibrated"][name])
        line = {"color": colour, "width": 2}
        if labels.any() and not labels.all():
            false, found, _ = roc_curve(labels, scores)
            precision, recall, _ = precision_recall_curve(labels, scores)
            roc.add_scatter(x=false, y=found, name=_title(name), line=line, mode="lines")
            pr.add_scatter(
                x=recall, y=precision, name=_title(name), line={**line, "shape": "hv"}, mode="lines"
            )
        figures[f"histogram {name}"] = _histogram(scores, labels)
    _axes(roc, "false alarms, share of normal images", "defects found, share")
    _axes(pr, "defects found, share (recall)", "share of alarms that are defects (precision)")
    for figure in (roc, pr):
        figure.update_xaxes(range=[-0.01, 1.01])
        figure.update_yaxes(range=[0, 1.02])
    return figures


def sweep_curve(run: Run, metric: str = "image_auroc") -> go.Figure:
    """Table 2 as a line with a band of one standard deviation over the seeds. Raises BadInput for another run."""
    import plotly.graph_objects as go

    if run.kind != "sweep" or not run.result.get("methods"):
        raise BadInput(f'"{run.title}" is no finished sweep; measure one with "sweep".')
    counts = run.result["counts"]
    mean = np.array([run.result["methods"][str(c)][metric] for c in counts], float)
    spread = np.array([run.result["deviation"][str(c)][metric] for c in counts], float)
    figure = go.Figure()
    band = {"x": [*counts, *counts[::-1]], "y": [*(mean + spread), *(mean - spread)[::-1]]}
    figure.add_scatter(
        **band, fill="toself", line={"width": 0}, fillcolor="rgba(29,78,216,0.15)", showlegend=False
    )
    figure.add_scatter(x=counts, y=mean, name="ExDD", mode="lines+markers", line={"color": COLOURS["exdd"]})
    _axes(figure, "synthetic defects in the positive bank", tables.METRIC_TITLES[metric])
    return figure


def _histogram(scores: np.ndarray, labels: np.ndarray) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    edges = {
        "start": float(scores.min()),
        "end": float(scores.max()) + 1e-6,
        "size": max(float(np.ptp(scores)), 1e-6) / 40,
    }
    for words, own, colour in (("normal", ~labels, "#2e7d32"), ("defect", labels, "#c62828")):
        figure.add_histogram(x=scores[own], name=words, xbins=edges, marker_color=colour, opacity=0.6)
    figure.update_layout(barmode="overlay")
    figure.add_shape(type="line", x0=1, x1=1, y0=0, y1=1, yref="paper", line={"color": "#111827", "width": 3})
    _axes(figure, "score (0 median normal, 1 threshold)", "images")
    return figure


def _axes(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        template="plotly_white",
        height=360,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        xaxis_title=x,
        yaxis_title=y,
        legend={"orientation": "h", "y": 1.12},
    )


def write_html(workspace: Workspace, run: Run, path: Path, progress: Progress | None = None) -> None:
    """One file with tables, curves and galleries that needs no network. Raises BadInput where it cannot be made."""
    from plotly.offline import get_plotlyjs

    figures = {"sweep": sweep_curve(run)} if run.kind == "sweep" else curves(run)
    galleries = {} if run.kind == "sweep" else _galleries(run)
    wanted = sorted(
        {item["id"] for gallery in galleries.values() for kind in gallery.values() for item in kind}
    )
    data = {
        "figures": {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        "galleries": galleries,
        "scores": run.result.get("calibrated", {}),
        "labels": run.result.get("per_image", {}).get("label", []),
        "titles": {name: _title(name) for name in run.result["methods"]},
        "thumbnails": _thumbnails(workspace, wanted, progress or Progress()),
    }
    filled = {
        "TITLE": html.escape(run.title),
        "TABLES": "".join(_tables(run)),
        "RECORD": html.escape(json.dumps({"spec": run.spec, "libraries": run.result["libraries"]}, indent=2)),
        "MADE": html.escape(f"Measured {run.created} in {run.seconds:.0f} s, kept as {run.id}."),
        "AGAIN": html.escape(f"python -m exdd_core runs rerun {run.id} --workspace {workspace.path}"),
        "DATA": json.dumps(runs.strict(data)).replace("</", "<\\/"),
        "PLOTLY": get_plotlyjs(),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for key, value in filled.items():  # PLOTLY comes last: what it holds is not searched again
        text = text.replace(f"@@{key}@@", value)
    path.write_text(text, encoding="utf-8")


def _tables(run: Run) -> list[str]:
    result = run.result
    intervals = result.get("intervals", {})
    head = ["", *tables.METRIC_TITLES.values()]

    def cell(name: str, metric: str) -> str:
        value, ends = result["methods"][name].get(metric), intervals.get(name, {}).get(metric, [None, None])
        if value is None:
            return "-"
        return f"{100 * value:.1f}" + (
            f" <small>{100 * ends[0]:.1f} to {100 * ends[1]:.1f}</small>" if ends[0] is not None else ""
        )

    rows = [[_title(name), *(cell(name, m) for m in tables.METRIC_TITLES)] for name in result["methods"]]
    made = [_table("Figures in percent, with 95 % intervals (parts resampled)", head, rows)]
    if run.kind == "table1":
        paper = [
            [tables.TITLES[name], *(f"{100 * v[m]:.1f}" if m in v else "-" for m in tables.METRIC_TITLES)]
            for name, v in tables.PAPER.items()
        ]
        made.append(
            _table(f"The paper's own figures on {tables.PAPER_DATASET}, not measured here", head, paper)
        )
    if result.get("comparisons"):
        pairs = [
            [
                f"{_title(c['method'])} minus {_title(c['against'])}",
                tables.METRIC_TITLES[c["metric"]],
                "-" if c["difference"] is None else f"{100 * c['difference']:+.1f}",
                "-" if c["low"] is None else f"{100 * c['low']:+.1f} to {100 * c['high']:+.1f}",
                "too few parts" if c["p"] is None else f"{c['p']:.3f}",
            ]
            for c in result["comparisons"]
        ]
        made.append(
            _table("Differences in points", ["", "figure", "difference", "95 % interval", "p"], pairs)
        )
    for key, words in (
        ("at_rate", f"at {result.get('rate', 0):.1%} false alarms"),
        ("at_threshold", "at the methods' own thresholds"),
    ):
        found = [
            [
                _title(name),
                html.escape(kind or "defect"),
                f"{n['found']} of {n['count']}",
                f"{at['false_alarms']} of {at['normal']}",
            ]
            for name, at in result.get(key, {}).items()
            for kind, n in at["types"].items()
        ]
        if found:
            made.append(_table(f"Defects found {words}", ["", "type", "found", "false alarms"], found))
    return [*(f"<p>{html.escape(sentence)}</p>" for sentence in result.get("notes", [])), *made]


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{word}</th>" for word in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{html.escape(caption)}</h2><table><tr>{top}</tr>{body}</table>"


def _galleries(run: Run) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """{method: {"defect": the lowest scores first, "normal": the highest first}}: what a dragged line can turn over."""
    ids, labels = run.result["per_image"]["id"], run.result["per_image"]["label"]
    made = {}
    for name, scores in run.result["calibrated"].items():
        every = sorted(zip(scores, ids, labels, strict=True))
        low = [{"id": id, "score": s} for s, id, label in every if label == "defect"]
        high = [{"id": id, "score": s} for s, id, label in reversed(every) if label == "normal"]
        made[name] = {"defect": low[:GALLERY], "normal": high[:GALLERY]}
    return made


def _thumbnails(workspace: Workspace, ids: Sequence[str], progress: Progress) -> dict[str, str]:
    """{image id: data URI} with the defect outlined; an image that is gone is left out."""
    made = {}
    progress.begin("Making small pictures", len(ids))
    for id in ids:
        progress.advance()
        try:
            row = workspace.image(id)
            picture = _with_truth(row, THUMBNAIL)
        except BadInput:
            continue
        made[id] = "data:image/jpeg;base64," + base64.b64encode(images.encode_jpeg(picture)).decode()
    return made


def _with_truth(row: ImageRow, longest: int) -> np.ndarray:
    image = images.read_image(row.path)
    small = reports.reduce(image, longest)
    if row.mask is None:
        return small
    lines = reports.outline(images.read_mask(row.mask, image.shape[:2]))
    return reports.outlined(small, lines, small.shape[1] / image.shape[1])


def disagreements(run: Run, count: int) -> list[str]:
    """Ids of the images on which the methods' calibrated scores lie farthest apart, the farthest first.

    Scores beyond the colour scale count as its end: how normal "normal" is makes no difference.
    """
    _labels(run)
    scores = np.clip(np.array(list(run.result["calibrated"].values())), *reports.CALIBRATED)
    order = np.argsort(-np.ptp(scores, axis=0), kind="stable")[:count]
    return [run.result["per_image"]["id"][i] for i in order]


def figure_two(workspace: Workspace, run: Run, ids: Sequence[str] = (), count: int = 4) -> np.ndarray:
    """Rows of image, truth, and each method's heatmap, as one sheet uint8 (H, W, 3).

    ids: of images; none chooses the `count` of largest disagreement. All heatmaps share one scale, 0 the median of
    normals and 1 the threshold. Raises BadInput for a run that names no bank version.
    """
    names = {
        "exdd": run.spec.get("bank"),
        "exdd_base": run.spec.get("base"),
        "exdd_full": run.spec.get("full"),
    }
    banks = {name: bank for name, bank in names.items() if bank}
    if not banks:
        raise BadInput(f'"{run.title}" names no bank version; make the figure of Table 1 or of a test split.')
    detectors = {name: workspace.detector(bank) for name, bank in banks.items()}
    fusion = run.spec.get("fusion")
    if fusion:
        detectors = {name: detector.with_fusion(fusion) for name, detector in detectors.items()}
    detectors = {"patchcore": next(iter(detectors.values())).patchcore(), **detectors}
    titles = ["Image", "Truth", *(_title(name).split(" (")[0] for name in detectors)]
    sheet_rows = []
    for id in ids or disagreements(run, count):
        row = workspace.image(id)
        image = images.read_image(row.path)
        small = reports.reduce(image, PANE)
        truth = (
            np.zeros(image.shape[:2], bool)
            if row.mask is None
            else images.read_mask(row.mask, image.shape[:2])
        )
        drawn = Image.fromarray(np.where(truth, 255, 0).astype(np.uint8)).resize(small.shape[1::-1])
        panes = [small, np.repeat(np.asarray(drawn)[..., None], 3, 2)]
        for detector in detectors.values():
            heat = reports.heatmap(reports.small_map(detector.score([row.path])[0], max(small.shape[:2])))
            panes.append(np.asarray(Image.fromarray(heat[..., :3]).resize(small.shape[1::-1])))
        sheet_rows.append((id, panes))
    return _sheet(titles, sheet_rows)


def _sheet(titles: Sequence[str], rows: Sequence[tuple[str, list[np.ndarray]]]) -> np.ndarray:
    gap, top = 8, 28
    widths = max(max(pane.shape[1] for _, panes in rows for pane in panes), 120)
    heights = [panes[0].shape[0] + 20 for _, panes in rows]
    size = (gap + len(titles) * (widths + gap), top + sum(heights) + gap * len(rows))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, words in enumerate(titles):
        draw.text((gap + column * (widths + gap), 8), words, fill="black", font=reports.font(14))
    y = top
    for (id, panes), height in zip(rows, heights, strict=True):
        for column, pane in enumerate(panes):
            sheet.paste(Image.fromarray(pane), (gap + column * (widths + gap), y))
        draw.text((gap, y + height - 18), id, fill="#60646c", font=reports.font(11))
        y += height + gap
    return np.asarray(sheet)


def write_figure(sheet: np.ndarray, path: Path) -> None:
    """As PNG or PDF, by the name's ending. Raises BadInput for another."""
    kind = {".png": "PNG", ".pdf": "PDF"}.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path.name} is neither a .png nor a .pdf file; name one of these.")
    Image.fromarray(sheet).save(path, format=kind, resolution=150.0)


def _labels(run: Run) -> np.ndarray:
    if not run.result.get("calibrated"):
        raise BadInput(f'"{run.title}" keeps no scores of images; choose an evaluation.')
    return np.array([label == "defect" for label in run.result["per_image"]["label"]])


def _colours(run: Run) -> dict[str, str]:
    names = list(run.result["calibrated"])
    return {name: COLOURS.get(name, OTHERS[i % len(OTHERS)]) for i, name in enumerate(names)}


def _title(name: str) -> str:
    return tables.TITLES.get(name, name)
