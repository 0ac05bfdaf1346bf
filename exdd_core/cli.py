"""The command line: every capability without a browser, one function a command.

Results go to standard output (with --json as one line of JSON, the last one), everything else to standard
error. Ends with 0; with 2 and one plain sentence for what cannot be used; with 130 when interrupted. Knows
the core and the terminal. Knows nothing of Gradio; `serve` starts the app as a program of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.workspace import Workspace

APP = Path(__file__).resolve().parent.parent / "app.py"
METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
ALL = "all"
BATCH = 8  # images scored at a time: their maps have the images' own size


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        result = options.command(options)
        if options.json:
            print(json.dumps(_strict(result), ensure_ascii=False), flush=True)
        return 0
    except BadInput as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, Cancelled):
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, sqlite3.Error) as error:
        from exdd_core.workspace import plain_sentence

        return _refuse(plain_sentence(error))
    except MemoryError:
        return _refuse("The memory is full; use smaller images, a smaller share of patches or fewer images.")


# --- commands -------------------------------------------------------------------------------------------


def import_(options: argparse.Namespace) -> dict[str, Any]:
    """Copy a data set (a folder or a zip file) into the workspace, making the workspace if there is none."""
    from exdd_core.datasets import GroupRule
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

    size = Size.parse(options.size, options.keep_aspect) if options.size else None
    groups = GroupRule.parse(options.groups) if options.groups else None
    if Workspace.exists(options.workspace):
        workspace = Workspace.open(options.workspace)
    else:
        workspace = Workspace.create(options.workspace, options.backbone)
        _say(f"Made the workspace {workspace.path}. Backbone: {workspace.setting('backbone_reason')}")
    info = workspace.import_dataset(options.source, options.name, options.layout, size, groups, _progress())
    if not options.json:
        done = "Imported" if info.changed else "Nothing changed: already there as"
        print(f'{done} "{info.name}": {info.title}.')
        print("\n".join(info.report["sentences"]))
    return {
        "dataset": info.name,
        "changed": info.changed,
        "layout": info.layout,
        "size": str(info.size),
        "counts": info.counts,
        "healthy": info.report["healthy"],
        "report": info.report,
    }


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Build a bank version from the training split of a data set."""
    from exdd_core.images import Size

    workspace = _open(options)
    dataset = workspace.dataset(options.dataset)
    bank = workspace.build(
        dataset.name,
        positives=options.positives,
        max_real_parts=options.max_real_parts,
        seed=options.seed,
        negative_ratio=options.negative_ratio,
        positive_ratio=options.positive_ratio,
        size=Size.parse(options.size, dataset.size.keep_aspect) if options.size else None,
        backbone=options.backbone,
        fusion=options.fusion,
        activate=not options.keep_active,
        progress=_progress(),
    )
    if not options.json:
        state = ", now active" if bank.active else ""
        print(f"Built {bank.name} from {bank.dataset} in {bank.seconds:.1f} s{state}.")
        for key, value in bank.summary.items():
            print(f"  {key.replace('_', ' ')}: {value}")
    return {
        "bank": bank.id,
        "name": bank.name,
        "dataset": bank.dataset,
        "active": bank.active,
        "seconds": bank.seconds,
        "settings": bank.settings,
        "summary": bank.summary,
        "path": str(bank.path),
    }


