"""The name of a file steers the terminal of whoever sees it: it clears lines, forges verdicts or sets the title."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exdd_core.cli import main
from exdd_core.datasets.left_out import by_folder
from exdd_core.datasets.tree import Tree
from exdd_core.images import encode_png
from exdd_core.review.lists import add_files
from exdd_core.workspace import Workspace

NAME = "\x1b]0;title\x07\x9b2K\r\nnormal\u202e.png"
SPELT = "\\x1b]0;title\\x07\\x9b2K\\r\\nnormal\\u202e.png"


def test_commands_print_such_a_name_in_escapes(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "new" / NAME
    place.parent.mkdir()
    place.write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
    assert main(["score", str(place), "--workspace", str(workspace.path)]) == 0
    assert SPELT in capsys.readouterr().out
    place.write_bytes(b"no image")
    assert main(["score", str(place.parent), "--workspace", str(workspace.path)]) == 2
    said = capsys.readouterr().err
    assert SPELT in said and "\x1b" not in said
    assert main(["score", str(place) + "x", "--workspace", str(workspace.path)]) == 2
    assert not set(capsys.readouterr().err) & set("\x1b\x07\x9b\r\u202e")


def test_a_report_spells_such_a_name_in_escapes_and_no_others() -> None:
    tree = Tree(Path(), images=(f"é/{NAME}",), unread={f"é/{NAME}": "cannot be read"})
    [found] = by_folder(tree, {})
    assert found.folder == "é" and found.paths == (f"é/{SPELT}",)


def test_an_upload_is_kept_without_such_a_name(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(encode_png(np.full((40, 40, 3), 90, np.uint8)))
    [kept], _ = add_files(workspace, [(tmp_path / "upload", NAME)])
    assert kept.isprintable()
