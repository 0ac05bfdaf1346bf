"""What a request must be before anything reads it: from a page of ours, for an address that we serve, and proper JSON.

Other websites in the same browser reach a server on this machine. Their requests carry a foreign Origin or
Sec-Fetch-Site, or a form's content type; none of these gets further. Pure functions of a request's headers and
body. Does not know who is asking or what the functions of the pages do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from pages.guard.doors import Doors

API = "/gradio_api"
EVENTS = (f"{API}/queue/join", f"{API}/run/predict")  # run what an event of a page starts
FUNCTIONS = f"{API}/component_server"  # runs a function that a script asks
UPLOAD = f"{API}/upload"
REST = "/api/v1"  # what programs ask (`exdd_core.api`)
MCP = "/mcp"  # tools (`pages.mcp`), where they are served
UPLOADS = (UPLOAD, f"{REST}/score")  # take files as large as a data set
LARGEST_CALL = 64 << 20  # bytes of a function call; the largest holds a drawn mask
LARGEST_FORM = 64 << 10  # bytes of a form, such as that of signing in, which anybody may send
# Addresses of Gradio that our pages ask for. The rest of its addresses, such as its proxy, is not served.
SERVED = re.compile(
    r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|pwa_icon)?/?"
    r"|/(assets|static|svelte|look)/.*"
    r"|/gradio_api/(queue/(join|data|status)|run/predict|component_server|upload|upload_progress|cancel|reset|info|startup-events"
    r"|theme\.css|app_id|user)/?"
    r"|/gradio_api/file=.*"
    r"|/api/v1/.*"
)
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
DEEPEST = 50  # values within each other; the deepest of a page has a dozen
MOST_VALUES = 500_000  # of one call, by its separators; a page sends some ten thousand ids at most
PROGRAMS = (
    "Send the header Authorization: Bearer, with the token from the address that the workbench printed, or with the "
    "key that 'python -m exdd_core users key NAME' prints."
)
FROM_NOWHERE = (
    "This request has a cookie but does not say which page it comes from, so nothing was done. In programs, send a key "
    "in the header Authorization: Bearer instead of a cookie, or the header Origin with the address of the workbench."
)
WRITING = ("POST", "PUT", "PATCH", "DELETE")


class Refused(HTTPException):
    """A request goes no further. status: of HTTP. detail: one sentence. What reads a form lets it through."""

    def __init__(self, status: int, sentence: str):
        super().__init__(status, sentence)


def check_origin(doors: Doors, method: str, headers: Headers, *, page: bool, scheme: str = "http") -> None:
    """Refuse what another site's page sends. page: the address is one that people open, so links lead to it.

    scheme: that the request came by. Over https a page that came by http is another's: anybody on the way wrote it.
    """
    origin = headers.get("origin")
    if origin is not None:
        netloc = origin.lower().partition("://")[2]
        plain = scheme == "https" and origin.lower().startswith("http:")
        if (
            plain
            or not netloc
            or (netloc != headers.get("host", "").lower() and origin.lower() not in doors.origins)
        ):
            raise Refused(403, "Another website sent this request, so nothing was done.")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        shown = ("document", "iframe") if doors.framed_by else ("document",)
        opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in shown
        if not (page and opened and method in ("GET", "HEAD")):
            raise Refused(403, "Another website sent this request, so nothing was done.")
    # A browser that says nothing of where a request comes from; none lets another site's page add an Authorization.
    silent = origin is None and "sec-fetch-site" not in headers and "cookie" in headers
    if silent and method in WRITING and not headers.get("authorization", "").lower().startswith("bearer "):
        raise Refused(403, FROM_NOWHERE)


def check_address(path: str, own: frozenset[str]) -> None:
    """Refuse addresses that no page of ours asks for. own: those that we serve besides Gradio's."""
    if path not in own and not SERVED.fullmatch(path):
        raise Refused(404, "There is nothing at this address.")


def check_type(path: str, method: str, headers: Headers, doors: Doors) -> None:
    """Refuse bodies that are not JSON, which a form of another site could send, and bodies that are too large."""
    if method not in WRITING or not path.startswith((API, f"{REST}/", MCP)):
        return
    kind, wanted = content_type(headers), ["application/json"]
    if path.rstrip("/") == UPLOAD:
        wanted = ["multipart/form-data"]
    elif path.startswith(f"{REST}/"):
        wanted.append("multipart/form-data")
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            wanted.append(kind)  # it has no body
    if kind not in wanted:
        raise Refused(415, f"This address accepts only {' or '.join(wanted)}.")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > largest(path, doors):
        raise too_large(path, doors)


def content_type(headers: Headers) -> str:
    """The type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def largest(path: str, doors: Doors) -> int:
    """Bytes that a request to this address may have."""
    if not path.startswith((API, f"{REST}/", MCP)):
        return LARGEST_FORM
    return doors.largest_upload if path.rstrip("/") in UPLOADS else LARGEST_CALL


def too_large(path: str, doors: Doors) -> Refused:
    most = largest(path, doors)
    limit = f"{most >> 20:,} MB" if most >> 20 else f"{most >> 10} KB"
    return Refused(
        413, f"This is larger than {limit}, the most that the workbench accepts; send less at a time."
    )


def parse_call(body: bytes) -> dict[str, object]:
    """The JSON object of a function call, in UTF-8. Refuses what no page sends: numbers that are not finite, halves of
    characters, values within more values than ours are, other values; and more values than a call of ours has, before
    any is made: 64 MB of empty lists take gigabytes, and half a minute in which nobody else is answered."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Refused(
            413, f"This has more than {MOST_VALUES:,} values, so nothing was done; send fewer at a time."
        )
    try:
        text = body.decode()  # json.loads itself takes bytes in UTF-16, and halves of characters
        call = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if SURROGATE.search(text):  # most bodies hold none, and a whole check costs milliseconds for a mask
            json.dumps(call, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(422, "This is not valid JSON, so nothing was done.") from None
    if not isinstance(call, dict):
        raise Refused(422, "A call must be one JSON object; this is something else.")
    within: list[object] = [call]
    for _ in range(DEEPEST):
        within = [inner for outer in within for inner in _inner(outer) if isinstance(inner, dict | list)]
        if not within:
            return call
    raise Refused(422, f"This has values nested more than {DEEPEST} levels deep, so nothing was done.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 is read as infinity without a constant's name
        raise ValueError(text)
    return number


def _inner(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def check_server_call(call: Mapping[str, object]) -> None:
    """Refuse a call of a script's function whose fields have other types, before Gradio reads them."""
    fields = {"session_hash": str, "component_id": int, "fn_name": str, "data": dict}
    if call.keys() != fields.keys() or not all(type(call[name]) is kind for name, kind in fields.items()):
        raise Refused(422, "A call must have session_hash, component_id, fn_name and data, an object.")


def check_event(call: Mapping[str, object]) -> None:
    """Refuse an event of a page whose number or values have other types."""
    number = call.get("fn_index")
    if type(number) is not int or not isinstance(call.get("data"), list):
        raise Refused(422, "An event must have fn_index, a whole number, and data, a list.")
