"""Only regular files are opened, patterns take linear time, and no cell of a CSV that we write runs as a formula."""

from __future__ import annotations

import csv
import io
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exdd_core import tables
from exdd_core.cli.paint import _text
from exdd_core.datasets.archive import unpack
from exdd_core.datasets.groups import GroupRule, apply_rule, read_table
from exdd_core.datasets.manifests import read_manifests, write_manifests
from exdd_core.datasets.record import Record
from exdd_core.datasets.texts import json_format, read_json, read_yaml
from exdd_core.errors import BadInput
from exdd_core.files import read_regular, whole
from exdd_core.formats import picture_format
from exdd_core.images import read_image, read_mask
from exdd_core.progress import Progress

READERS: dict[str, Callable[[Path], object]] = {
    "image": read_image,
    "mask": lambda path: read_mask(path, None),
    "csv": lambda path: read_table(path, ("path", "group")),
    "yaml": lambda path: read_yaml(path, "This"),
    "json": lambda path: read_json(path, "This"),
    "zip": lambda path: unpack(path, path.parent / "unpacked", Progress()),
    "prompts": _text,
}


@pytest.fixture(autouse=True)
def no_endless_wait() -> Iterator[None]:
    """Fail a test that opens a pipe, which would wait for ever, after some seconds."""

    def ended(*_: object) -> None:
        raise TimeoutError("a file was waited for")

    former = signal.signal(signal.SIGALRM, ended)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


def special(kind: str, folder: Path) -> Path:
    if kind == "device":
        return Path("/dev/zero")
    path = folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    return path


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_at_once(
    reader: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with pytest.raises(BadInput, match="a pipe, a device or a socket"):
        READERS[reader](special(kind, Path()))


def test_a_look_at_a_pipe_ends_too(tmp_path: Path) -> None:
    pipe = special("pipe", tmp_path)
    assert not picture_format(pipe)
    assert json_format(pipe) == ""


def test_manifests_that_are_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.csv")
    with pytest.raises(BadInput, match="a pipe"):
        read_manifests(tmp_path)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(BadInput, match="larger than 1 MB"):
        read_regular(tmp_path / "large", "This", 1 << 20)
    assert len(read_regular(tmp_path / "large", "This", 2 << 20)) == (1 << 20) + 1


def record(path: str) -> Record:
    return Record(path, "normal", "", None, "train", path)


def test_a_file_behind_a_link_is_written_where_it_lies(tmp_path: Path) -> None:
    """It may lie on another disk, to which no file can be renamed."""
    link, folder = tmp_path / "table.csv", tmp_path / "elsewhere"
    folder.mkdir()
    link.symlink_to(folder / "table.csv")
    with whole(link) as place:
        assert place.parent == folder
        place.write_text("a")
    assert link.is_symlink() and link.read_text() == "a" and len(list(folder.iterdir())) == 1


def test_a_pattern_that_backtracks_takes_linear_time() -> None:
    name = "a" * 200 + "!"  # `re` needs 2^200 steps
    began = time.process_time()
    with pytest.raises(BadInput, match="does not match"):
        apply_rule([record(name)], GroupRule.parse("pattern:^(a+)+$"))
    assert time.process_time() - began < 1
    assert apply_rule([record("a" * 200)], GroupRule.parse("pattern:^((a+)+)$"))[0].group == "a" * 200


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=b)(a)", "(?<!b)(a)", "(a"])
def test_what_the_engine_does_not_know_gets_a_sentence(pattern: str) -> None:
    with pytest.raises(BadInput, match="without lookaround or backreferences"):
        GroupRule.parse(f"pattern:{pattern}")


@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\tx", "'=1"])
def test_cells_that_would_run_are_escaped(cell: str) -> None:
    text = io.StringIO()
    tables.write(text, ["a"], [{"a": cell}])
    assert list(csv.reader(io.StringIO(text.getvalue(), newline="")))[1] == [f"'{cell}"]


@pytest.mark.parametrize("value", [-1.5, -3, "-1.2500", "+2", "-1e-05", "plain", "a=b", "'quoted'", ""])
def test_numbers_and_harmless_text_stay(value: object) -> None:
    assert tables.safe(value) == value


@given(st.text())
def test_escaped_cells_read_as_they_were(text: str) -> None:
    written = tables.safe(text)
    assert isinstance(written, str)
    assert tables.read(written) == text


def test_manifests_keep_names_that_begin_like_formulas(tmp_path: Path) -> None:
    records = [record(name) for name in ("=a.png", "-b.png", "@c.png", "'=d.png", "e.png")]
    write_manifests(records, tmp_path)
    assert "'=a.png" in (tmp_path / "train.csv").read_text("utf-8")
    assert read_manifests(tmp_path) == records


def test_yaml_whose_aliases_stand_for_billions_of_values_is_refused(tmp_path: Path) -> None:
    """A class of such a file, as text, would take all memory."""
    lines = [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9)]
    (tmp_path / "data.yaml").write_text("\n".join(["a0: &a0 [x]", *lines, "names: *a9"]))
    with pytest.raises(BadInput, match="uses aliases"):
        read_yaml(tmp_path / "data.yaml", "data.yaml")
    (tmp_path / "data.yaml").write_text("names: [a*b, '*']")
    assert read_yaml(tmp_path / "data.yaml", "data.yaml") == {"names": ["a*b", "*"]}
