"""Finds the weights of a Stable Diffusion model on this machine, and says whether they are complete.

A model is a folder as diffusers saves it (with model_index.json) or a single .safetensors file. Knows names,
sizes and headers of files. Does not know torch, the network or what the weights are used for.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.synthesis import families

DEFAULT = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
# The folder of a workspace in which its own models and LoRAs for SDXL are looked for.
MODELS = "models"
LARGEST_JSON = 16 << 20  # bytes of a file that says what a model is made of
# Parts that have weights, by their names in model_index.json.
PARTS = ("text_encoder", "text_encoder_2", "text_encoder_3", "unet", "transformer", "vae")
SUFFIXES = (".safetensors", ".bin")
# The same parts in a single file, by how their tensors' names begin.
PREFIXES = {
    "model.diffusion_model.": "unet",
    "first_stage_model.": "vae",
    "cond_stage_model.": "text_encoder",
    "conditioner.embedders.0.": "text_encoder",
    "conditioner.embedders.1.": "text_encoder_2",
}
REFINER = "is a refiner, which only finishes what another model started"
CHANNELS = (4, 9)  # that a U-Net reads: noise, and for inpainting also the mask and what lies around it
FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"
# Parameters of DEFAULT, counted from its configuration: U-Net 2,567 million, text encoders 123 and 695, VAE 84.
PARAMETERS = 3_468_852_267


class Status(TypedDict):
    """Whether a model is on this machine. path: its folder or file. sentence: for people."""

    present: bool
    path: str | None
    sentence: str


@dataclass(frozen=True)
class Found:
    """The result of a search for the model `asked`.

    path: its folder or file, or None. problem: why a file or folder that was found cannot be used, or "".
    """

    asked: str
    path: Path | None
    problem: str = ""

    @property
    def name(self) -> str:
        """The model id, or the name of its folder or file."""
        if self.path is None:
            return self.asked
        kept_by_id = self.path.parent.name == "snapshots" or self.path.name == self.asked.rsplit("/", 1)[-1]
        return self.asked if kept_by_id and not os.path.exists(self.asked) else self.path.name


def find(model: str = "", models: str | Path = "") -> Found:
    """Look for a model on this machine. Nothing is downloaded.

    model: a folder, a .safetensors file, or a model id; "" for the environment's EXDD_SDXL, else `DEFAULT`, else
    any model in `models`. models: a folder with models in it, such as a workspace's. The Hugging Face cache is
    searched as well.
    """
    asked = model or os.environ.get("EXDD_SDXL") or DEFAULT
    problem = ""
    for place, named in _places(asked, Path(models) if models else None):
        if not os.path.exists(place):  # place.exists() would raise for text that is no valid path
            continue
        fault = _fault(place)
        if not fault:
            return Found(asked, place)
        problem = problem or (fault if named else "")
    return Found(asked, None, problem)


def missing(model: str = "", models: str | Path = "") -> str:
    """What to download, how large it is and where to put it; "" where the model is on this machine."""
    found = find(model, models)
    if found.path:
        return ""
    place = Path(models or "models")
    elsewhere = "The engines procedural, transplant and quilt need no weights and work now."
    if found.asked != DEFAULT:
        why = f"cannot be used: {found.problem}" if found.problem else "is not on this machine"
        return (
            f"The model {found.asked} {why}. Use a folder as diffusers saves it, a single .safetensors file, "
            f"or the id of a model that was downloaded to {place} or to the Hugging Face cache "
            f"({hub_cache()}). "
            f"{elsewhere}"
        )
    why = f"cannot be used: {found.problem}" if found.problem else "are not on this machine"
    half, full = PARAMETERS * 2 / 1e9, PARAMETERS * 4 / 1e9
    return (
        f"SDXL's weights {why}. Download {DEFAULT}, {half:.1f} GB in half precision ({full:.1f} GB in full), with: "
        f"{download_command(place)}. A folder of another model ({families.OFFERED}) or a single .safetensors "
        f"file of SDXL or SD 1.5 also works: put it into {place}, or set the environment variable EXDD_SDXL "
        f"to its path; the Hugging Face cache ({hub_cache()}) is searched too. {elsewhere}"
    )


def download_command(models: str | Path) -> str:
    """The command that downloads `DEFAULT` in half precision into the folder `models`."""
    program = Path(sys.executable).with_name("hf")  # comes with huggingface-hub, but is seldom on the PATH
    words = [str(program) if program.exists() else "hf", "download", DEFAULT]
    for pattern in ("*.json", "*.txt", "*.fp16.safetensors"):
        words += ["--include", pattern]
    return shlex.join([*words, "--local-dir", str(Path(models) / DEFAULT.split("/")[1])])


def status(model: str = "", models: str | Path = "") -> Status:
    """Whether a model is on this machine. Reads headers only."""
    found = find(model, models)
    if found.path is None:
        why = found.problem or f"no weights of {found.asked} on this machine"
        return {"present": False, "path": None, "sentence": why}
    size = sum(weigh(found.path).values()) * 2 / 1e9
    kind = family_of(found.path)
    sentence = f"weights in {found.path} ({kind.title}, {kind.licence}, {size:.1f} GB in half precision)"
    return {"present": True, "path": str(found.path), "sentence": sentence}


def hub_cache() -> Path:
    """The folder in which the Hugging Face libraries keep downloads, found without importing them."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def index(folder: Path) -> Mapping[str, Any]:
    """model_index.json of a pipeline's folder. Raises `BadInput`."""
    try:
        content = _json(folder / "model_index.json")
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / 'model_index.json'} cannot be read; download the model again.") from error
    return content if isinstance(content, dict) else {}


