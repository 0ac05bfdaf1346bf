"""The detector's steps of the GPU benchmark: coreset, backbones, search and scoring, on synthetic features.

Knows nothing of deadlines or of the file that figures go to.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch

from exdd_core.detector import Detector, Settings, backbones, patch_network, patches
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.coreset import greedy_coreset, project
from exdd_core.detector.examples import PatchSet
from exdd_core.detector.flat_search import faiss_searches
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.images import Size
from exdd_core.progress import Progress
from tests.bench.gpu_measuring import GB, Figures, Sizes, device, release, repeated, timed

NEIGHBOURS = 5  # as many as the detector asks for
QUERIES_AT_ONCE, SPARE = 8192, 16
MOST_PLAIN = 1_000_000  # rows; at 3 TB/s KSDD2 would take the plain algorithm 40 seconds

# --- the coreset ----------------------------------------------------------------------------------


def synthetic(rows: int, dimension: int, seed: int) -> torch.Tensor:
    """Synthetic features, float32 on the device: 60 clusters, 16 directions of variation, noise."""
    generator = torch.Generator(device()).manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device())

    middles, ways = 3 * draw(60, dimension), draw(16, dimension)
    out = torch.empty(rows, dimension, device=device())
    for start in range(0, rows, 65_536):
        count = min(65_536, rows - start)
        kind = torch.randint(60, (count,), generator=generator, device=device())
        part = out[start : start + count]
        torch.addmm(middles[kind], draw(count, 16), ways, out=part)
        part += 0.3 * draw(count, dimension)
    return out


def radius_of(rows: torch.Tensor, points: torch.Tensor) -> float:
    """Largest distance of any row to its nearest point: every product there is, in float32."""
    largest = 0.0
    for part in rows.split(16_384):
        nearest = torch.full((len(part),), torch.inf, device=rows.device)
        for some in points.split(16_384):
            torch.minimum(nearest, torch.cdist(part, some).min(1).values, out=nearest)
        largest = max(largest, float(nearest.max()))
    return largest


def insertions(points: torch.Tensor) -> torch.Tensor:
    """Distance of every picked row to the nearest that was picked before it; infinite for the first."""
    out = torch.full((len(points),), torch.inf, device=points.device)
    for start in range(0, len(points), 8192):
        part = points[start : start + 8192]
        found = torch.cdist(part, points[: start + len(part)])
        later = torch.arange(start + len(part), device=points.device)[None] >= torch.arange(
            start, start + len(part), device=points.device
        ).unsqueeze(1)
        out[start : start + len(part)] = found.masked_fill_(later, torch.inf).min(1).values
    return out


def plain_greedy(rows: torch.Tensor, size: int, first: int) -> torch.Tensor:
    """The reference for `greedy_coreset`: one matrix-vector product over all rows for every pick."""
    squared = rows.square().sum(1)
    nearest = torch.full_like(squared, torch.inf)
    picked = torch.empty(size, dtype=torch.int64, device=rows.device)
    at = torch.tensor(first, device=rows.device)
    for i in range(size):
        picked[i] = at
        point = rows[at]
        torch.minimum(nearest, squared - 2 * (rows @ point) + point @ point, out=nearest)
        nearest[at] = -torch.inf
        at = nearest.argmax()
    return picked


def _told(progress: Progress) -> None:
    """Where a run that its deadline stops was."""
    if progress.done and progress.done % 5000 == 0:
        print(f"{progress.done} of {progress.total} rows picked", flush=True)


def coreset(sizes: Sizes, _: Path) -> Iterator[Figures]:
    """Our coreset to 1 %, its covering radius, what greediness demands, and the plain algorithm for comparison."""
    greedy_coreset(synthetic(2_000, sizes.dimension, 1), 20)  # loads kernels, outside of what is timed
    for number in sizes.rows:
        features, made = timed(synthetic, number, sizes.dimension, 0)
        size = max(2, number // 100)
        picked, found = timed(partial(greedy_coreset, progress=Progress(_told)), features, size)
        rows, projecting = timed(project, features, 128, 0)
        del features
        rows -= rows.mean(0)
        points = rows[torch.as_tensor(picked, device=rows.device)]
        radius, products = timed(radius_of, rows, points)
        steps = insertions(points)[1:]
        line = {
            "rows": number,
            "picked": size,
            **found,
            "making_seconds": made["seconds"],
            "projecting_seconds": projecting["seconds"],
            "selecting_seconds": found["seconds"] - projecting["seconds"],
            "products_seconds": products["seconds"],
            "distinct": len(set(picked.tolist())) == size,
            "radius": radius,
            "last_insertion": float(steps[-1]),
            "rising_at_most": float((steps[1:] / steps[:-1].cummin(0).values).max()) if size > 2 else 1.0,
        }
        line["covers"] = radius <= line["last_insertion"] * 1.001
        yield line
        if number > MOST_PLAIN:
            continue
        reference, alone = timed(plain_greedy, rows, size, int(picked[0]))
        other = radius_of(rows, rows[reference])
        yield {
            "rows": number,
            "plain_seconds": alone["seconds"],
            "plain_radius": other,
            "radius_ratio": radius / other,
            "same_picks": len(set(picked.tolist()) & set(reference.tolist())) / size,
        }
        del rows, points, reference
        release()


# --- backbones ------------------------------------------------------------------------------------


def pictures(count: int, size: Size, seed: int = 0) -> np.ndarray:
    """Images with coarse and fine texture: uint8 (count, height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 128, (count, -(-size.height // 8), -(-size.width // 8), 3), np.uint8)
    whole = coarse.repeat(8, 1).repeat(8, 2)[:, : size.height, : size.width]
    return whole + rng.integers(0, 127, (count, size.height, size.width, 3), np.uint8)


def loaded(name: str, folder: Path, where: str = "auto") -> backbones.Backbone:
    """The embedded backbone as it is; another with random weights, which are saved once."""
    if name == backbones.EMBEDDED:
        return backbones.load(name, device=where)
    file = folder / f"{name}.pth"
    if not file.exists():
        import torchvision

        torch.manual_seed(0)
        torch.save(torchvision.models.get_model(name, weights=None).state_dict(), file)
    return backbones.load(name, file, device=where)


def precise(backbone: backbones.Backbone, images: np.ndarray, precision: str) -> torch.Tensor:
    """Features (b, d, h, w) of a batch, left on the device; through autocast where a precision is named."""
    half = precision in ("bfloat16", "float16")
    kind = getattr(torch, precision) if half else torch.bfloat16
    with (
        torch.backends.cudnn.flags(enabled=True, allow_tf32=precision != "float32 without TF32"),
        torch.autocast(device().type, dtype=kind, enabled=half),
    ):
        return patch_network.concatenate(backbone(images))


def network(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Images a second, and how far features in each precision are from the CPU's."""
    precisions = ("float32", "float32 without TF32", "bfloat16", "float16")
    for name in sizes.backbones:
        backbone, on_cpu = loaded(name, folder), loaded(name, folder, "cpu")
        for size in sizes.images:
            some = pictures(2, size)
            exact = patch_network.concatenate(on_cpu(some)).double()
            for precision in precisions:
                ours = precise(backbone, some, precision).double().cpu()
                error = float((ours - exact).norm() / (exact - exact.mean((0, 2, 3), keepdim=True)).norm())
                row: Figures = {"backbone": name, "size": str(size), "precision": precision}
                yield row | {"relative_error": error}
                for count in sizes.batches:
                    images = pictures(count, size)
                    _, memory = timed(precise, backbone, images, precision)
                    times = repeated(
                        sizes.seconds, precise, backbone, images, precision, fewest=sizes.repeats
                    )
                    memory["images_per_second"] = count / statistics.median(times)
                    yield row | {"batch": count} | memory
            for count in sizes.batches:
                images = pictures(count, size)
                times = repeated(sizes.seconds, patches.features, backbone, images, fewest=sizes.repeats)
                each = count / statistics.median(times)
                whole = {"backbone": name, "size": str(size), "precision": "patches.features"}
                yield whole | {"batch": count, "images_per_second": each}
        release()


# --- search ---------------------------------------------------------------------------------------


def widened_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b.T in float32, whatever the precision of the operands."""
    if a.dtype == torch.float32:
        return a @ b.T
    if a.is_cuda:
        return torch.mm(a, b.T, out_dtype=torch.float32)
    return a.float() @ b.float().T


class Index:
    """Exact search by matrix products; as in the bank's index, rows are centred and the best distances recomputed."""

    def __init__(self, rows: torch.Tensor, kind: torch.dtype):
        self.middle = rows.mean(0)
        self.rows = (rows - self.middle).to(kind)
        self.length = torch.cat([part.float().square().sum(1) for part in self.rows.split(65_536)])

    def search(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances float32 (q, NEIGHBOURS) and row numbers of queries float32 (q, d)."""
        distances, numbers = [], []
        for part in queries.split(QUERIES_AT_ONCE):
            moved = (part - self.middle).to(self.rows.dtype)
            squared = torch.sub(self.length, widened_product(moved, self.rows), alpha=2)
            found = squared.topk(min(NEIGHBOURS + SPARE, len(self.rows)), largest=False).indices
            again = torch.cat(
                [
                    (self.rows[at].float() - one.float()[:, None]).norm(dim=-1)
                    for at, one in zip(found.split(1024), moved.split(1024), strict=True)
                ]
            )
            best, order = again.topk(NEIGHBOURS, largest=False)
            distances.append(best)
            numbers.append(found.gather(1, order))
        return torch.cat(distances), torch.cat(numbers)


def search(sizes: Sizes, _: Path) -> Iterator[Figures]:
    """Search on the GPU in three precisions and `Bank.search`, each against distances in float64."""
    rows = synthetic(sizes.bank, sizes.dimension, 0)
    each = 28 * 79 if sizes.name == "real" else 16
    some = min(256, each)
    queries = synthetic(8 * each, sizes.dimension, 0) + 0.2 * synthetic(8 * each, sizes.dimension, 3)
    bank = Bank(
        rows.cpu().numpy(), np.zeros(len(rows), int), np.zeros((len(rows), 2), int), [BankImage("a", "a")]
    )
    asked = queries[:each].cpu().numpy()
    bank.search(asked[:16], NEIGHBOURS)
    (distances, numbers), found = timed(bank.search, asked, NEIGHBOURS)
    exact = torch.cdist(queries[:some].double(), rows.double(), compute_mode="donot_use_mm_for_euclid_dist")
    true = exact.topk(NEIGHBOURS, largest=False).values.cpu().numpy()
    del exact
    yield {
        "index": f"Bank.search, {'faiss' if faiss_searches() else 'PyTorch'}",
        "seconds_per_image": found["seconds"],
        "largest_error": float(abs(distances[:some] - true).max()),
        "distance": float(true.mean()),
    }
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        index = Index(rows, kind)
        (ours, which), memory = timed(index.search, queries)
        times = repeated(sizes.seconds, index.search, queries)
        got, row = ours[:each].cpu().numpy(), which[:each].cpu().numpy()
        yield {
            "index": f"matrix products, {str(kind).removeprefix('torch.')}",
            "seconds_per_image": statistics.median(times) / 8,
            "added_gb": memory.get("added_gb"),
            "largest_error": float(abs(got[:some] - true).max()),
            "largest_difference": float(abs(got - distances).max()),
            "largest_relative_difference": float((abs(got - distances) / distances).max()),
            "same_nearest": float((row[:, 0] == numbers[:, 0]).mean()),
        }


# --- scoring --------------------------------------------------------------------------------------


def _one_by_one(backbone: backbones.Backbone, images: list[np.ndarray]) -> None:
    """The network's part of scoring: a detector takes images one by one."""
    for image in images:
        patches.features(backbone, image[None])


def scoring(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Latency of a detector with both banks, fitted on synthetic images, and the part the network takes of it."""
    for name, size, count, share in sizes.training:
        backbone = loaded(name, folder)
        images = pictures(count, size)
        features = np.concatenate(
            [patches.features(backbone, part) for part in np.array_split(images, count // 4)]
        )
        defective, (h, w) = max(4, count // 10), features.shape[1:3]
        on_defect = np.zeros(features.shape[:3], bool)
        on_defect[-defective:, h // 4 : h // 2, w // 4 : w // 2] = True
        features[on_defect] *= 1.5  # channels that are always zero stay so
        everything = PatchSet(
            PatchFeatures(features), on_defect, [BankImage(str(i), str(i)) for i in range(count)]
        )
        detector = Detector(backbone, Settings(name, size, negative_ratio=share))
        normals, defects = (
            everything.take(range(count - defective)),
            everything.take(range(count - defective, count)),
        )
        _, fitting = timed(detector.fit_patches, normals, defects)
        positive = len(detector.positive) if detector.positive else 0
        whole = {
            "backbone": name,
            "size": str(size),
            "negative": len(detector.negative),
            "positive": positive,
        }
        yield whole | {"fusion": detector.fusion.name, "fitting_seconds": fitting["seconds"]}
        for batch in (1, sizes.batches[-1]):
            some = list(pictures(batch, size, seed=1))
            _, memory = timed(detector.score, some)
            times = repeated(4 * sizes.seconds, detector.score, some, fewest=sizes.repeats)
            alone = repeated(sizes.seconds, _one_by_one, backbone, some)
            yield whole | {
                "batch": batch,
                "p50_ms": 1e3 * float(np.percentile(times, 50)),
                "p95_ms": 1e3 * float(np.percentile(times, 95)),
                "network_p50_ms": 1e3 * statistics.median(alone),
                "added_gb": memory.get("added_gb"),
                "resident_gb": psutil.Process().memory_info().rss / GB,
            }
        release()
