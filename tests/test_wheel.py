"""The wheel: it holds all that the installed program needs, and nothing that only developers need."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = {".js", ".css", ".html", ".svg", ".png"}  # what browsers are given


def test_a_wheel_holds_the_program_its_pages_and_what_they_show(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    left = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("exdd_core", "pages", "assets"):
        shutil.copytree(ROOT / name, source / name, ignore=left)
    for name in ("app.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(made) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert "exdd = exdd_core.__main__:run" in wheel.read(points).decode()
        assert "exdd-score = exdd_core.bundle.program:run" in wheel.read(points).decode()
    files = [path for path in source.rglob("*") if path.is_file() and "build" not in path.parts]
    kept = {path for path in files if path.suffix in (".py", ".pyi", ".typed") or path.suffix in SHOWN}
    developers = {path for path in kept if path.name.endswith(".test.js") or path.name == "eslint.config.js"}
    assert held == {path.relative_to(source).as_posix() for path in kept - developers}
