"""The workspace: nothing half, nothing twice, nothing from outside; bank versions that keep their word."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import signal
import sqlite3
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from exdd_core import datasets, files, workspace as module
from exdd_core.banks import features, stored
from exdd_core.banks.building import build_bank, make_demo
from exdd_core.banks.detectors import load_detector
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import Size, encode_png
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, schema, settings
from exdd_core.workspace.imports import dataset_name, import_dataset, preview_dataset
from exdd_core.workspace.versions import activate_bank, delete_bank
from tests.forked import Forked

SMALL = Size(64, 64)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain folders: 12 normal images, 8 with a scratch, masks; every image a part of its own (read only)."""
    folder = tmp_path_factory.mktemp("plain") / "plates"
    rng = np.random.default_rng(0)
    for place, count in (("good", 12), ("defect/scratch", 8)):
        (folder / place).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(90, 110, (48, 64, 3), dtype=np.uint8)
            if place != "good":
                mask = np.zeros((48, 64), bool)
                mask[10 + i : 14 + i, 8:50] = True
                image[mask] = 230
                (folder / "masks" / "scratch").mkdir(parents=True, exist_ok=True)
                (folder / "masks" / "scratch" / f"{i}.png").write_bytes(encode_png(mask))
            (folder / place / f"{i}.png").write_bytes(encode_png(image))
    return folder


@pytest.fixture(scope="session")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without anything in it, to be copied: loading a backbone for each test would take seconds."""
    return Workspace.create(tmp_path_factory.mktemp("empty") / "w", backbone="efficientnet_lite0").path


@pytest.fixture
def workspace(empty_workspace: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(empty_workspace, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def filled(workspace: Workspace, source: Path) -> Workspace:
    import_dataset(workspace, source, size=SMALL)
    return workspace


def tree(folder: Path) -> dict[str, bytes]:
    """Every visible file below a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "workspace.db"))
    }


def leftovers(workspace: Workspace) -> list[str]:
    return [
        str(path.relative_to(workspace.path))
        for path in workspace.path.rglob("*")
        if path.name.startswith(module.TEMPORARY) or path.name == module.MARK
    ]


# --- making and opening -----------------------------------------------------------------------------------


def test_a_new_workspace_records_its_backbone_and_why(empty_workspace):
    workspace = Workspace.open(empty_workspace)
    assert workspace.backbone_name == "efficientnet_lite0"
    assert workspace.setting("backbone_reason").endswith(".")
    assert "efficientnet" in workspace.setting("backbone_weights")
    with sqlite3.connect(workspace.path / "workspace.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_creating_never_overwrites(empty_workspace, tmp_path):
    with pytest.raises(BadInput, match="already"):
        Workspace.create(empty_workspace, backbone="efficientnet_lite0")
    with pytest.raises(BadInput, match="no backbone named"):
        Workspace.create(tmp_path / "new", backbone="vgg")
    assert not (tmp_path / "new").exists()


def test_what_is_no_workspace_is_a_sentence(empty_workspace, tmp_path):
    with pytest.raises(BadInput, match="no workspace"):
        Workspace.open(tmp_path)
    (tmp_path / "workspace.db").write_text("this is not a database, but long enough to be looked at " * 20)
    with pytest.raises(BadInput, match="database"):
        Workspace.open(tmp_path)
    newer = tmp_path / "newer"
    shutil.copytree(empty_workspace, newer)
    with sqlite3.connect(newer / "workspace.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInput, match="version 99"):
        Workspace.open(newer)


@pytest.mark.parametrize("left", [0, 10, 600, 4096, 70000])
def test_a_database_cut_short_is_a_sentence_and_stays_as_it_is(empty_workspace, source, tmp_path, left):
    folder = tmp_path / "cut"
    shutil.copytree(empty_workspace, folder)
    database, log = folder / "workspace.db", folder / "workspace.db-wal"
    os.truncate(database, left)
    log.write_bytes(b"what was written last")
    before = database.read_bytes()
    with pytest.raises(
        BadInput, match=r"database is damaged \(.+\); put a copy of workspace.db from a backup"
    ):
        Workspace.open(folder)
    assert database.read_bytes() == before and (left or log.exists())


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_CANTOPEN])
def test_a_place_that_cannot_be_written_to_is_named_as_that(code):
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = code
    assert "cannot be written to (attempt to write a readonly database)" in module.sentence_of(error)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "workspace.db") as connection:
        connection.execute("create table settings (theirs)")
    before = (tmp_path / "workspace.db").read_bytes()
    with pytest.raises(BadInput, match="not the database of a workspace"):
        Workspace.open(tmp_path)
    assert (tmp_path / "workspace.db").read_bytes() == before