def parts(folder: Path) -> list[str]:
    """The parts of a pipeline that have weights."""
    content = index(folder)
    return [part for part in PARTS if (content.get(part) or [None])[0]]


def variant(part: Path, half: bool) -> str | None:
    """ "fp16" where a part has weights in half precision and either `half` is wanted or it has no others."""
    halves = [".fp16" in file.name for file in _weights(part)]
    return "fp16" if any(halves) and (half or all(halves)) else None


def weigh(path: Path) -> dict[str, int]:
    """The number of parameters of each part of a complete model."""
    if path.is_file():
        counts: dict[str, int] = {}
        for name, size in _tensors(path).items():
            part = next((part for prefix, part in PREFIXES.items() if name.startswith(prefix)), "")
            counts[part] = counts.get(part, 0) + math.prod(size)
        return counts
    return {part: sum(map(_parameters, _chosen(path / part))) for part in parts(path)}


def family(file: Path) -> str:
    """The kind of model in a single file: "xl" or "sd", with "-inpaint" for inpainting models. Raises `BadInput`."""
    tensors = _tensors(file)
    first = tensors.get(FIRST_LAYER)
    kinds = [
        kind
        for kind, prefix in (
            ("xl", "conditioner.embedders.1."),
            ("sd", "cond_stage_model.transformer."),
            ("refiner", "conditioner.embedders.0.model."),
        )
        if any(name.startswith(prefix) for name in tensors)
    ]
    if kinds[:1] == ["refiner"]:
        raise BadInput(f"{file} {REFINER}; use SDXL itself or its inpainting model.")
    if first and kinds and first[1] not in CHANNELS:
        raise BadInput(f"{file} {_channels(first[1])}; use a text-to-image model or an inpainting model.")
    if not first or not kinds:
        raise BadInput(
            f"{file} does not contain a Stable Diffusion model (perhaps it is a LoRA); use a complete model "
            "(SD 1.5 or SDXL)."
        )
    return kinds[0] + ("-inpaint" if first[1] == 9 else "")


def family_of(path: Path) -> families.Family:
    """The family of a complete model. Raises `BadInput` for a file of none."""
    if path.is_file():
        return families.FAMILIES[family(path).split("-")[0]]
    found = families.of_pipeline(str(index(path).get("_class_name")))
    assert found is not None
    return found


def upcasts(path: Path) -> bool:
    """Whether a model in half precision decodes in full precision: diffusers' pipelines of SDXL can."""
    config = _configuration((path if path.is_dir() else path.with_suffix("")) / "vae")
    return family_of(path).title.startswith("SDXL") and bool(config.get("force_upcast", True))


def fingerprint(path: Path) -> str:
    """Eight characters that change with a model's configuration or weights. Reads only a little of each file."""
    read = [path] if path.is_file() else _configurations(path) + _files(path)
    stamps = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in read)
    return _digest(stamps, str(path))


