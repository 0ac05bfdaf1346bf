"""Connections to a workspace's database: how many are opened, and that what is read is never old."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from exdd_core.curation import sifting
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, connections
from exdd_core.workspace.failures import DATABASE


@pytest.fixture
def workspace(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> list[sqlite3.Connection]:
    """The connections to the workspace that have been opened; a thread of an earlier test may open others."""
    found, connect = [], connections.connect

    def noting(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if path.is_relative_to(workspace.path):
            found.append(connection)
        return connection

    monkeypatch.setattr(connections, "connect", noting)
    return found


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("select 1")
    except sqlite3.ProgrammingError as error:
        return "closed" in str(error)
    return False


def test_an_answer_opens_one_connection_and_closes_it(workspace: Workspace, opened: list) -> None:
    workspace.dataset()
    assert len(opened) > 1 and all(map(is_closed, opened))
    opened.clear()
    with workspace.keeping_open():
        assert not opened
        for _ in range(3):
            workspace.dataset()
            workspace.banks()
        with workspace.keeping_open():
            workspace.images()
        workspace.images()
        assert len(opened) == 1 and not is_closed(opened[0])
    assert is_closed(opened[0])
    workspace.dataset()
    assert all(map(is_closed, opened))


def test_what_anybody_has_written_is_read_at_once(workspace: Workspace) -> None:
    with workspace.keeping_open():
        for number in range(5):
            workspace.set_setting("mine", number)
            assert workspace.setting("mine") == number
            other = threading.Thread(target=workspace.set_setting, args=("theirs", number))
            other.start()
            other.join()
            assert workspace.setting("theirs") == number


def test_what_is_read_while_rows_are_walked_through_is_as_new(workspace: Workspace, opened: list) -> None:
    query = "select key, value from settings"
    with workspace.keeping_open(), workspace.reading() as db:
        rows = iter(db.execute(query))
        next(rows)
        workspace.set_setting("here", "new")
        assert workspace.setting("here") == "new"
        assert ("here", '"new"') not in list(rows)  # these are as they were when they were asked for
    assert len(opened) == 3 and all(map(is_closed, opened))


def test_a_connection_that_failed_is_not_used_again(workspace: Workspace, opened: list) -> None:
    with workspace.keeping_open():
        workspace.setting("backbone")
        with pytest.raises(BadInput), workspace.reading() as db:
            db.execute("select nothing from nowhere")
        assert is_closed(opened[0])
        assert workspace.setting("backbone")
        with pytest.raises(ZeroDivisionError), workspace.reading() as db:
            print(1 / 0)
    assert len(opened) == 2 and all(map(is_closed, opened))


def test_threads_share_no_connection(workspace: Workspace, opened: list) -> None:
    def ask() -> None:
        with workspace.keeping_open():
            workspace.setting("backbone")

    with workspace.keeping_open():
        workspace.setting("backbone")
        other = threading.Thread(target=ask)
        other.start()
        other.join()
        workspace.setting("backbone")
    assert len(opened) == 2 and is_closed(opened[0])


def test_a_table_of_one_question_is_gone_with_it(workspace: Workspace) -> None:
    with workspace.keeping_open():
        all_pass = dict.fromkeys(sifting.FILTERS)
        first = sifting.passing(workspace, "demo", all_pass)
        assert sifting.passing(workspace, "demo", all_pass) == first


def test_without_a_database_each_question_says_so(workspace: Workspace) -> None:
    with workspace.keeping_open():
        (workspace.path / DATABASE).rename(workspace.path / "elsewhere.db")
        for _ in range(2):
            with pytest.raises(BadInput):
                workspace.setting("backbone")
        (workspace.path / "elsewhere.db").rename(workspace.path / DATABASE)
        assert workspace.setting("backbone")
