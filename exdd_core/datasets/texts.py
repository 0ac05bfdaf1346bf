"""Reads annotation files of limited size: JSON, XML, YAML and lines of text; and recognises formats of JSON.

Knows files and syntax. Does not know what the content means.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from exdd_core import files
from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.errors import BadInput
from exdd_core.sentences import listed

MOST_BYTES = 256 * 2**20
TABLES = (".csv", ".tsv", ".jsonl", ".xlsx", ".ods", ".parquet")
AGAIN = "export it again from the tool that created it"

COCO, LABELME, LABEL_STUDIO = "COCO", "LabelMe", "Label Studio"
# Tools whose annotations are named and not read -> what only their files hold.
FOREIGN = {
    "Supervisely": re.compile(
        r'"(?:classTitle|geometryType|projectType)"|"size"\s*:\s*\{[^{}]*\}\s*,\s*"objects"\s*:'
    ),
    "VIA": re.compile(r'"(?:shape_attributes|file_attributes|_via_settings)"\s*:'),
    "Labelbox": re.compile(r'"(?:data_row|Labeled Data|External ID)"\s*:'),
    "Datumaro": re.compile(  # from the beginning, so that a long file is searched once
        r'\A(?=.*"annotations"\s*:).*?"items"\s*:\s*\[\s*\{\s*"id"\s*:', re.DOTALL
    ),
}
_SHAPES = re.compile(r'"shapes"\s*:\s*\[')
_IMAGES = re.compile(r'"images"\s*:\s*\[')
_ANNOTATIONS = re.compile(r'"(?:annotations|categories)"\s*:')
_TASKS = re.compile(r'"(?:annotations|completions)"\s*:')
_DATA = re.compile(r'"data"\s*:\s*\{')
_REGIONS = re.compile(r'"(?:polygon|rectangle|ellipse|brush)labels"\s*:', re.IGNORECASE)


def read_json(path: Path, name: str) -> Any:
    """The content of a JSON file in any Unicode encoding. name: what messages call it. Raises `BadInput`."""
    text = _decoded(_bytes(path, name))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{name} is damaged at line {error.lineno} ({error.msg}); {AGAIN}.") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{name} cannot be read as JSON; {AGAIN}.") from None


def read_xml(path: Path, name: str) -> ElementTree.Element:
    """The root of an XML file. Documents that declare entities are refused. Raises `BadInput`."""
    data = _bytes(path, name)
    if b"\0" in data:
        raise BadInput(f"{name} is not encoded as UTF-8; save it as UTF-8.")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInput(f"{name} declares entities, which annotation files do not need; {AGAIN}.")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise BadInput(f"{name} is damaged XML ({error}); {AGAIN}.") from None


def read_yaml(path: Path, name: str) -> Any:
    """The content of a YAML file. Documents with aliases are refused: a few lines of them stand for billions of values.
    Raises `BadInput`."""
    text = _decoded(_bytes(path, name))
    try:
        events = yaml.parse(text, yaml.SafeLoader) if "*" in text else ()
        aliased = any(isinstance(event, yaml.AliasEvent) for event in events)
        content = None if aliased else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BadInput(f"{name} cannot be read as YAML; {AGAIN}.") from None
    if aliased:
        raise BadInput(f"{name} uses aliases, which annotation files do not need; {AGAIN}.")
    return content


def read_lines(path: Path, name: str, keep_empty: bool = False) -> list[str]:
    """The lines of a text file, those that are empty only where they count. Raises `BadInput`."""
    lines = [line.strip() for line in _decoded(_bytes(path, name)).splitlines()]
    return [line for line in lines if line or keep_empty]


def json_format(path: Path) -> str:
    """The format of a JSON file of annotations, damaged or not: `COCO`, `LABELME`, `LABEL_STUDIO`, a key of `FOREIGN`,
    or ""."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return _json_format(path, stat.st_size, stat.st_mtime_ns)


def json_files(tree: Tree, format: str) -> list[str]:
    """The JSON files of a tree that have this format of annotations."""
    return [
        name
        for name in tree.files
        if name.lower().endswith(".json") and json_format(tree.path(name)) == format
    ]


@lru_cache(maxsize=8192)
def _json_format(path: Path, size: int, changed: int) -> str:
    """Size and time of the last change are parameters so that a changed file is read again."""
    try:
        text = _decoded(_bytes(path, path.name))
    except BadInput:
        return ""
    begin = text.lstrip()[:1]
    if begin == "[":
        tasks = _DATA.search(text) and _TASKS.search(text)
        return LABEL_STUDIO if tasks or _REGIONS.search(text) else ""
    if begin != "{":
        return ""
    named = "coco" in path.name.lower() or "instances" in path.name.lower()
    if _IMAGES.search(text) and (named or _ANNOTATIONS.search(text)):
        return COCO
    if _SHAPES.search(text):
        return LABELME
    return next((tool for tool, mark in FOREIGN.items() if mark.search(text)), "")


def not_read(tree: Tree) -> list[str]:
    """A sentence about the JSON files of each tool whose annotations are not read."""
    names: dict[str, list[str]] = defaultdict(list)
    for name in tree.files:
        if name.lower().endswith((".json", ".ndjson")):
            names[json_format(tree.path(name))].append(name)
    told = [
        f"{listed(names[tool])}: annotations of {tool}, which are not read; export them as COCO JSON."
        for tool in FOREIGN
        if tool in names
    ]
    pictures = {key for image in tree.images for key in (name_key(base(image)), name_key(base(stem(image))))}
    if beside := [name for name in names[""] if name_key(base(stem(name))) in pictures]:
        told.append(
            f"{listed(beside)}: named as images and of a kind that is not read; if they mark defects, export them as "
            "COCO JSON."
        )
    return told


def tables_not_read(tree: Tree) -> list[str]:
    """A sentence about tables in the folder itself, which may hold labels."""
    tables = [name for name in tree.files if not parent(name) and name.lower().endswith(TABLES)]
    return (
        [f"{listed(tables)}: labels are not read from tables; sort the images into folders."]
        if tables
        else []
    )


def _bytes(path: Path, name: str) -> bytes:
    try:
        return files.read_regular(path, name, MOST_BYTES)
    except OSError as error:
        raise BadInput(f"{name} cannot be opened ({error.strerror}); check the file.") from None


def _decoded(data: bytes) -> str:
    """Decode text of any Unicode encoding, detected by its first bytes; invalid bytes become replacement
    signs."""
    return data.decode(json.detect_encoding(data), errors="replace").removeprefix("\ufeff")
