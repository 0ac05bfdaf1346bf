"""Everything under a folder is listed once: pictures, other files, links, what systems leave."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from exdd_core.datasets.tree import Tree, image_files, name_key, stem
from exdd_core.formats import PACKED
from exdd_core.images import encode_png

PNG = encode_png(np.full((20, 20), 90, np.uint8))


def put(path: Path, content: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_everything_is_sorted(tmp_path: Path) -> None:
    for name in ("good/10.png", "good/9.jfif", "good/part", "defect/pit/1.PNG", "a.png"):
        put(tmp_path / name)
    put(tmp_path / "good/old.gif", b"GIF89a" + bytes(20))
    for name in ("notes.txt", "good/groups.csv"):
        put(tmp_path / name, b"path,group")
    for name in (".hidden.png", "good/Thumbs.db", "__MACOSX/good/._9.png", "@eaDir/x.png"):
        put(tmp_path / name)
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    tree = Tree.read(tmp_path)
    assert tree.images == ("a.png", "defect/pit/1.PNG", "good/9.jfif", "good/10.png", "good/part")
    assert list(tree.unread) == ["good/old.gif"] and "GIF" in tree.unread["good/old.gif"]
    assert tree.files == ("good/groups.csv", "notes.txt")
    assert tree.folders == ("defect", "defect/pit", "empty", "empty/inner", "good")
    assert set(tree.system) == {".hidden.png", "good/Thumbs.db", "__MACOSX", "@eaDir"}
    assert tree.directly_in("") == ["a.png"] and tree.below("defect") == ["defect/pit/1.PNG"]
    inner = tree.under("good")
    assert inner.images == ("9.jfif", "10.png", "part") and list(inner.unread) == ["old.gif"]
    assert image_files(tmp_path) == [tmp_path / name for name in tree.images]


def test_links_are_followed_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere / "1.png")
    put(elsewhere / "more" / "2.png")
    root = tmp_path / "root"
    put(root / "b" / "3.png")
    (root / "good").symlink_to(elsewhere)
    (root / "a").symlink_to(root / "b")  # what is read already keeps its own name
    (root / "b" / "up").symlink_to(root)
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    put(elsewhere / "4.png")
    (root / "single.png").symlink_to(elsewhere / "4.png")
    tree = Tree.read(root)
    assert tree.images == ("b/3.png", "good/1.png", "good/4.png", "good/more/2.png", "single.png")
    assert tree.not_followed == {
        "a": "a link to a folder that has already been read",
        "b/up": "a link to a folder that has already been read",
        "gone.png": "a broken link",
    }


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put(one / "1.png")
    put(two / "2.png")
    (one / "two").symlink_to(two)
    (two / "one").symlink_to(one)
    assert Tree.read(one).images == ("1.png", "two/2.png")


def test_a_pipe_is_named_and_never_opened(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    os.mkfifo(tmp_path / "2.png")
    tree = Tree.read(tmp_path)
    assert tree.images == ("1.png",) and tree.not_followed == {"2.png": "not a regular file"}


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to("2.png")
    tree = Tree.read(tmp_path)
    assert tree.images == ("1.png",) and tree.not_followed == {"2.png": "a broken link"}


def test_an_archive_within_is_named_and_a_picture_of_its_suffix_is_read(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    put(tmp_path / "2.gz")
    put(tmp_path / "more.ZIP", b"PK\3\4")
    tree = Tree.read(tmp_path)
    assert tree.images == ("1.png", "2.gz") and tree.not_followed == {"more.ZIP": PACKED}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_locked_folder_is_named(tmp_path: Path) -> None:
    put(tmp_path / "locked" / "1.png")
    (tmp_path / "locked").chmod(0)
    try:
        assert "cannot be opened" in Tree.read(tmp_path).not_followed["locked"]
    finally:
        (tmp_path / "locked").chmod(0o755)


def test_all_forms_of_a_name_are_one() -> None:
    assert name_key("Prüfung") == name_key("pru\u0308fung") == name_key("PRÜFUNG")
    assert stem("a.b/c.tar.png") == "a.b/c.tar" and stem("a/.png") == "a/.png"
