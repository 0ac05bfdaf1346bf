"""Writes the documentation site into build/docs: a page a room of `exdd_core` from its docstrings, a page a document.

`make docs` runs it. The pages ask no other host for anything. Knows pdoc, which lays pages out, and names of documents.
"""

from __future__ import annotations

import re
import shutil
import sys
import types
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "docs"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/*.md")
PACKAGES = ("exdd_core", "!exdd_core.__main__")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def main(place: Path = PLACE, packages: tuple[str, ...] = PACKAGES) -> int:
    """Write the site into an empty folder. packages: names for pdoc; a ! leaves one out."""
    import pdoc.doc
    import pdoc.extract
    import pdoc.render

    warnings.filterwarnings(
        "ignore", module="pdoc"
    )  # types that are imported for their checker alone stay words
    pages = {name: pdoc.doc.Module.from_name(name) for name in pdoc.extract.walk_specs(packages)}
    pages = {**{name: pdoc.doc.Module(page) for name, page in documents().items()}, **pages}
    pdoc.render.configure(footer_text="ExDD Workbench")
    shutil.rmtree(place, ignore_errors=True)
    for name, page in pages.items():
        file = place / f"{name.replace('.', '/')}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pdoc.render.html_module(page, pages), "utf-8")
    (place / "index.html").write_text(pdoc.render.html_index(pages), "utf-8")
    (place / "search.js").write_text(pdoc.render.search_index(pages), "utf-8")
    for picture in ROOT.glob("docs/*/*.webp"):
        shutil.copy(picture, place)
    return 0


def documents() -> dict[str, types.ModuleType]:
    """The documents as pdoc takes pages, by name, with links to each other and to pictures that hold in the site."""
    files = [file for pattern in DOCUMENTS for file in sorted(ROOT.glob(pattern))]
    names = {file.name: file.stem for file in files}

    def link(found: re.Match[str]) -> str:
        name = found[1].rpartition("/")[2]
        if name in names:
            return f"]({names[name]}.html)"
        return f"]({name})" if name.endswith(".webp") else found[0]

    made = {}
    for file in files:
        text = FRONT_MATTER.sub("", file.read_text("utf-8"))
        made[file.stem] = types.ModuleType(file.stem, re.sub(r"\]\(([^):]+)\)", link, text))
    return made


if __name__ == "__main__":
    sys.exit(main())
