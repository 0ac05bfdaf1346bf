"""What the README and the documents say of the command line holds, and the command line answers --help at once.

Every documented command is given to the parser and none is run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import exdd_core
from exdd_core import cli
from exdd_core.cli.arguments import Command, Group
from exdd_core.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = "\n".join([README, *(file.read_text("utf-8") for file in sorted(ROOT.glob("docs/*.md")))])
PREFIX = ["python", "-m", "exdd_core"]
HEAVY = {"cv2", "diffusers", "faiss", "gradio", "numpy", "sklearn", "torch", "torchvision", "transformers"}


def documented() -> list[str]:
    """Every line of the documents' code blocks that begins a command, as a shell would read it."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", DOCUMENTS, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(" ".join(PREFIX) + " ")]


def words_of(line: str) -> list[str]:
    """The words behind `python -m exdd_core`, without the comment."""
    words = shlex.split(line, comments=True)
    assert words[: len(PREFIX)] == PREFIX, f"no command of ours: {line}"
    return words[len(PREFIX) :]


def entry_of(name: str, action: str | None) -> Command:
    found = cli.COMMANDS[name]
    if isinstance(found, Group):
        assert action is not None
        return found.actions[action]
    return found


def options_of(entry: Command | Group) -> set[str]:
    """The names of all options, such as --csv, that a command or a group of commands takes."""
    if isinstance(entry, Group):
        return {name for action in entry.actions.values() for name in options_of(action)}
    names: set[str] = set()
    if entry[1]:
        entry[1](lambda *given, **_: names.update(given))
    return {name for name in names if name.startswith("--")}


@pytest.mark.parametrize("line", documented())
def test_every_documented_command_is_accepted(line: str) -> None:
    name, *rest = words_of(line)
    options = cli.parse([name, *rest])
    assert options.command is entry_of(name, rest[0] if rest else None)[0]


def test_every_command_is_documented() -> None:
    assert {words_of(line)[0] for line in documented()} == set(cli.COMMANDS)


def test_every_option_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", README))
    taken = {"--help", "--version", "--workspace", "--json"}.union(*map(options_of, cli.COMMANDS.values()))
    assert "--role" in named
    assert named <= taken


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\bmake (\w+)(?=`|  )", README))
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert "run" in named
    assert named <= set(rules)


@pytest.mark.parametrize(
    "words", [["frobnicate"], ["import"], ["score", "--frobnicate"], ["serve", "--port", "no"]]
)
def test_the_parser_refuses_what_is_no_command(words: list[str]) -> None:
    with pytest.raises(BadInput):
        cli.parse(words)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["import", "--help"]], ids=" ".join)
def test_help_and_version_answer_without_the_heavy_packages(words: list[str]) -> None:
    program = [sys.executable, "-X", "importtime", "-m", "exdd_core", *words]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0 and ended.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert {"argparse", "exdd_core"} <= imported  # the listing is what we take it for
    assert not imported & HEAVY


PAGES = """
import ast, sys
from pathlib import Path
parsed, ast.get_source_segment = ast.get_source_segment, None  # by which Gradio would read its components
import app
ast.get_source_segment = parsed
from exdd_core.workspace import Workspace, schema
folder = Path(sys.argv[1])
schema.write(folder / "workspace.db", {"backbone": "efficientnet_lite0"})
workspace = Workspace.open(folder)
app.create_app(workspace, worker=True)
app.launch_options(workspace)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_the_pages_are_made_without_what_takes_long_to_load(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PAGES, str(tmp_path)]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    loaded = set(ended.stdout.split())
    assert {"gradio", "exdd_core"} <= loaded  # the listing is what we take it for
    assert loaded & (HEAVY - {"gradio", "numpy", "cv2"} | {"openvino", "scipy"}) == set()


def test_every_required_package_has_its_reason() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    lines += [line for several in about.values() for line in several]
    named = {match[0].lower() for line in lines if (match := re.match(r"[A-Za-z][\w-]*", line))}
    said = set(re.findall(r"[a-z][\w-]*", (ROOT / "docs" / "PACKAGES.md").read_text("utf-8").lower()))
    assert "numpy" in named and named - {"faiss-cpu", "faiss-gpu"} <= said


def test_the_version_stands_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"ExDD Workbench {exdd_core.__version__}\n"
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" in about["project"]["dynamic"] and "version" not in about["project"]
    assert about["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "exdd_core.__version__"}
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text("utf-8")
