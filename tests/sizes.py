"""A station of a way through the pages, looked at in every window and in both themes, without a reload.

What a machine can see is asserted: nothing is cut off, nothing lies over anything else, what is pressed next is in
sight. Contrast is asserted in test_accessibility; the pictures are for people.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import SIDEWAYS, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

WINDOWS = ((1400, 900), (1280, 720), (1920, 1080), (933, 600))  # the last is 1400x900 at 150 % zoom
PHONE = (390, 844)
FORMS = (
    "#import-look",
    "#import-start",
    "#build-start",
    ".ev-start",
)  # ends of forms that stand beside a list
BESIDE = 1200  # pixels from which on they do
FAULTS = Path(__file__).with_suffix(".js").read_text("utf-8")
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))"


def everywhere(page: Page, name: str, main: str, phone: bool = False) -> None:
    """Look at the page in all windows, light and dark, and come back to the one that it had.

    main: selector of what is pressed next here. phone: whether it must serve on a phone.
    """
    size, wrong = page.viewport_size, []
    assert size
    for width, height in (*WINDOWS, PHONE) if phone else WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(SETTLED)
        faults = page.evaluate(FAULTS)
        if (more := page.evaluate(SIDEWAYS)) > 0:
            faults.append(f"the page is {more} px wider than its window")
        next_one = page.locator(f"{main} >> visible=true").first
        if main in FORMS and width >= BESIDE:
            page.evaluate("scrollTo(0, 0)")
        elif re.search(r"/(data|banks|evaluate)\b", page.url):  # pages to scroll; the others fit their window
            next_one.evaluate("(one) => one.scrollIntoView({ block: 'nearest' })")
        box = next_one.bounding_box()
        if not box or min(box["x"], box["y"]) < 0 or box["x"] + box["width"] > width:
            faults.append(f"{main} is out of sight: {box}")
        elif box["y"] + box["height"] > height + 1:
            faults.append(f"{main} is below the window: {box}")
        wrong += [f"{width}x{height}: {fault}" for fault in faults]
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(
                f"document.documentElement.classList.contains('dark') === {'true' if theme == 'dark' else 'false'}"
            )
            shoot(page, f"{name}-{width}-{theme}")
        page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
    assert not wrong, "\n".join([name, *wrong])
