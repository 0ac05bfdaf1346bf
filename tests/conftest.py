"""What tests share: real images, a small demo data set, a workspace made from it, and a browser.

A thing that is not there skips the test with a reason; where EXDD_REQUIRE_ALL is set, as in CI, it fails it.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest

# All that is imported while tests are collected stays; walking it would take a third of that time.
gc.disable()

# What must pass before anything lands tries the same examples every time; everywhere else new ones are looked for. No
# example has a deadline: a busy machine takes its time.
repeated = bool(os.environ.get("EXDD_REQUIRE_ALL"))
hypothesis.settings.register_profile("here", deadline=None, derandomize=repeated)
hypothesis.settings.load_profile("here")
# Nothing leaves the machine, and no test sees the workspace of the person who runs it. Set before any import.
os.environ.update(HF_HUB_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False", MPLBACKEND="Agg")
os.environ.pop("EXDD_WORKSPACE", None)
# The programs that tests start keep what they compile of our modules; otherwise each of them compiles all of it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Workers in parallel share the cores: each of them, and each process it starts, computes in so many threads.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from exdd_core.workspace import Workspace

from pages.loading import loading_gradio  # noqa: E402 - reads what is set above

ROOT = Path(__file__).resolve().parent.parent
LOADING_DIFFUSERS = (
    r".*/test_(bench_gpu|cli|families|learned|lora_training|pages_studio|sdxl\w*|studio|teaching)\.py"
)


def missing(reason: str) -> NoReturn:
    """End the running test: skipped for `reason`, or failed where everything is required."""
    if os.environ.get("EXDD_REQUIRE_ALL"):
        pytest.fail(f"{reason} (EXDD_REQUIRE_ALL is set)", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist, too
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests of a file to one worker, as those of all files that load diffusers, which takes many seconds."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "diffusers" if re.fullmatch(LOADING_DIFFUSERS, file) else file

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, for `make test-fast` to leave out; mix files that wait for it with others.

    So the cores are busy all the time. Of each kind, the files that take longest come first.
    """
    browsing: Counter[Path] = Counter()
    computing: dict[Path, bool] = {}
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            browsing[item.path] += 1
        computing[item.path] = computing.get(item.path, False) or bool(item.get_closest_marker("slow"))
    place: dict[Path, float] = {}
    longest = [path for path, _ in browsing.most_common()]
    others = sorted(computing.keys() - browsing.keys(), key=lambda path: (not computing[path], path))
    for paths, until in ((longest, 0.8), (others, 1.0)):
        place |= {path: until * number / len(paths) for number, path in enumerate(paths)}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import Gradio as the program does, without stubs for editors, which take a third of the time.

    httpx would read some 140 certificates for every request, over HTTP as well, which takes 50 ms.
    """
    from httpx._transports import default

    default.create_ssl_context = functools.cache(default.create_ssl_context)
    with loading_gradio():
        yield


def pytest_collection_finish() -> None:
    """Keep the garbage collector off all that is imported by now, which it would walk again and again; let it walk what
    tests import and make a tenth as often."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with magnetic_tile/ and kolektor_sdd/ (read only)."""
    folder = Path(os.environ.get("EXDD_REAL_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "magnetic_tile").is_dir() or not (folder / "kolektor_sdd").is_dir():
        missing(f"no real images in {folder}: set EXDD_REAL_DATA")
    return folder


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills, in the first worker that wants it; the others have copies."""
    from filelock import FileLock

    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(shared / f"{name}.lock"):
        if not (whole := shared / name).exists():
            make(unfinished := factory.mktemp("unfinished") / name)
            unfinished.rename(whole)
    return Path(shutil.copytree(whole, factory.mktemp("copies") / name))


@pytest.fixture(scope="session")
def demo_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated demo data set (read only)."""
    from exdd_core.datasets import demo

    return _made_once(
        tmp_path_factory, "demo", lambda folder: demo.generate(folder, seed=0, normal=15, defective=9)
    )


@pytest.fixture(scope="session")
def demo_workspace(demo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the small demo data set and one bank version; tests must not change it."""
    from exdd_core.banks.building import build_bank
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.imports import import_dataset

    def make(folder: Path) -> None:
        workspace = Workspace.create(folder, backbone="efficientnet_lite0")
        import_dataset(workspace, demo_dataset, name="demo")
        build_bank(workspace, "demo")

    return Workspace.open(_made_once(tmp_path_factory, "demo_workspace", make))


@pytest.fixture(scope="session")
def demo_version(demo_workspace: Workspace) -> Iterator[Callable[[], int]]:
    """A number that changes when somebody writes to the database of `demo_workspace`."""
    from exdd_core.workspace.failures import DATABASE

    with closing(sqlite3.connect(demo_workspace.path / DATABASE, check_same_thread=False)) as db:
        yield lambda: int(db.execute("pragma data_version").fetchone()[0])


@pytest.fixture(autouse=True)
def demo_workspace_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that changes what all tests share."""
    version = None
    if "demo_workspace" in request.fixturenames:
        version = request.getfixturevalue("demo_version")
        before = version()
    yield
    assert version is None or version() == before, "demo_workspace was changed; the test needs a copy"


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random SDXL inpainting pipeline (read only)."""
    from tests import tiny_sdxl

    return tiny_sdxl.build(tmp_path_factory.mktemp("sdxl") / "tiny")


@pytest.fixture(scope="module")
def unloading() -> Iterator[None]:
    """Unload SDXL after a module. The garbage collector skips what is there before it, which it would walk whenever a
    model is unloaded."""
    from exdd_core.synthesis import sdxl_model

    gc.collect()
    gc.freeze()
    yield
    sdxl_model.unload()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium under playwright. One a module: its event loop must not outlive the tests that need it."""
    from tests import browser as browsers

    program = browsers.chromium()
    if program is None:
        missing("no chromium or google-chrome: install one or set EXDD_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: see tests/requirements.txt")
    with sync_playwright() as playwright, browsers.launched(playwright, program) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page of a visitor who may see the program end, which the console calls an error."""
    from tests.browser import visiting

    with visiting(browser, 1400, 900, errors=False) as page:
        page.set_default_timeout(30_000)
        yield page
