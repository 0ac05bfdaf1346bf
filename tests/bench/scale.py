"""How the coreset grows: 10^4 to 4 x 10^6 rows to 1 %, by us, by the products it is made of, and by anomalib.

Rows are synthetic, 128 numbers each, as they are after the projection; half precision from a million on. Every figure
comes from a process of its own, which says its peak of memory above that before the selection. The floor is the time
of size x rows products of 128 numbers at the speed of float32 matrix products in the same process; the ratio to it is
one of processor time, so that a busy machine slows both. What would take longer than is left is not begun.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import torch

from exdd_core.detector import greedy
from exdd_core.detector.coreset import select

ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 4_000_000)
WIDTH, SHARE = 128, 100
MOST_SECONDS = 600  # of all of it
EACH = {"ours": 480, "anomalib": 180, "plain": 60}  # seconds, with the imports
HALF_FROM = 1_000_000


class Figure(TypedDict):
    """One selection. seconds: on the clock; cpu, floor: of processor time. radius: None where it was not computed."""

    who: str
    rows: int
    picked: int
    seconds: float
    cpu: float
    floor: float
    added_mb: float
    first: int
    radius: float | None
    same_as_plain: NotRequired[float]


def synthetic(count: int, seed: int = 0) -> torch.Tensor:
    """60 clusters, 16 directions of variation and noise: float32 or float16 (count, WIDTH)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    middles, ways = 3 * draw(60, WIDTH), draw(16, WIDTH)
    out = torch.empty(count, WIDTH, dtype=torch.float16 if count >= HALF_FROM else torch.float32)
    for part in out.split(65_536):
        kind = torch.randint(60, (len(part),), generator=generator)
        part.copy_(middles[kind] + draw(len(part), 16) @ ways + 0.3 * draw(len(part), WIDTH))
    return out


def products_per_second() -> float:
    """Multiplications and additions per second of processor time in matrix products of float32."""
    a, b, out = torch.randn(4096, WIDTH), torch.randn(256, WIDTH), torch.empty(4096, 256)
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(20):
            torch.mm(a, b.T, out=out)
        best = max(best, 20 * a.numel() * len(b) / (time.process_time() - began))
    return best


def plain(rows: torch.Tensor, size: int, first: int) -> np.ndarray:
    """The plain algorithm: all rows are compared with every pick."""
    points, picked = rows.float() - rows.mean(0), [first]
    nearest = torch.full((len(points),), torch.inf)
    while len(picked) < size:
        torch.minimum(nearest, greedy.distances(points, points[picked[-1:]])[:, 0], out=nearest)
        nearest[picked[-1]] = -1
        picked.append(int(nearest.argmax()))
    return np.array(picked)


def radius_of(rows: torch.Tensor, picked: np.ndarray) -> float:
    """Largest distance of a row to its nearest picked one."""
    points = rows[torch.from_numpy(picked)].float()
    return max(float(torch.cdist(part.float(), points).amin(1).max()) for part in rows.split(2048))


def forget_peak() -> None:
    """Let Linux count the peak of this process's memory from here on."""
    Path("/proc/self/clear_refs").write_text("5")


def resident(name: str) -> float:
    """Memory of this process in MB: VmRSS, what it has; VmHWM, its peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def child(who: str, count: int) -> None:
    """One selection in this process; its figure is the last line of standard output."""
    rows, size = synthetic(count), count // SHARE
    first = int(torch.randint(count, (1,), generator=torch.Generator().manual_seed(0)))
    select(rows[:3000], 30)
    speed = products_per_second()
    forget_peak()
    before = resident("VmRSS")
    began, cpu = time.monotonic(), time.process_time()
    if who == "ours":
        picked = select(rows, size)
    elif who == "plain":
        picked = plain(rows, size, first)
    else:
        from anomalib.models.components import KCenterGreedy

        began, cpu = time.monotonic(), time.process_time()
        picked = np.array(KCenterGreedy(rows.float(), 1 / SHARE).select_coreset_idxs())
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    added = resident("VmHWM") - before
    speed = max(speed, products_per_second())
    figure: Figure = {
        "who": who,
        "rows": count,
        "picked": len(picked),
        "seconds": seconds,
        "cpu": cpu,
        "floor": count * size * WIDTH / speed,
        "added_mb": added,
        "first": int(picked[0]),
        "radius": radius_of(rows, picked) if count <= 300_000 else None,
    }
    if who == "ours" and count <= 100_000:
        figure["same_as_plain"] = float((picked == plain(rows, size, first)).mean())
    print(json.dumps(figure))


def measured(who: str, count: int, seconds: float) -> Figure | None:
    """The figure of a process that is ended after so many seconds; None where it was, or where it failed."""
    code = f"from tests.bench import scale; scale.child({who!r}, {count})"
    try:
        asked = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=seconds, check=True
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        print(f"{who}, {count:,} rows: {error}", flush=True)
        return None
    found: Figure = json.loads(asked.stdout.splitlines()[-1])
    return found


def line(figure: Figure) -> str:
    radius = f"{figure['radius']:.4f}" if figure["radius"] is not None else "-"
    same = f"{figure['same_as_plain']:.0%}" if "same_as_plain" in figure else "-"
    ratio = figure["cpu"] / figure["floor"]
    return (
        f"| {figure['who']} | {figure['rows']:,} | {figure['seconds']:.2f} | {figure['cpu']:.2f} | {ratio:.2f} "
        f"| {figure['added_mb']:.0f} | {radius} | {same} |"
    )


def plot(figures: list[Figure], file: Path) -> None:
    """Processor time over rows, both logarithmic, into an HTML file that needs no network."""
    import plotly.graph_objects as go

    chart = go.Figure()
    for who in EACH:
        own = [f for f in figures if f["who"] == who]
        chart.add_scatter(
            x=[f["rows"] for f in own], y=[f["cpu"] for f in own], name=who, mode="lines+markers"
        )
    ours = [f for f in figures if f["who"] == "ours"]
    for times in (1, 3):
        y = [times * f["floor"] for f in ours]
        chart.add_scatter(x=[f["rows"] for f in ours], y=y, name=f"{times} x products", line={"dash": "dot"})
    chart.update_xaxes(type="log", title="rows")
    chart.update_yaxes(type="log", title="processor seconds for 1 %")
    chart.write_html(file, include_plotlyjs=True)


def main(options: argparse.Namespace) -> None:
    began, figures = time.monotonic(), list[Figure]()
    print("| | rows | s | cpu s | cpu / products | MB added | radius | same picks as the plain algorithm |")
    print("|---|---|---|---|---|---|---|---|")
    stopped: set[str] = set()
    file = Path(options.json) if options.json else Path(options.out) / "scale.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for count in ROWS:
        for who, most in EACH.items():
            left = MOST_SECONDS - (time.monotonic() - began)
            if who in stopped or left < 5:
                continue
            figure = measured(who, count, min(most, left))
            if figure is None:  # with more rows it takes longer
                stopped.add(who)
                continue
            figures.append(figure)
            print(line(figure), flush=True)
            machine: dict[str, object] = {"cores": os.cpu_count(), "threads": torch.get_num_threads()}
            machine |= {
                "torch": torch.__version__,
                "load": os.getloadavg(),
                "processor": platform.processor(),
            }
            file.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    plot(figures, file.with_suffix(".html"))
    print(f"written to {file} and {file.with_suffix('.html')}")
