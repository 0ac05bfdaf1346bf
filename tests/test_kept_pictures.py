"""Small pictures are made once, kept on disk by what they show, and made again where that has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from exdd_core import decoding, pixels
from exdd_core.capped_folder import CappedFolder
from exdd_core.datasets import demo
from exdd_core.images import encode_png, read_image
from exdd_core.review import Review
from exdd_core.studio import editor
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from pages import kept_pictures, routes
from pages.inspect import page, questions


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("pictures")
    demo.generate(folder / "plates", seed=0, normal=6, defective=3)
    made = Workspace.create(folder / "workspace", "efficientnet_lite0")
    import_dataset(made, folder / "plates", name="plates")
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of images and masks that were decoded since it was asked for last."""
    labels = list[str]()

    def counting(real: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        def counted(source: Any, label: str) -> Any:
            labels.append(label)
            return real(source, label)

        return counted

    def since() -> int:
        number = len(labels)
        labels.clear()
        return number

    monkeypatch.setattr("exdd_core.images.decode", counting(decoding.decode))
    monkeypatch.setattr(pixels, "values_of", counting(pixels.values_of))

    return since


def browser(workspace: Workspace) -> TestClient:
    """A client of a server that has just started."""
    kept_pictures._folder.cache_clear()
    return TestClient(Starlette(routes=routes.routes(workspace)))


def test_a_gallery_is_decoded_once_whatever_restarts(
    workspace: Workspace, decoded: Callable[[], int]
) -> None:
    rows = workspace.images("plates")
    masks = sum(row.mask is not None for row in rows)
    asked = [f"/thumbnail?image={row.id}" for row in rows]
    first = [browser(workspace).get(address).content for address in asked]
    assert decoded() == len(rows) + masks
    assert [browser(workspace).get(address).content for address in asked] == first
    assert decoded() == 0
    plain = [browser(workspace).get(f"{address}&outline=0").content for address in asked]
    assert decoded() == masks  # those without a mask look the same
    assert sum(one != other for one, other in zip(plain, first, strict=True)) == masks


def test_another_content_is_another_picture(workspace: Workspace, decoded: Callable[[], int]) -> None:
    row = next(row for row in workspace.images("plates") if row.mask is not None)
    client, address = browser(workspace), f"/thumbnail?image={row.id}"
    first = client.get(address).content
    close = client.get(f"/defect?image={row.id}").content
    decoded()
    before = row.path.read_bytes(), row.mask.read_bytes()
    try:
        row.path.write_bytes(encode_png(np.full((row.height, row.width, 3), 99, np.uint8)))
        second = client.get(address).content
        assert second != first and decoded() == 2
        row.mask.write_bytes(encode_png(np.eye(row.height, row.width, dtype=bool)))
        assert client.get(address).content not in (first, second)
        assert client.get(f"/defect?image={row.id}").content != close
    finally:
        row.path.write_bytes(before[0])
        row.mask.write_bytes(before[1])
    decoded()
    assert client.get(address).content == first and client.get(f"/defect?image={row.id}").content == close
    assert decoded() == 0


def test_what_is_gone_or_damaged_is_made_again_or_said(
    workspace: Workspace, decoded: Callable[[], int]
) -> None:
    row = next(row for row in workspace.images("plates") if row.mask is None)
    client, address = browser(workspace), f"/thumbnail?image={row.id}"
    first, folder = client.get(address).content, workspace.path / "cache" / "pictures"
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:50] + b"?" + file.read_bytes()[51:])
    decoded()
    assert client.get(address).content == first and decoded() == 1
    content = row.path.read_bytes()
    row.path.unlink()
    try:
        answer = client.get(address)
        assert answer.status_code == 404 and row.id in answer.text
    finally:
        row.path.write_bytes(content)


def test_pictures_stay_below_their_cap(tmp_path: Path) -> None:
    folder = CappedFolder(tmp_path / "pictures", 20_000)
    for number in range(60):
        folder.store(str(number), 1_000, lambda place: place.write_bytes(b"x" * 1_000))
    there = sum(file.stat().st_size for file in folder.folder.iterdir())
    assert 10_000 < there <= 20_000
    assert folder.read("59") == b"x" * 1_000 and folder.read("0") is None


def test_what_is_kept_in_memory_is_of_the_file_that_is_there_now(workspace: Workspace) -> None:
    """A data set that was deleted may come back under its name with other images, whose times a copy may set alike."""
    row, review = workspace.images("plates")[0], Review(workspace)

    def shown() -> tuple[str, float]:
        small: Any = page.thumbnails(review, questions.Images(ids=[row.id]))["thumbnails"]
        return small[row.id], float(editor.canvas(workspace, row.id).pixels.mean())

    before, content, made = shown(), row.path.read_bytes(), row.path.stat()
    inverted = encode_png(255 - read_image(row.path))
    row.path.unlink()
    row.path.write_bytes(inverted)
    os.utime(row.path, ns=(made.st_atime_ns, made.st_mtime_ns))
    after = shown()
    assert after[0] != before[0] and after[1] == pytest.approx(255 - before[1], abs=2)
    row.path.write_bytes(content)
    assert shown() == before
