"""Curves of a stored run: ROC, precision and recall, histograms of scores, reliability diagrams, sweeps.

Knows stored runs and Plotly. Does not know pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.experiments import names
from exdd_core.later import metrics
from exdd_core.measurements import Reliability
from exdd_core.workspace.runs import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Readable on white and on black, and distinguishable with colour blindness.
COLOURS = {"patchcore": "#8a94a3", "exdd": "#4c78e6", "exdd_base": "#0f9d8a", "exdd_full": "#4c78e6"}
OTHERS = ("#c2700f", "#8f63e8", "#2a93c9", "#d0558f")
NORMAL, DEFECT = "#8a94a3", "#4c78e6"
BINS = 40  # of a histogram


def curves(run: Run) -> dict[str, go.Figure]:
    """{"roc", "pr": of all methods, "histogram METHOD": of each, "reliability", "patch_reliability"}.

    Scores are calibrated: 0 is the median of normal training images, 1 the threshold of the method. Curves
    are left out where a class is missing, and reliability where there are no probabilities. Raises BadInput
    for a run without scores of images, such as a sweep.
    """
    import plotly.graph_objects as go

    labels = labels_of(run)
    roc, pr = go.Figure(), go.Figure()
    both = labels.any() and not labels.all()
    figures = {"roc": roc, "pr": pr} if both else {}
    for name, colour in _colours(run).items():
        scores = np.array(run.result["calibrated"][name])
        given = {"name": names.short_title(name), "line": {"color": colour, "width": 2}, "mode": "lines"}
        if both:
            false, found, _ = metrics.roc_curve(labels, scores)
            precision, recall, _ = metrics.precision_recall_curve(labels, scores)
            roc.add_scatter(x=false, y=found, **given)
            pr.add_scatter(x=recall, y=precision, **given, line_shape="hv")
        doubt = run.result.get("doubt", {}).get(name, [])
        figures[f"histogram {name}"] = _histogram(scores, labels, doubt[0] if len(doubt) == 1 else None)
    _axes(roc, "share of normal images that are false alarms", "share of defects found")
    _axes(pr, "share of defects found", "share of defects among the alarms")
    for figure in (roc, pr):
        figure.update_xaxes(range=[-0.01, 1.01])
        figure.update_yaxes(range=[0, 1.02])
    known = {"reliability": (run.result.get("reliability"), "images")}
    known["patch_reliability"] = run.result.get("patch_reliability"), "patches"  # missing in older runs
    for name, (own, things) in known.items():
        if own:
            figures[name] = _reliability(run, own, things)
    return figures


def _reliability(run: Run, told: Mapping[str, Reliability], things: str) -> go.Figure:
    """A reliability diagram (Guo et al. 2017): predicted probability against the share of defects found.

    On the diagonal probabilities are exact. The size of a point grows with the logarithm of its number of
    things. told: by method.
    """
    import plotly.graph_objects as go

    figure, colours = go.Figure(), _colours(run)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": NORMAL, "dash": "dot"}, name="exact")
    for name, own in told.items():
        said, found, count = ([bin[key] for bin in own["bins"]] for key in ("said", "found", "count"))
        figure.add_scatter(
            x=said,
            y=found,
            mode="lines+markers",
            name=f"{names.short_title(name)}, ECE {100 * own['ece']:.1f}",
            line={"color": colours[name], "width": 2},
            marker={"size": [5 + 3 * math.log10(n) for n in count], "opacity": 0.7},
            text=[f"{n:,} {things}" for n in count],
        )
    _axes(figure, "stated probability of a defect", f"share of defects among these {things}")
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.05])
    return figure


def sweep_curves(run: Run) -> dict[str, go.Figure]:
    """Table 2 as a figure for each metric: mean and standard deviation over the seeds, and the paper's values.

    Raises BadInput for a run of another kind.
    """
    if run.kind != "sweep" or not run.result.get("methods"):
        raise BadInput(f'"{run.title}" is not a sweep with results; run one with "sweep".')
    return {metric: _sweep_curve(run, metric) for metric in names.METRIC_TITLES}


def _sweep_curve(run: Run, metric: str) -> go.Figure:
    import plotly.graph_objects as go

    counts = [int(count) for count in run.result["methods"]]
    mean, spread = (
        np.array([run.result[of][str(c)][metric] for c in counts], float) for of in ("methods", "deviation")
    )
    figure, several = go.Figure(), run.result.get("seeds", 1) > 1  # one draw has no deviation
    if several:
        figure.add_scatter(
            x=[*counts, *counts[::-1]],
            y=[*(mean + spread), *(mean - spread)[::-1]],
            fill="toself",
            mode="lines",
            line={"width": 0, "color": COLOURS["exdd"]},
            fillcolor="rgba(76,120,230,0.2)",
            name="one standard deviation",
            hoverinfo="skip",
        )
    line = {"color": COLOURS["exdd"], "width": 2}
    name = "ExDD, mean over seeds" if several else "ExDD, one draw"
    figure.add_scatter(x=counts, y=mean, name=name, mode="lines+markers", line=line)
    theirs = {count: values[metric] for count, values in names.PAPER_SWEEP.items() if metric in values}
    if theirs:
        figure.add_scatter(
            x=list(theirs),
            y=list(theirs.values()),
            name=f"the paper's, on {names.PAPER_DATASET}",
            mode="lines+markers",
            line={"color": NORMAL, "dash": "dot", "width": 2},
        )
    _axes(figure, "synthetic defects in the positive bank", names.METRIC_TITLES[metric])
    return figure


def _histogram(scores: np.ndarray, labels: np.ndarray, doubt: float | None) -> go.Figure:
    """The histogram of calibrated scores; the x axis always holds 0 and 1, with room to drag beyond all scores.

    scores: float (n,). labels: bool (n,). doubt: the score where "not sure" begins, which ends at the
    threshold; None where folds begin it at different scores.
    """
    import plotly.graph_objects as go

    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    edges = {"start": low, "end": high + 1e-6, "size": (high - low) / BINS + 1e-9}
    figure = go.Figure()
    for words, own, colour in (("normal", ~labels, NORMAL), ("defect", labels, DEFECT)):
        figure.add_histogram(x=scores[own], name=words, xbins=edges, marker_color=colour, opacity=0.75)
    figure.update_layout(barmode="overlay")
    _axes(figure, "score: 0 the median of normal images, 1 the method's own threshold", "images")
    most = max(np.histogram(scores[own], BINS, (low, high))[0].max() for own in (labels, ~labels))
    figure.update_yaxes(dtick=1 if most < 6 else None)  # few images: a tick for each
    if doubt is not None and doubt < 1:
        figure.add_vrect(
            x0=doubt, x1=1, line_width=0, fillcolor=NORMAL, opacity=0.25, layer="below",
            label={"text": "not sure", "textposition": "top right", "font": {"size": 11}},
        )  # fmt: skip
    room = 0.04 * (high - low)
    figure.update_xaxes(range=[low - room, high + room])
    return figure


def _axes(figure: go.Figure, x: str, y: str) -> None:
    """Name the axes. Colours and sizes are set in the browser (assets/evaluate/plots.js), light or dark."""
    figure.update_layout(template="none", xaxis_title=x, yaxis_title=y)


def labels_of(run: Run) -> np.ndarray:
    """bool (n,), True for defective images. Raises BadInput for a run without scores of images."""
    if not run.result.get("calibrated"):
        raise BadInput(f'"{run.title}" has no image scores; choose an evaluation.')
    return np.array([label == "defect" for label in run.result["per_image"]["label"]])


def _colours(run: Run) -> dict[str, str]:
    names = list(run.result["calibrated"])
    return {name: COLOURS.get(name, OTHERS[i % len(OTHERS)]) for i, name in enumerate(names)}
