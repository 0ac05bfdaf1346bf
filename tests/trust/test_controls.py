"""A page offers something that its visitor's role does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exdd_core.workspace import Workspace
from pages import frame
from pages.guard import Doors, controls, rights
from pages.guard.doors import ROLES
from tests.browser import SLOW, serving, visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What a page shows once its script has asked what it needs.
WHOLE = {
    "/": ".vw-card-ratio",
    "/studio": ".st-results img",
    "/curate": ".cu-card[aria-selected=true]",
    "/evaluate": ".ev-none:not([hidden])",
    "/data": "#gallery img",
    "/banks": "#versions .table",
}
# Press every button that can be seen, also those that only appear then; returns their words.
PRESS = """() => {
  const pressed = new Set();
  for (let round = 0; round < 3; round++)
    for (const one of document.querySelectorAll(".page button, .jobs-drawer button"))
      if (!pressed.has(one) && one.checkVisibility() && !one.disabled) { pressed.add(one); one.click(); }
  return [...pressed].map((one) => one.innerText.trim());
}"""
# Press keys, as on the page itself.
TYPE = """(keys) => {
  for (const key of keys) {
    const init = { key: key.replace("ctrl+", ""), ctrlKey: key.startsWith("ctrl+"), bubbles: true, cancelable: true };
    document.body.dispatchEvent(new KeyboardEvent("keydown", init));
  }
}"""
# What only somebody who may change something gets to see, and does now; a region that can be drawn on.
SEEN = """() => [...document.querySelectorAll(
    ".vw-drawing, .cu-reasons, .cu-trimbar, .cu-askwho, .cu-you, .rg-tools, .rg-keep, .rg-stage")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).pointerEvents !== "none")
  .map((one) => one.className)"""


def test_an_admin_lacks_nothing_and_a_guest_the_most() -> None:
    assert controls.head("admin", "/curate") == ""
    least, more = controls.head("viewer", "/curate"), controls.head("curator", "/curate")
    assert ".cu-accept" in least and "#build" in least and 'content="a r s u t d"' in least
    assert ".cu-accept" not in more and "#build" in more and "[data-needs=admin]" in more
    assert 'content=""' in more and 'content="r b e [ ]"' in controls.head("curator", "/data")
    assert set(controls.NEEDED) == set(ROLES) and set(controls.KEYS) <= {path for _, path in frame.PAGES}


@pytest.mark.slow
def test_a_guest_presses_every_button_and_key_of_every_page_and_is_refused_nothing(
    workspace: Workspace, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    role_of = rights.role_of

    def noted(function: object) -> str:
        asked.append((rights.name_of(function), role_of(function)))
        return role_of(function)

    monkeypatch.setattr("pages.guard.middleware.rights.role_of", noted)
    with (
        serving(workspace, Doors.on("127.0.0.1", read_only=True)) as address,
        visiting(browser, 1400, 1000, errors=False) as page,
    ):
        page.set_default_timeout(SLOW)
        for _, path in frame.PAGES:
            visit(page, address + path[1:])
            page.locator(WHOLE[path]).first.wait_for()
            assert page.evaluate(PRESS), path
            page.evaluate(
                TYPE, [key for keys in controls.KEYS.get(path, {}).values() for key in keys.split()]
            )
            if path == "/data":
                page.locator(".rg-ready").wait_for()  # its section was unfolded
            assert page.evaluate(SEEN) == [], path
            # The server answers this after what was pressed has asked.
            page.evaluate("fetch('./config').then((answer) => answer.text())")
        assert [name for name, role in asked if role != "viewer"] == []
        page.evaluate("document.querySelector('#build-start').click()")  # it is hidden
        said = page.locator(".page > .frame-refused")
        said.get_by_text("This needs the role admin; yours is viewer.").wait_for()
        page.evaluate("fetch('./config').then((answer) => answer.text())")
        assert page.locator(".toast-body").count() == 0  # Gradio's own
