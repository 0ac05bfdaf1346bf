"""Every family of diffusion models that is offered paints with a tiny random pipeline of its real classes."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core.errors import BadInput
from exdd_core.synthesis import families
from exdd_core.synthesis.request import PaintRequest
from exdd_core.synthesis.sdxl import SDXL
from tests import tiny_families, tiny_sdxl as tiny
from tests.sdxl_requests import far_apart, haloed

pytestmark = pytest.mark.usefixtures("unloading")

FAMILIES = [name for name, family in families.FAMILIES.items() if family.offered]


def build(name: str, folder: Path) -> Path:
    if name == "sd":
        return tiny.build_sd15(folder, channels=9)
    if name in ("xl", "xl-pag"):
        return tiny.build(folder)
    return tiny_families.BUILDERS[name](folder)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, build(request.param, tmp_path_factory.mktemp("families") / request.param)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("somebody tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def asked(name: str, seed: int = 0, **settings: Any) -> PaintRequest:
    rng = np.random.default_rng(3)
    image = np.repeat(rng.integers(90, 160, (120, 70, 1), dtype=np.uint8), 3, axis=2)
    mask = np.zeros((120, 70), bool)
    mask[40:75, 20:60] = True
    given = {"resolution": 64, "steps": 3, "strength": 0.9, "guidance": 3.0} | settings
    if name == "xl-pag":
        given |= {"pag_scale": 3.0}
    return PaintRequest(image, mask, "copper scratches", "smooth", given, seed)


@pytest.mark.slow
def test_it_paints_inside_the_mask_and_its_halo_the_same_again(model: tuple[str, Path]) -> None:
    name, folder = model
    engine = SDXL(str(folder))
    wanted = asked(name)
    painting, again = engine.paint(wanted), engine.paint(wanted)
    outside = ~haloed(wanted)
    assert np.array_equal(painting.image[outside], wanted.image[outside])
    assert painting.mask.any() and far_apart(painting.image, wanted.image) > 3
    assert np.array_equal(painting.image, again.image)
    assert not np.array_equal(painting.image, engine.paint(asked(name, seed=1)).image)
    words = PaintRequest(wanted.image, wanted.mask, "white wall", "", wanted.settings)
    assert not np.array_equal(painting.image, engine.paint(words).image)


@pytest.mark.slow
def test_several_at_once_are_as_one_by_one(model: tuple[str, Path]) -> None:
    name, folder = model
    engine = SDXL(str(folder))
    together = list(engine.paint_many([asked(name, seed, painted_together=2) for seed in range(2)]))
    for seed, painting in enumerate(together):
        assert painting.settings["painted_together"] == 2
        assert far_apart(painting.image, engine.paint(asked(name, seed)).image) <= 2


def test_guidance_reaches_the_pipeline_by_its_own_name(
    model: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import diffusers

    name, folder = model
    family, calls = families.FAMILIES[name], list[dict[str, Any]]()
    kind = getattr(diffusers, family.inpainting)
    real = kind.__call__

    def spied(pipe: Any, **given: Any) -> Any:
        calls.append(given)
        return real(pipe, **given)

    monkeypatch.setattr(kind, "__call__", spied)
    SDXL(str(folder)).paint(asked(name, guidance=4.5))
    assert [call[family.guidance] for call in calls] == [4.5]


def test_what_it_does_not_know_is_said(model: tuple[str, Path]) -> None:
    name, folder = model
    family, engine = families.FAMILIES[name], SDXL(str(folder))
    notes = " ".join(engine.paint(asked(name, guidance_rescale=0.5, scheduler="DDIM")).notes)
    assert ("guidance_rescale" in notes) == (family.flows or name == "sd")
    assert ("schedulers other than its own" in notes) == family.flows
    assert ("negative prompts" in notes) != family.negative
    if family.flows:
        with pytest.raises(BadInput, match="multiple of 16"):
            engine.paint(asked(name, resolution=72))