def score(options: argparse.Namespace) -> dict[str, Any]:
    """Score images or whole folders with PatchCore and ExDD, by the active bank version."""
    from exdd_core import reports

    workspace = _open(options)
    paths, bank = _images_in(options.paths), workspace.bank(options.bank)
    known = {row.path: row for info in workspace.datasets() for row in workspace.images(info.name)}
    for target in (options.png, options.csv.parent if options.csv else None):
        if target:
            target.mkdir(parents=True, exist_ok=True)
    detector, progress = workspace.detector(bank.id), _progress()
    progress.begin("Scoring images", len(paths))
    rows, unreadable = [], []
    for start in range(0, len(paths), BATCH):
        images, broken = _read_images(paths[start : start + BATCH], strict=options.paths)
        unreadable += broken
        compared = detector.compare([pixels for _, pixels in images]) if images else []
        for (path, pixels), (patchcore, exdd) in zip(images, compared, strict=True):
            truth = known.get(path.resolve())
            known_of = (truth.label, truth.defect_type) if truth else ("", "")
            rows.append(reports.result_row(str(path), *known_of, patchcore, exdd, bank.name))
            if options.png:
                mask = _truth_mask(truth, pixels.shape[:2])
                target = options.png / f"{_flat_name(path, options.paths)}.png"
                reports.write_panes(target, pixels, patchcore, exdd, mask, title=path.name)
        progress.advance(min(BATCH, len(paths) - start))
    if options.csv:
        reports.write_csv(options.csv, rows)
    for item in unreadable:
        _say(f"Left out: {item['reason']}")
    if not rows:
        raise BadInput("None of these images could be read; nothing was scored.")
    if not options.json:
        _print_scores(rows)
    return {"bank_version": bank.name, "bank": bank.id, "images": rows, "unreadable": unreadable}


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Measure PatchCore and ExDD against the masks: the test split with the active bank, or grouped folds."""
    workspace = _open(options)
    result = _evaluate_folds(workspace, options) if options.folds else _evaluate_split(workspace, options)
    if not options.json:
        print(f"{result['dataset']}: {_how(options)}")
        _print_metrics(result["methods"])
    return result


def serve(options: argparse.Namespace) -> dict[str, Any]:
    """Start the workbench in the browser."""
    from exdd_core.workspace import Workspace, make_demo

    _check_port(options.host, options.port)
    if options.demo:
        make_demo(options.workspace, _progress())
    elif not Workspace.exists(options.workspace):
        Workspace.create(options.workspace)
    if not APP.is_file():
        raise BadInput(f"{APP} is missing; run this from a complete copy of the project.")
    address = f"http://{options.host}:{options.port}"
    _say(f"Starting the workbench on {address} (stop it with Ctrl-C).")
    if options.json:  # serving does not end, so the result comes first
        print(json.dumps({"address": address, "workspace": str(options.workspace)}), flush=True)
    program = [sys.executable, str(APP), "--workspace", str(options.workspace)]
    program += ["--host", options.host, "--port", str(options.port)]
    sys.stderr.flush()
    os.execv(sys.executable, program)  # signals and the exit code are the app's own from here on


def doctor(options: argparse.Namespace) -> dict[str, Any]:
    """Say what this machine offers: device, backbone, faiss, SDXL weights, disk, versions."""
    from exdd_core import doctor as examination
    from exdd_core.workspace import Workspace

    workspace = Workspace.open(options.workspace) if Workspace.exists(options.workspace) else None
    report = examination.report(workspace)
    if not options.json:
        print("\n".join(examination.lines(report)))
    return report


# --- evaluate's two ways --------------------------------------------------------------------------------


def _evaluate_split(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    for name in ("max_real_parts", "backbone", "size", "negative_ratio", "positive_ratio"):
        if getattr(options, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise BadInput(f"{flag} needs --folds: without folds the bank version is used as it was built.")
    bank = workspace.bank(options.bank)
    dataset = workspace.dataset(options.dataset or bank.dataset)
    rows = workspace.images(dataset.name, split="test")
    if not rows:
        raise BadInput(f'The data set "{dataset.name}" has no test images; measure it by --folds instead.')
    from exdd_core.evaluation import evaluate_split

    result = evaluate_split(workspace.detector(bank.id), rows, options.fusion, _progress())
    return {"dataset": dataset.name, "bank_version": bank.name, **result}


def _evaluate_folds(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    if options.bank is not None:
        raise BadInput("--bank and --folds exclude each other: every fold builds banks of its own.")
    dataset = workspace.dataset(options.dataset)

    from exdd_core.detector import Settings
    from exdd_core.evaluation import cross_validate
    from exdd_core.fusion import FUSIONS
    from exdd_core.images import Size

    backbone = workspace.backbone(options.backbone)
    given: dict[str, Any] = {key: getattr(options, key) for key in ("negative_ratio", "positive_ratio")}
    if options.fusion != ALL:
        given["fusion"] = options.fusion
    methods = ["patchcore", "exdd"]
    methods += [name for name in FUSIONS if options.fusion == ALL and name not in methods]
    settings = Settings(
        backbone=backbone.name,
        size=Size.parse(options.size, dataset.size.keep_aspect) if options.size else dataset.size,
        seed=options.seed,
        **{key: value for key, value in given.items() if value is not None},
    )
    result = cross_validate(
        workspace.images(dataset.name),
        backbone,
        settings,
        folds=options.folds,
        seed=options.seed,
        max_real_parts=options.max_real_parts,
        fusions=methods,
        progress=_progress(),
    )
    return {"dataset": dataset.name, **result}


def _how(options: argparse.Namespace) -> str:
    if not options.folds:
        return "test split"
    parts = f", {options.max_real_parts} defective parts each" if options.max_real_parts is not None else ""
    return f"{options.folds} grouped folds, seed {options.seed}{parts}"


# --- score's details ------------------------------------------------------------------------------------


def _images_in(paths: Sequence[Path]) -> list[Path]:
    from exdd_core.datasets.record import image_files

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist; check the path.")
        inside = image_files(path) if path.is_dir() else [path]
        if not inside:
            raise BadInput(f"{path} holds no images; name the folder that holds them.")
        found += inside
    return list(dict.fromkeys(found))


def _read_images(
    paths: Sequence[Path], strict: Sequence[Path]
) -> tuple[list[tuple[Path, Any]], list[dict[str, str]]]:
    """The images that can be read with their paths, and the others with a reason.

    One that was named itself (in `strict`) must be readable; one in a named folder may be left out.
    """
    from exdd_core.images import read_image

    images, broken = [], []
    for path in paths:
        try:
            images.append((path, read_image(path)))
        except BadInput as error:
            if path in strict:
                raise
            broken.append({"image": str(path), "reason": str(error)})
    return images, broken


def _truth_mask(truth: Any, shape: tuple[int, int]) -> Any:
    from exdd_core.images import read_mask

    return read_mask(truth.mask, shape) if truth is not None and truth.mask else None


def _flat_name(path: Path, named: Sequence[Path]) -> str:
    """A file name no other image of the named folders has: its path below the folder, joined by dashes."""
    folder = next((p for p in named if p.is_dir() and path.is_relative_to(p)), path.parent)
    return "-".join((folder.name, *path.relative_to(folder).with_suffix("").parts, path.suffix[1:])).lstrip(
        "-."
    )


# --- what a terminal shows ------------------------------------------------------------------------------


def _print_scores(rows: list[dict[str, Any]]) -> None:
    print(f"{'PatchCore':>22}  {'ExDD':>22}  image")
    for row in rows:
        cells = [
            f"{row[f'{m}_score']:9.3f} of {row[f'{m}_threshold']:<9.3f} {row[f'{m}_verdict']:>6}"
            for m in ("patchcore", "exdd")
        ]
        print(f"{'  '.join(cells)}  {row['image']}\n    {row['exdd_reason']}")


def _print_metrics(methods: dict[str, dict[str, Any]]) -> None:
    width = max(len(name) for name in methods) + 2
    print(" " * width + "".join(f"{title:>13}" for title in METRICS.values()))
    for name, values in methods.items():
        cells = [values.get(key) for key in METRICS]
        shown = ["-" if cell is None or math.isnan(cell) else f"{cell:.4f}" for cell in cells]
        print(f"{name:<{width}}" + "".join(f"{cell:>13}" for cell in shown))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _refuse(sentence: str) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)  # one line, whatever a path or a library put into it
    return 2


def _progress() -> Progress:
    """Progress on standard error: one line that changes on a terminal; elsewhere a line now and then."""
    shown: dict[str, Any] = {"stage": "", "time": 0.0}
    terminal = sys.stderr.isatty()

    def show(progress: Progress) -> None:
        new, last = progress.stage != shown["stage"], progress.done >= progress.total
        if (
            not new
            and not (terminal and last)
            and time.monotonic() - shown["time"] < (0.1 if terminal else 10)
        ):
            return
        shown.update(stage=progress.stage, time=time.monotonic())
        end = "\n" if last or not terminal else ""
        print(f"\r\033[K{progress.text}" if terminal else progress.text, end=end, file=sys.stderr, flush=True)

    return Progress(show)


def _strict(value: Any) -> Any:
    """The value as JSON can hold it: no paths, no NaN (null instead), no numpy numbers."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


