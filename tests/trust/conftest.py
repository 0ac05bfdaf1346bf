"""A small workspace for tests of trust: plates with a bank version, an accepted candidate and pending ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from exdd_core.curation import accept
from exdd_core.detector import backbones
from exdd_core.detector.backbones import Backbone
from exdd_core.workspace import Workspace
from tests import plates


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return backbones.load("efficientnet_lite0")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a workspace (read only)."""
    path = plates.build(tmp_path_factory.mktemp("trust"))
    workspace = Workspace.open(path)
    accept(workspace, plates.pending(workspace)[:1], "test")
    return path


def opened(path: Path, backbone: Backbone) -> Workspace:
    """A workspace as a new process has it, without loading the backbone again."""
    workspace = Workspace.open(path)
    workspace._backbones[backbone.name] = backbone
    return workspace


@pytest.fixture
def workspace(built: Path, backbone: Backbone, tmp_path: Path) -> Workspace:
    """A copy of it."""
    shutil.copytree(built, tmp_path / "workspace")
    return opened(tmp_path / "workspace", backbone)


@pytest.fixture(scope="session")
def unseen() -> list[np.ndarray]:
    """A plate without a bar and one with a bar, uint8 (48, 64, 3) each."""
    return [plates.plate(500), plates.painting(501).image]