@functools.lru_cache(maxsize=32)
def _digest(stamps: tuple[tuple[str, int, int], ...], root: str) -> str:
    digest = hashlib.sha256()
    for name, size, _ in stamps:
        digest.update(f"{os.path.relpath(name, root)} {size}".encode())
        with open(name, "rb") as stream:
            # Files of two trainings of one network have the same size; header and some weights differ.
            for start in (0, size // 3, size // 2, max(0, size - 2**16)):
                stream.seek(start)
                digest.update(stream.read(2**16))
    return digest.hexdigest()[:8]


def _places(asked: str, models: Path | None) -> Iterator[tuple[Path, bool]]:
    """The paths to search, each with whether somebody named it."""
    yield Path(os.path.expanduser(asked)), True
    if models:
        yield models / asked, True
        yield models / asked.rsplit("/", 1)[-1], True
    snapshots = hub_cache() / f"models--{asked.replace('/', '--')}" / "snapshots"
    if os.path.isdir(snapshots):
        for path in sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
            yield path, True
    if models and asked == DEFAULT:  # any other model in that folder
        for path in sorted(models.glob("*")):
            yield path, False


def _fault(place: Path) -> str:
    """Why the file or folder cannot be used as a model; "" where it can."""
    if place.is_file():
        try:
            family(place)
        except BadInput as fault:
            return str(fault).split(";")[0]
        return ""
    if not (place / "model_index.json").is_file():
        return f"{place} has no model_index.json"
    try:
        kind = str(index(place).get("_class_name"))
    except BadInput as fault:
        return str(fault).split(";")[0]
    known = families.of_pipeline(kind)
    if known is None or not known.offered:
        return (
            f"{place} contains a {kind}, which cannot inpaint here: the engine paints with {families.OFFERED}"
        )
    there = set(parts(place))
    if not {"text_encoder", "vae"} <= there or there.isdisjoint({"unet", "transformer"}):
        return f"{place} {REFINER if known.title.startswith('SDXL') else 'is incomplete'}"
    channels = _configuration(place / "unet").get("in_channels", 4)
    if channels not in CHANNELS:
        return f"{place} {_channels(channels)}"
    lacking = [part for part in parts(place) if not _chosen(place / part)]
    if lacking:
        return f"{place} lacks the weights of {' and '.join(lacking)} (perhaps an unfinished download)"
    try:
        weigh(place)
    except BadInput as fault:
        return str(fault).split(";")[0]
    return ""


def _channels(count: object) -> str:
    return f"is a model for another task: its U-Net reads {count} channels, but painting from a prompt needs 4 or 9"


def _json(file: Path) -> object:
    """The content of a small JSON file. Raises OSError, and ValueError where it is none or no ordinary file."""
    return json.loads(files.read_regular(file, str(file), LARGEST_JSON))


def _configuration(part: Path) -> Mapping[str, Any]:
    """config.json of a part; empty where it cannot be read."""
    try:
        content = _json(part / "config.json")
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _configurations(folder: Path) -> list[Path]:
    return sorted([folder / "model_index.json", *folder.glob("*/*config*.json")])


def _files(folder: Path) -> list[Path]:
    return [file for part in parts(folder) for file in _weights(folder / part)]


def _weights(part: Path) -> list[Path]:
    return sorted(file for file in part.glob("*") if file.suffix in SUFFIXES and file.is_file())


def _chosen(part: Path) -> list[Path]:
    """One complete set of a part's weight files; empty when there is none."""
    there = _weights(part)
    for suffix in SUFFIXES:
        for half in (False, True):
            some = [file for file in there if file.suffix == suffix and (".fp16" in file.name) == half]
            counted = [re.search(r"-of-(\d+)", file.name) for file in some]
            if some and len(some) >= max((int(count[1]) for count in counted if count), default=1):
                return some
    return []


def _parameters(file: Path) -> int:
    if file.suffix == ".safetensors":
        return sum(map(math.prod, _tensors(file).values()))
    return file.stat().st_size // (2 if ".fp16" in file.name else 4)


def _tensors(file: Path) -> dict[str, list[int]]:
    """Names and shapes of the tensors in a .safetensors file. Raises `BadInput` for any other."""
    try:
        stamp = file.stat()
        return _header(str(file), stamp.st_size, stamp.st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{file} is not a complete .safetensors file; download it again.") from error


@functools.lru_cache(maxsize=32)
def _header(file: str, size: int, _: int) -> dict[str, list[int]]:
    with open(file, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size, 10**8):
            raise ValueError("no header")
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    if 8 + length + end != size:
        raise ValueError("cut short")
    return {name: tensor["shape"] for name, tensor in header.items()}
