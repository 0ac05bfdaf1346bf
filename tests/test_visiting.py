"""What tests in a browser forbid a page is seen: to ask another machine, and an answer that tells of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ASKED = {  # ways to ask an address
    "fetch": "fetch('ADDRESS', { mode: 'no-cors' }).catch(() => 0)",
    "picture": "new Promise((done) => { const i = new Image(); i.onerror = i.onload = done; i.src = 'ADDRESS' })",
    "socket": "new Promise((done) => { new WebSocket('ADDRESS'.replace('http', 'ws')).onerror = done })",
}


@pytest.mark.parametrize(
    "address", ["http://fonts.example/a", "https://fonts.example/a", "http://192.0.2.1:81/a"]
)
@pytest.mark.parametrize("way", ASKED)
def test_a_request_to_another_machine_fails_a_test(browser: Browser, way: str, address: str) -> None:
    with (
        pytest.raises(AssertionError, match="requests left the machine"),
        visiting(browser, errors=False) as page,
    ):
        page.evaluate(ASKED[way].replace("ADDRESS", address))


def test_a_request_that_a_page_forbids_itself_fails_a_test(browser: Browser) -> None:
    with (
        pytest.raises(AssertionError, match="Content Security Policy"),
        visiting(browser, errors=False) as page,
    ):
        page.set_content("<meta http-equiv='Content-Security-Policy' content=\"connect-src 'self'\">")
        page.evaluate(ASKED["fetch"].replace("ADDRESS", "http://fonts.example/a"))


def answering(page: Page, status: int) -> None:
    page.route("**/*", lambda route: route.fulfill(status=status, body="<p>here", content_type="text/html"))


@pytest.mark.parametrize("way", ["page", "fetch", "picture"])
def test_a_failure_of_the_server_fails_a_test(browser: Browser, way: str) -> None:
    with pytest.raises(AssertionError, match="status of 500"), visiting(browser, errors=False) as page:
        answering(page, 200 if way != "page" else 500)
        page.goto("http://127.0.0.1:9/")
        if way != "page":
            page.unroute_all()
            answering(page, 500)
            page.evaluate(ASKED[way].replace("ADDRESS", "/a"))


def test_a_page_that_asks_its_own_server_fails_no_test(browser: Browser) -> None:
    with visiting(browser) as page:
        answering(page, 200)
        page.goto("http://127.0.0.1:9/")
        page.evaluate(ASKED["fetch"].replace("ADDRESS", "/a"))