# --- options --------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}; {self.prog} --help lists what can be given.")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    place = os.environ.get("EXDD_WORKSPACE") or "data/workspace"
    common.add_argument(
        "--workspace", type=Path, metavar="DIR", default=Path(place), help=f"default: {place}"
    )
    common.add_argument("--json", action="store_true", help="the result as the last line of standard output")

    parser = _Parser(prog="python -m exdd_core", description="ExDD Workbench without a browser.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(function: Any, name: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name or function.__name__,
            parents=[common],
            help=function.__doc__.split("\n")[0],
            description=function.__doc__,
            allow_abbrev=False,
        )
        sub.set_defaults(command=function)
        return sub

    _import_options(command(import_, "import"))
    _build_options(command(build))
    _score_options(command(score))
    _evaluate_options(command(evaluate))
    _serve_options(command(serve))
    command(doctor)
    return parser


def _import_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("source", type=Path, help="a folder or a zip file")
    add("--name", help="of the data set; default: the source's name")
    add(
        "--layout",
        default="auto",
        help="ksdd2, kolektor_sdd, magnetic_tile, mvtec, folder, demo; default: auto",
    )
    add("--size", metavar="WxH", help="what banks are built at, width x height; default: the layout's")
    add("--keep-aspect", action="store_true", help="letterbox images into --size instead of stretching them")
    add("--groups", metavar="RULE", help="plain folders: subfolder, csv:FILE or pattern:REGEX")
    add("--backbone", default="auto", metavar="NAME", help="of a workspace that is made now; default: auto")


