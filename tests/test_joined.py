"""Modules of a page joined into one script: in order, each once, and nothing that was not understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages import head, html, joined


def folder(root: Path, **files: str) -> Path:
    for name, text in files.items():
        (root / name).mkdir()
        (root / name / "page.js").write_text(text)
    return root


def test_a_module_stands_once_and_after_what_it_imports(tmp_path: Path) -> None:
    shared = "export const A = 1;\nconst hidden = 2;\nexport class B {}\n"
    page = 'import {\n  A as first,\n  B,\n} from "../shared/page.js";\nexport async function start() {\n  first;\n}\n'
    folder(tmp_path, shared=shared, one=page, two=page.replace("async ", ""))
    assert joined.script(tmp_path, ["one", "two"]).split("\n// ") == [
        "const $ = {};",
        'shared/page.js\n$["shared/page.js"] = (() => {\nconst A = 1;\nconst hidden = 2;\nclass B {}\n'
        "return { A, B };\n})();",
        'one/page.js\n$["one/page.js"] = (() => {\nconst {\n  A: first,\n  B,\n} = $["shared/page.js"];\n'
        "async function start() {\n  first;\n}\nreturn { start };\n})();",
        'two/page.js\n$["two/page.js"] = (() => {\nconst {\n  A: first,\n  B,\n} = $["shared/page.js"];\n'
        "function start() {\n  first;\n}\nreturn { start };\n})();\n"
        'window.exdd = { one: $["one/page.js"].start, two: $["two/page.js"].start };',
    ]


@pytest.mark.parametrize(
    "line",
    ['import A from "./a.js";', 'import "./a.js";', "export default 1;", "export const [A, B] = [1, 2];"],
)
def test_another_form_of_import_or_export_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match="one/page.js cannot be joined"):
        joined.script(folder(tmp_path, one=f"{line}\n"), ["one"])


@pytest.mark.parametrize("path", html.PAGES.values())
def test_every_page_has_its_script(path: str) -> None:
    name = path.strip("/") or "inspect"
    script = joined.script(head.ASSETS, [name])
    own = [file for file in (head.ASSETS / name).glob("*.js") if not file.name.endswith(".test.js")]
    assert own and all(f"// {name}/{file.name}\n" in script for file in own)
