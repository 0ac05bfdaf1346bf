"""Prints the figures of a measurement as tables and sentences.

Knows figures and how they are called. Does not know how anything is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from exdd_core.measurements import RunResult


def print_metrics(methods: Mapping[str, Mapping[str, float | None]], result: RunResult | None = None) -> None:
    """Print a table of figures. result: of the same measurement, which explains missing figures."""
    from exdd_core.experiments import METRIC_TITLES, NO_MASKS, title, without_masks

    titled = {title(name): values for name, values in methods.items()}
    width = max(map(len, titled)) + 2
    print(" " * width + "".join(f"{metric:>13}" for metric in METRIC_TITLES.values()))
    for name, values in titled.items():
        shown = []
        for metric in METRIC_TITLES:
            cell = values.get(metric)
            missing = NO_MASKS if without_masks(result or {}, metric) else "-"
            shown.append(missing if cell is None or math.isnan(cell) else f"{cell:.4f}")
        print(f"{name:<{width}}" + "".join(f"{cell:>13}" for cell in shown))


def print_recall(result: RunResult) -> None:
    """Print the recall by type of defect, at the wanted false-alarm rate and at each method's own threshold."""
    from exdd_core.experiments import short_title

    at_rate, at_threshold = result.get("at_rate", {}), result.get("at_threshold", {})
    rate = f"at {result.get('rate', 0):.1%} false alarms"
    for words, methods in ((rate, at_rate), ("at its own threshold", at_threshold)):
        for name, found in methods.items():
            counts = [f"{kind or 'defect'} {n['found']}/{n['count']}" for kind, n in found["types"].items()]
            kinds = f"found {', '.join(counts)}; " if counts else ""
            alarms = f"false alarms {found['false_alarms']}/{found['normal']}"
            print(f"{short_title(name)} {words}: {kinds}{alarms}")
    _print_regions(result)
    _print_calibration(result)
    print_notes(result)


def _print_regions(result: RunResult) -> None:
    """Print the regions of masks that are found, and false regions an image, at each method's own threshold."""
    from exdd_core.experiments import short_title

    for name, n in result.get("regions", {}).items():
        if n["count"]:
            print(
                f"{short_title(name)} at its own threshold: found {n['found']}/{n['count']} mask regions; "
                f"{n['false'] / n['images']:.2f} false regions per image"
            )


def _print_calibration(result: RunResult) -> None:
    """Print the expected calibration errors of image and patch probabilities, in percentage points."""
    from exdd_core.experiments import short_title

    for name, images in result.get("reliability", {}).items():
        patches = result.get("patch_reliability", {}).get(name)
        more = f", for patches by {100 * patches['ece']:.1f}" if patches else ""
        print(
            f"{short_title(name)}: probabilities for images are off by {100 * images['ece']:.1f} points (ECE){more}"
        )


def print_notes(result: RunResult) -> None:
    for sentence in result.get("notes", ()):
        print(sentence)


def print_differences(result: RunResult) -> None:
    from exdd_core.experiments import METRIC_TITLES, title, without_masks

    print("Differences with 95 % intervals and p-values, from resampled parts:")
    for item in result["comparisons"]:
        wanted = item["metric"] in ("image_auroc", "pixel_auroc")
        if wanted and not without_masks(result, item["metric"]):
            what = f"{title(item['method'])} - {title(item['against'])}"
            interval = f"[{item['low']:+.4f}, {item['high']:+.4f}]"
            print(
                f"{what}, {METRIC_TITLES[item['metric']]}: "
                f"{item['difference']:+.4f} {interval}, {_p(item['p'])}"
            )


def _p(value: float | None) -> str:
    return "too few parts for a p-value" if value is None or math.isnan(value) else f"p = {value:.3f}"