def _build_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--positives", default="real", metavar="WHICH", help="real, synthetic, both or none; default: real")
    add("--keep-active", action="store_true", help="do not make the new bank version the active one")
    add("--fusion", metavar="NAME", help="how distances become a score; default: chosen by what there is")
    _bank_options(sub)


def _score_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders of images")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add("--csv", type=Path, metavar="FILE", help="write the table of results")
    add(
        "--png",
        type=Path,
        metavar="DIR",
        help="write image, both heatmaps and their difference for each image",
    )


def _evaluate_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the bank version's; with --folds, the active one")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add(
        "--folds",
        type=_at_least(2),
        metavar="K",
        help="grouped folds over all images, each with its own banks",
    )
    add(
        "--fusion",
        metavar="NAME",
        help="of ExDD; default: the bank version's; with --folds also: all",
    )
    _bank_options(sub)


def _bank_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--max-real-parts", type=_at_least(0), metavar="M", help="learn from at most M defective parts")
    add("--seed", type=_at_least(0), default=0, metavar="S", help="default: 0")
    add("--negative-ratio", type=_share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=_share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--size", metavar="WxH", help="of the model's input, width x height; default: the data set's")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def _serve_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    add("--port", type=_port, default=7860, help="default: 7860")
    add("--demo", action="store_true", help="fill a workspace without data sets with generated images first")


def _at_least(lowest: int) -> Any:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {lowest} on")
        return int(text)

    return parse


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share above 0 and up to 1")
    return value


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 1 to 65535")
    return int(text)


def _check_port(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except socket.gaierror:
        raise BadInput(f"{host} is not an address of this machine; use 127.0.0.1 or 0.0.0.0.") from None
    except OSError as error:
        raise BadInput(
            f"{host}:{port} cannot be used ({error.strerror}); stop the program that uses it or choose "
            "another --port."
        ) from None


def _open(options: argparse.Namespace) -> Workspace:
    from exdd_core.workspace import Workspace

    return Workspace.open(options.workspace)
