"""The documentation site: documents and docstrings become pages that link to each other and ask no other host."""

from __future__ import annotations

import re
from pathlib import Path

from docs import build
from tests.browser import ROOT
from tests.conftest import missing


def test_every_link_between_documents_leads_to_a_page() -> None:
    pages = build.documents()
    assert {"README", "CHANGELOG", "API", "SPACE", "TRUST"} <= pages.keys()
    for name, page in pages.items():
        for link in re.findall(r"\]\(([\w./-]+)\)", page.__doc__ or ""):
            if link.endswith(".html"):
                assert link.removesuffix(".html") in pages, (name, link)
            elif link.endswith(".webp"):
                assert len(list(ROOT.glob(f"docs/*/{link}"))) == 1, (name, link)
            else:  # of the repository, which the site does not hold
                assert any((at / link).exists() for at in (ROOT, ROOT / "docs")), (name, link)
    assert not (pages["README"].__doc__ or "").startswith("---")


def test_the_site_renders_examples_and_asks_no_other_host(tmp_path: Path) -> None:
    try:
        import pdoc  # noqa: F401
    except ImportError:
        missing("pdoc is not installed: see tests/requirements.txt")
    assert build.main(tmp_path / "site", ("exdd_core.bundle", "!exdd_core.bundle.checkpoint")) == 0
    shown = (tmp_path / "site" / "exdd_core" / "bundle" / "scorer.html").read_text("utf-8")
    assert re.search(r'<pre><span></span><code><span class="gp">&gt;&gt;&gt; </span>', shown)
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.search(r'(?:src|import|url\()[=\s("\']*https?://', page.read_text("utf-8")), page.name
    assert (tmp_path / "site" / "README.html").is_file() and (tmp_path / "site" / "search.js").is_file()
