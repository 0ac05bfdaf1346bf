"""A reverse proxy shows the pages below a prefix and by https."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exdd_core.images import encode_png
from exdd_core.workspace import Workspace
from pages import frame
from pages.guard import Doors
from tests import plates
from tests.browser import SLOW, scored, serving, until, visiting
from tests.trust.proxy import certificate, proxied

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What a page asks for last, and what all of them ask for.
LAST = {"/studio": "thumbnail?", "/curate": "candidate?", "/banks": "plotly.js"}
KINDS = (
    "look/",
    "assets/",
    "gradio_api/component_server",
    "gradio_api/queue/join",
    "gradio_api/upload",
    "theme.css",
)


@pytest.mark.slow
def test_every_page_script_and_call_works_below_a_prefix_by_https(
    workspace: Workspace, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "part.png").write_bytes(encode_png(plates.painting(901).image))
    asked: list[tuple[str, int]] = []
    told = {"X-Forwarded-Proto": "https"}
    with (
        serving(workspace, Doors.on("127.0.0.1", root="/exdd", proxies=("127.0.0.1",))) as server,
        proxied(server, "/exdd", strip=True, told=told, tls=certificate(tmp_path)) as address,
        visiting(browser, 1400, 900, leaving=True) as page,
    ):
        page.set_default_timeout(SLOW)
        page.add_init_script("localStorage.setItem('exdd.who', 'Ada')")
        page.on("response", lambda answer: asked.append((answer.url, answer.status)))
        page.goto(address.rstrip("/"))  # leads to the address with a / at its end
        assert page.url == address and address.startswith("https://")
        scored(page)  # functions of scripts
        page.locator(".vw-files").set_input_files([tmp_path / "part.png"])  # an upload and a job
        scored(page, "part.png")
        for title, path in frame.PAGES[1:]:
            page.locator(".frame-header nav a", has_text=title).click()
            page.wait_for_url(f"{address}{path[1:]}*")
            page.wait_for_selector(".frame-footer span")  # an event of Gradio
            wanted = LAST.get(path, "look/")
            until(page, functools.partial(_is_asked, asked, wanted))
        page.locator(".brand").click()
        page.wait_for_url(f"{address}*")
        scored(page)
    own = [(url, status) for url, status in asked if url.startswith("http")]
    assert [url for url, _ in own if not url.startswith(address.rstrip("/"))] == []
    assert [one for one in own if one[1] >= 400] == []
    for kind in KINDS:
        assert any(url.startswith(address + kind) or kind in url for url, _ in own), kind


def _is_asked(asked: list[tuple[str, int]], wanted: str) -> bool:
    return any(wanted in url for url, _ in asked)