def test_files_of_a_data_set_that_the_database_forgot_are_kept_and_named(filled, source):
    before = tree(filled.path / "datasets")
    with filled.writing() as db:
        db.execute("delete from images")
        db.execute("delete from datasets")
    with pytest.raises(BadInput, match="move that folder away, or give this data set another name"):
        import_dataset(filled, source, size=SMALL)
    assert tree(filled.path / "datasets") == before and not leftovers(filled)
    assert import_dataset(filled, source, name="again", size=SMALL).changed


def test_an_older_workspace_gets_the_tables_it_lacks_and_keeps_what_it_has(empty_workspace, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(empty_workspace, older)
    with sqlite3.connect(older / "workspace.db") as connection:
        for table in ("jobs", "prompts", "candidates"):
            connection.execute(f"drop table {table}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("insert into settings values ('kept', '7')")
    workspace = Workspace.open(older)
    with workspace.reading() as db:
        assert {"jobs", "prompts", "candidates"} <= set(db.table_names())
        assert schema.version(db) == schema.VERSION
    assert workspace.setting("kept") == 7


def test_a_deleted_workspace_does_not_come_back_as_an_empty_file(workspace):
    shutil.rmtree(workspace.path)
    with pytest.raises(BadInput):
        workspace.datasets()
    assert not workspace.path.exists()


def test_settings_survive_many_threads(workspace):
    def write(i: int) -> None:
        workspace.set_setting(f"key{i % 5}", {"value": i})
        workspace.setting(f"key{(i + 1) % 5}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    assert all(workspace.setting(f"key{i}")["value"] % 5 == i for i in range(5))
    assert workspace.setting("none", "default") == "default"


# --- importing ----------------------------------------------------------------------------------------------


def test_import_copies_images_masks_and_manifests(workspace, source):
    info = import_dataset(workspace, source, size=SMALL)
    assert (info.name, info.layout, info.size, info.changed) == ("plates", "folder", SMALL, True)
    assert workspace.dataset() == workspace.datasets()[0] == info
    copied = tree(workspace.path / "datasets" / "plates")
    assert copied.keys() - {"train.csv", "test.csv"} == tree(source).keys()
    assert all(copied[name] == content for name, content in tree(source).items())

    rows = workspace.images("plates")
    assert len(rows) == 20 and len({row.id for row in rows}) == 20
    defect = workspace.images("plates", split="train", label="defect", defect_type="scratch")
    assert defect and all(row.mask and row.mask.is_file() and row.path.is_file() for row in defect)
    assert (defect[0].width, defect[0].height) == (64, 48)
    assert workspace.image(defect[0].id) == defect[0]
    records = datasets.read_manifests(workspace.path / "datasets" / "plates")
    assert {f"plates/{r.path}": (r.split, r.group) for r in records} == {
        row.id: (row.split, row.group) for row in rows
    }


def test_a_preview_says_what_an_import_would_make(workspace, source, tmp_path):
    for place in (source, pack(tmp_path / "plates.zip", source)):
        preview = preview_dataset(workspace, place)
        assert (preview.name, preview.layout, preview.size) == ("plates", "folder", Size(256, 256))
        assert workspace.datasets() == [] and not any((workspace.path / "cache").iterdir())
    import_dataset(workspace, source)
    assert datasets.read_manifests(workspace.path / "datasets" / "plates") == sorted(
        preview.records, key=lambda record: record.split == "test"
    )


def test_importing_twice_changes_nothing(filled, source):
    before, database = tree(filled.path), list(sqlite3.connect(filled.path / "workspace.db").iterdump())
    again = import_dataset(filled, source, size=SMALL)
    assert again.changed is False and again.name == "plates"
    assert tree(filled.path) == before
    assert list(sqlite3.connect(filled.path / "workspace.db").iterdump()) == database


def test_the_same_name_with_other_content_is_refused(filled, source, tmp_path):
    other = tmp_path / "plates"
    shutil.copytree(source, other)
    shutil.copy(other / "good" / "0.png", other / "good" / "99.png")
    with pytest.raises(BadInput, match="--name"):
        import_dataset(filled, other, size=SMALL)
    with pytest.raises(BadInput, match="--name"):
        import_dataset(filled, source, size=Size(32, 32))
    assert len(filled.images("plates")) == 20
    assert import_dataset(filled, other, name="plates2", size=SMALL).changed
    assert [info.name for info in filled.datasets()] == ["plates", "plates2"]
    assert filled.dataset().name == "plates2"
    filled.activate_dataset("plates")
    assert filled.dataset().name == "plates"


def test_unusable_images_and_masks_are_left_out_and_reported(workspace, source, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(source, damaged)
    (damaged / "good" / "3.png").write_bytes((damaged / "good" / "3.png").read_bytes()[:200])
    (damaged / "masks" / "scratch" / "1.png").write_bytes(encode_png(np.ones((20, 20), bool)))
    (damaged / "masks" / "scratch" / "2.png").write_bytes(encode_png(np.zeros((48, 64), bool)))
    info = import_dataset(workspace, damaged, size=SMALL)
    assert not info.report["healthy"]
    rows = {row.id.removeprefix("damaged/"): row for row in workspace.images()}
    assert "good/3.png" not in rows and len(rows) == 19
    assert rows["defect/scratch/1.png"].mask is None and rows["defect/scratch/0.png"].mask is not None
    bank = build_bank(workspace, backbone="efficientnet_lite0")
    modes = {file.stat().st_mode for file in bank.path.iterdir()}
    assert len(modes) == 1  # whoever may read one file may read all
    training = {row.id for row in workspace.images(split="train", label="defect")}
    left_out = training & {"damaged/defect/scratch/1.png", "damaged/defect/scratch/2.png"}
    assert left_out and f"{len(left_out)} defective" in bank.summary["note"]
    assert bank.summary["positive_images"] == len(training - left_out)


def test_sources_that_cannot_be_imported_are_sentences(workspace, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "odd" / "pictures").mkdir(parents=True)
    (tmp_path / "odd" / "pictures" / "a.png").write_bytes(encode_png(np.zeros((32, 32), np.uint8)))
    for name, words in (
        ("none", "does not exist"),
        ("bare", "contains no images"),
        ("note.txt", "zip"),
        ("odd", "good/"),
    ):
        with pytest.raises(BadInput, match=words):
            import_dataset(workspace, tmp_path / name)
    pack(tmp_path / "odd.zip", tmp_path / "odd")
    with pytest.raises(BadInput, match=r"odd\.zip does not have a known layout"):
        import_dataset(workspace, tmp_path / "odd.zip")
    assert workspace.datasets() == [] and leftovers(workspace) == []
    with pytest.raises(BadInput, match="import one first"):
        workspace.dataset()


def test_the_proposed_name_of_a_folder_keeps_its_letters():
    assert dataset_name(Path("Gebürstete Bleche – Größe 2"), None) == "Geburstete_Bleche_Grosse_2"
    assert len(dataset_name(Path("x" * 100), None)) == 64  # no longer than what is accepted
    assert dataset_name(Path("日本"), None) == "dataset"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 65, "ä"])
def test_names_that_could_not_be_folders_are_refused(workspace, source, name):
    with pytest.raises(BadInput, match="is not a valid name for a data set"):
        import_dataset(workspace, source, name=name)


def test_a_cancelled_import_leaves_nothing(workspace, source):
    progress = Progress(lambda p: p.cancel() if p.stage == "Copying files" and p.done == 5 else None)
    with pytest.raises(Cancelled):
        import_dataset(workspace, source, progress=progress)
    assert workspace.datasets() == [] and leftovers(workspace) == []
    assert not (workspace.path / "datasets" / "plates").exists()


def test_a_full_disk_is_a_sentence_and_leaves_nothing(workspace, source, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(BadInput, match="disk is full"):
        import_dataset(workspace, source)
    assert workspace.datasets() == [] and leftovers(workspace) == []


def test_a_disk_that_fills_up_while_a_bank_is_stored_is_a_sentence(filled, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    before = tree(filled.path)
    monkeypatch.setattr("exdd_core.detector.bank.save_file", lambda *_, **__: full())
    with pytest.raises(BadInput, match="The disk is full; free up some space"):
        build_bank(filled, negative_ratio=0.2)
    assert filled.banks() == [] and not leftovers(filled)
    after = tree(filled.path)
    assert after.items() >= before.items()
    # The features of the images stay for the next build, each file whole.
    kept = {filled.path / name for name in after.keys() - before.keys()}
    shared = filled.path / "cache" / "features"
    assert kept == set(shared.iterdir()) and all(files.holds(file) for file in kept)


def test_features_that_do_not_fit_on_the_disk_leave_no_file(tmp_path):
    class Ends(list):
        def __iter__(self):
            yield self[0]
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        features._store(tmp_path / "cache" / "kept.npy", Ends([np.zeros((4, 3), np.float16)] * 2))
    assert list((tmp_path / "cache").iterdir()) == []
    rows = np.arange(24, dtype=np.float16).reshape(2, 4, 3)
    assert np.array_equal(features._store(tmp_path / "cache" / "kept.npy", list(rows)), rows)
    assert np.array_equal(np.load(tmp_path / "cache" / "kept.npy"), rows)


def test_a_workspace_that_cannot_be_made_leaves_no_database(tmp_path, monkeypatch):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(BadInput, match="The disk is full"):
        Workspace.create(tmp_path / "new", backbone="efficientnet_lite0")
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == [".lock"]


def test_a_row_that_cannot_be_written_takes_its_files_with_it(workspace, source, monkeypatch):
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(settings, "put", fail)
    with pytest.raises(BadInput, match="disk is full"):
        import_dataset(workspace, source)
    assert workspace.datasets() == [] and not (workspace.path / "datasets" / "plates").exists()


def test_too_little_space_is_seen_before_anything_is_copied(workspace, source, monkeypatch):
    usage = shutil.disk_usage(source)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(BadInput, match="free up some space"):
        import_dataset(workspace, source)


# --- zip files ----------------------------------------------------------------------------------------------


def pack(target: Path, source: Path, top: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*")):
            archive.write(path, Path(top) / path.relative_to(source))
    return target


@pytest.mark.parametrize("top", ["", "outer/inner"])
def test_a_zip_imports_like_its_folder(workspace, source, tmp_path, top):
    archive = pack(tmp_path / "plates.zip", source, top)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("__MACOSX/._junk.png", b"junk")
        file.writestr("setup.exe", b"junk")
    info = import_dataset(workspace, archive, size=SMALL)
    assert info.name == "plates"
    assert (
        tree(workspace.path / "datasets" / "plates").keys() - {"train.csv", "test.csv"} == tree(source).keys()
    )
    # one content, whichever way it comes
    assert import_dataset(workspace, source, size=SMALL).changed is False
    assert leftovers(workspace) == []


@pytest.mark.parametrize(
    "path", ["../outside.png", "/outside.png", "good/../../outside.png", "C:/outside.png"]
)
def test_a_zip_writes_nothing_outside(workspace, source, tmp_path, path):
    archive = pack(tmp_path / "plates.zip", source)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(path, b"x")
    with pytest.raises(BadInput, match="outside"):
        import_dataset(workspace, archive)
    assert not list(tmp_path.rglob("outside.png")) and leftovers(workspace) == []


@pytest.mark.parametrize("path", ["good/" + "x" * 300 + ".png", "good"])
def test_names_in_a_zip_that_no_disk_takes_are_named(workspace, source, tmp_path, path):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as file:
        for name in (path, "good/a.png"):
            file.writestr(name, next(source.rglob("*.png")).read_bytes())
    with pytest.raises(
        BadInput, match=r"odd\.zip contains '.*cannot be unpacked under this name .*; rename it"
    ):
        import_dataset(workspace, tmp_path / "odd.zip")
    assert leftovers(workspace) == []


@pytest.mark.parametrize(("written", "meant"), [("prüf".encode(), "prüf"), (b"pr\x81f", "prüf")])
def test_names_in_a_zip_are_utf_8_or_of_old_pcs(workspace, source, tmp_path, written, meant):
    archive = pack(tmp_path / "plates.zip", source)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("good/" + "Q" * len(written) + ".png", next(source.rglob("*.png")).read_bytes())
    archive.write_bytes(archive.read_bytes().replace(b"Q" * len(written), written))
    info = import_dataset(workspace, archive)
    assert any(row.id.endswith(f"good/{meant}.png") for row in workspace.images(info.name))


def test_one_of_several_data_sets_in_a_zip_is_chosen_by_its_folder(
    workspace: Workspace, tmp_path: Path
) -> None:
    for name in ("bottle", "cable"):
        for n in range(3):
            for place in (f"train/good/{n}", f"test/good/{n + 5}", f"test/crack/{n}"):
                file = tmp_path / "sets" / name / f"{place}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode_png(np.full((32, 32), 40 + n, np.uint8)))
    packed = pack(tmp_path / "sets.zip", tmp_path / "sets")
    with pytest.raises(BadInput, match=r"2 categories of MVTec AD .*such as .*sets\.zip/bottle"):
        import_dataset(workspace, packed)
    info = import_dataset(workspace, packed / "cable")
    assert info.name == "cable" and info.layout == "mvtec" and info.report["images"] == 9
    with pytest.raises(BadInput, match="There is no folder glass in"):
        import_dataset(workspace, packed / "glass")
    with pytest.raises(BadInput, match="does not exist"):
        import_dataset(workspace, tmp_path / "other.zip" / "cable")


def test_what_of_a_zip_is_not_unpacked_is_named(workspace, source, tmp_path):
    archive = pack(tmp_path / "plates.zip", source)
    first = next(p.relative_to(source).as_posix() for p in sorted(source.rglob("*.png")))
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("more.zip", b"PK")
        file.writestr(first, (source / first).read_bytes())
    left = {name for item in import_dataset(workspace, archive).report["left_out"] for name in item["paths"]}
    assert left == {"more.zip", first}


def test_a_zip_without_a_readable_image_says_what_it_holds(workspace, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("good/1.gif", b"GIF89a")
        file.writestr("good/2.gif", b"GIF89a")
    with pytest.raises(
        BadInput, match=r"a\.zip contains no images that can be read.*1\.gif and 1 more \(GIF"
    ):
        import_dataset(workspace, tmp_path / "a.zip")


def test_a_locked_zip_is_refused_plainly(workspace, source, tmp_path):
    archive = pack(tmp_path / "plates.zip", source)
    content = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # set the flag of encryption in every header
        place = content.find(mark)
        while place >= 0:
            content[place + at] |= 1
            place = content.find(mark, place + 4)
    archive.write_bytes(content)
    with pytest.raises(BadInput, match=r"plates\.zip is protected by a password"):
        import_dataset(workspace, archive)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("exdd_core.datasets.archive.RATIO_FROM", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good/0.bmp", bytes(2**23))
    with pytest.raises(BadInput, match="would unpack to"):
        import_dataset(workspace, tmp_path / "bomb.zip")


def test_limits_of_a_zip_are_sentences(workspace, source, tmp_path, monkeypatch):
    archive = pack(tmp_path / "plates.zip", source)
    with monkeypatch.context() as limits:
        limits.setattr("exdd_core.datasets.archive.MAX_FILES", 3)
        with pytest.raises(BadInput, match="more than 3 files"):
            import_dataset(workspace, archive)
    with monkeypatch.context() as limits:
        limits.setattr("exdd_core.datasets.archive.MAX_BYTES", 2**5)
        with pytest.raises(BadInput, match="leave it out"):
            import_dataset(workspace, archive)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(BadInput, match="damaged"):
        import_dataset(workspace, archive)
    with zipfile.ZipFile(tmp_path / "words.zip", "w") as file:
        file.writestr("readme.txt", "no images")
    with pytest.raises(BadInput, match="contains no images"):
        import_dataset(workspace, tmp_path / "words.zip")


def test_damaged_bytes_inside_a_zip_are_a_sentence(workspace, source, tmp_path):
    archive = tmp_path / "plates.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(source.rglob("*.png")):
            file.write(path, path.relative_to(source))
    content = bytearray(archive.read_bytes())
    content[200:220] = bytes(20)  # inside the first image: its checksum no longer fits
    archive.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        import_dataset(workspace, archive)


# --- killed in the middle -----------------------------------------------------------------------------------

KILLED = """
import os, pathlib, signal, sys
from exdd_core.banks import building
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, imports, settings

place, work, point, source = sys.argv[1:]
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
workspace = Workspace.open(place)
if point == "before the commit":  # the folder is in place, its rows are written, nothing is committed
    settings.put = building.put = die
elif point == "after the commit":
    pathlib.Path.unlink = die
progress = Progress(lambda p: die() if p.stage == point and p.done * 2 >= p.total else None)
if work == "import":
    imports.import_dataset(workspace, source, size=Size(64, 64), progress=progress)
else:
    building.build_bank(workspace, progress=progress)
"""


def kill(workspace: Workspace, work: str, point: str, source: Path) -> None:
    assert Forked(KILLED, workspace.path, work, point, source).wait() == -signal.SIGKILL


@pytest.mark.parametrize("point", ["Reading files", "Copying files", "Checking images", "before the commit"])
def test_an_import_killed_in_the_middle_leaves_nothing(workspace, source, point):
    kill(workspace, "import", point, source)
    reopened = Workspace.open(workspace.path)
    assert reopened.datasets() == [] and leftovers(reopened) == []
    assert not (reopened.path / "datasets" / "plates").exists()
    assert import_dataset(reopened, source, size=SMALL).changed  # and nothing is in the way of the next


def test_an_import_killed_after_its_commit_is_whole(workspace, source):
    kill(workspace, "import", "after the commit", source)
    reopened = Workspace.open(workspace.path)
    assert leftovers(reopened) == []
    assert len(reopened.images("plates")) == 20 and all(row.path.is_file() for row in reopened.images())
    assert import_dataset(reopened, source, size=SMALL).changed is False


@pytest.mark.slow
@pytest.mark.parametrize("point", ["Computing features", "Storing the bank version", "before the commit"])
def test_a_build_killed_in_the_middle_leaves_the_active_bank(filled, source, point):
    first = build_bank(filled)
    before = tree(first.path)
    kill(filled, "build", point, source)
    reopened = Workspace.open(filled.path)
    assert [bank.id for bank in reopened.banks()] == [first.id] and reopened.active_bank() is not None
    assert leftovers(reopened) == [] and tree(first.path) == before
    assert [path.name for path in (reopened.path / "banks").iterdir() if path.is_dir()] == [first.id]
    assert build_bank(reopened).name == "v2"


def test_opening_leaves_a_living_maker_and_foreign_folders_alone(workspace, source):
    (workspace.path / "datasets" / "my own").mkdir()
    (workspace.path / "datasets" / "my own" / "notes.txt").write_text("keep me")
    at_work, go_on = threading.Event(), threading.Event()

    def wait(progress: Progress) -> None:
        if progress.stage == "Copying files":
            at_work.set()
            go_on.wait(30)

    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_dataset, workspace, source, progress=Progress(wait))
        try:
            assert at_work.wait(30)
            other = Workspace.open(workspace.path)  # would sweep what no living maker holds
            assert other.datasets() == [] and len(list(other.path.glob("datasets/.making-*"))) == 1
        finally:
            go_on.set()
        assert importing.result().changed
    assert len(other.images("plates")) == 20
    assert (workspace.path / "datasets" / "my own" / "notes.txt").read_text() == "keep me"


# --- bank versions --------------------------------------------------------------------------------------------


def test_a_bank_version_knows_the_training_split_only(filled):
    bank = build_bank(filled, seed=4, negative_ratio=0.2, positive_ratio=0.5)
    assert (bank.name, bank.dataset, bank.active) == ("v1", "plates", True)
    assert filled.bank("v1") == filled.bank("1") == filled.bank(bank.id) == filled.bank() == bank
    manifest = json.loads((bank.path / "manifest.json").read_text())
    assert manifest["settings"]["negative_ratio"] == 0.2 and manifest["settings"]["seed"] == 4
    assert manifest["settings"]["size"] == "64x64" and manifest["settings"]["layers"]
    assert (
        manifest["libraries"]["torch"]
        and manifest["seconds"] > 0
        and manifest["summary"]["positive_rows"] > 0
    )

    detector = load_detector(filled)
    assert detector.positive is not None
    used = {image.id for memory in (detector.negative, detector.positive) for image in memory.images}
    assert used == {row.id for row in filled.images(split="train")}
    assert load_detector(filled, bank.id) is detector  # read once
    inspection = detector.score([filled.images(split="test", label="defect")[0].path])[0]
    assert inspection.map.shape == (48, 64) and inspection.verdict in ("normal", "defect")


def test_the_same_seed_builds_the_same_bank(filled):
    one, two = build_bank(filled, seed=1), build_bank(filled, seed=1)
    files = [name for name in tree(one.path) if name != "manifest.json"]
    assert files and all(tree(one.path)[name] == tree(two.path)[name] for name in files)


def test_a_threshold_from_few_images_is_said_to_be_worth_little(workspace, source, tmp_path):
    few = tmp_path / "few"
    shutil.copytree(source / "good", few / "good")
    for file in sorted((few / "good").iterdir())[2:]:
        file.unlink()
    info = import_dataset(workspace, few, size=SMALL)
    told = "With only 2 normal training images, the threshold cannot promise fewer false alarms than 1 in 3"
    assert any(told in sentence for sentence in info.report["sentences"])
    assert told in build_bank(workspace).summary["note"]


def test_which_defects_a_bank_learns_from(filled):
    assert build_bank(filled, positives="none").summary["positive_rows"] == 0
    assert "synthetic" in build_bank(filled, positives="both").summary["note"]
    few = build_bank(filled, max_real_parts=1)
    assert few.summary["positive_images"] == 1 and few.settings["max_real_parts"] == 1
    with pytest.raises(BadInput, match="no accepted synthetic"):
        build_bank(filled, positives="synthetic")
    with pytest.raises(BadInput, match="real, synthetic, both, none"):
        build_bank(filled, positives="all")
    with pytest.raises(BadInput):
        build_bank(filled, fusion="magic")
    assert len(filled.banks()) == 3


def test_activating_and_deleting(filled):
    one = build_bank(filled)
    two = build_bank(filled, activate=False)
    assert filled.active_bank() == one
    activate_bank(filled, "v2")
    assert filled.bank().id == two.id
    with pytest.raises(BadInput, match="active"):
        delete_bank(filled, "v2")
    delete_bank(filled, "v1")
    assert [bank.name for bank in filled.banks()] == ["v2"] and not one.path.exists()
    assert build_bank(filled).name == "v3"
    activate_bank(filled, "v2")
    delete_bank(filled, "v3")
    assert build_bank(filled, activate=False).name == "v4"  # a number never means two versions
    with pytest.raises(BadInput, match='no bank version "v3"'):
        load_detector(filled, "v3")


def test_two_builds_at_once_are_both_whole(filled):
    with ThreadPoolExecutor(2) as pool:
        banks = list(pool.map(lambda seed: build_bank(filled, seed=seed), (1, 2)))
    assert sorted(bank.name for bank in filled.banks()) == ["v1", "v2"]
    assert all(load_detector(filled, bank.id).negative for bank in banks)
    assert sum(bank.active for bank in filled.banks()) == 1 and leftovers(filled) == []


def test_only_the_last_two_detectors_stay_in_memory(filled):
    for seed in range(3):
        build_bank(filled, seed=seed)
    first = load_detector(filled, "v1")
    load_detector(filled, "v2")
    assert load_detector(filled, "v1") is first
    load_detector(filled, "v3")  # v2 is the one used longest ago
    assert load_detector(filled, "v1") is first
    assert len(stored._kept(filled).detectors) == 2


def test_a_cancelled_build_leaves_nothing(filled):
    progress = Progress(lambda p: p.cancel() if p.stage == "Storing the bank version" else None)
    with pytest.raises(Cancelled):
        build_bank(filled, progress=progress)
    assert filled.banks() == [] and leftovers(filled) == []


def test_a_bank_never_meets_features_of_another_network(filled):
    bank = build_bank(filled)
    state = json.loads((bank.path / "detector.json").read_text())
    state["backbone"]["fingerprint"] = "another"
    (bank.path / "detector.json").write_text(json.dumps(state))
    with filled.writing() as db:
        db.execute("update banks set files = null")  # digests would tell the changed file before it is read
    with pytest.raises(BadInput, match="built with"):
        load_detector(Workspace.open(filled.path))


def test_a_training_split_without_normals_is_a_sentence(filled):
    with sqlite3.connect(filled.path / "workspace.db") as connection:
        connection.execute("delete from images where label = 'normal'")
    with pytest.raises(BadInput, match="no normal images"):
        build_bank(filled)


# --- the demo -------------------------------------------------------------------------------------------------


def test_the_demo_is_completed_where_it_was_killed_and_then_left_alone(workspace, monkeypatch):
    from exdd_core.datasets import demo

    small = functools.partial(demo.generate, normal=12, defective=6)
    monkeypatch.setattr(demo, "generate", small)
    stop = Progress(lambda p: p.cancel() if p.stage == "Computing features" else None)
    with pytest.raises(Cancelled):
        make_demo(workspace.path, stop)
    assert [info.name for info in workspace.datasets()] == ["demo"] and workspace.banks() == []
    assert make_demo(workspace.path).bank().dataset == "demo"
    assert len(make_demo(workspace.path).banks()) == 1


def test_the_demo_leaves_a_workspace_in_use_alone(filled):
    make_demo(filled.path)
    assert [info.name for info in filled.datasets()] == ["plates"] and filled.banks() == []


def test_a_file_that_its_disk_cannot_hold_is_said() -> None:
    for error in (
        OSError(errno.EFBIG, "File too large"),
        SafetensorError("I/O error: File too large (os error 27)"),
    ):
        assert module.sentence_of(error).startswith("A file is larger than its disk or your account allows")
