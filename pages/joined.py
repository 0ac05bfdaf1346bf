"""Joins the modules in `assets` that a page loads into one script, and the styles into one sheet.

A browser that knows nothing yet asks for two files in place of 75. Nothing is translated: a module's text stands in a
function as it is, which returns what it exports. Knows the two forms that `make lint` leaves in `assets`: `import
{ names } from "file";` and `export` before a function, a class or a constant. Does not know what pages show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const) (\w+))", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def script(assets: Path, folders: Sequence[str]) -> str:
    """A module that runs what `page.js` of these folders imports, each file once and after what it imports itself.

    Puts each folder's `start` on the window as `exdd.FOLDER`. ValueError: a file imports or exports in another form.
    """
    files: dict[str, str] = {}
    for folder in folders:
        _add(assets, f"{folder}/page.js", files)
    starts = ", ".join(f'{folder}: $["{folder}/page.js"].start' for folder in folders)
    return "\n".join(["const $ = {};", *files.values(), f"window.exdd = {{ {starts} }};"])


def _add(assets: Path, name: str, files: dict[str, str]) -> None:
    if name in files:
        return
    text, folder = (assets / name).read_text("utf-8"), (assets / name).parent

    def imported(found: re.Match[str]) -> str:
        other = (folder / found[2]).resolve().relative_to(assets.resolve()).as_posix()
        _add(assets, other, files)
        return f'const {{{found[1].replace(" as ", ": ")}}} = $["{other}"];'

    text = IMPORT.sub(imported, text)
    exports = EXPORT.findall(text)
    text = EXPORT.sub("", text)
    if other := OTHER.search(text):
        raise ValueError(f'{name} cannot be joined with what imports it: write "{other[0]}" in another form.')
    files[name] = f'// {name}\n$["{name}"] = (() => {{\n{text}return {{ {", ".join(exports)} }};\n}})();'


def styles(assets: Path, files: Iterable[str]) -> str:
    """One style sheet out of several, in their order."""
    return "\n".join(f"/* {file} */\n{(assets / file).read_text('utf-8')}" for file in files)
