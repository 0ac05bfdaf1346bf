"""Answers the addresses of small pictures and of Plotly's script.

    /thumbnail?image=ID                          an image of a data set with its mask's outline; &outline=0 without
    /candidate?id=ID&what=image                  a candidate; or its source, mask, thumb or close; &full=1 every pixel
    /defect?image=ID                             a close-up of a real defect with its outline
    /contact?dataset=NAME                        a contact sheet of results; &job= &status= &engine= &prompt_id= filter
    /patch?bank=ID&image=ID                      an image that a bank has rows of; &row=..&column=.. marks a patch,
                                                 &large=1 is larger
    /plotly.js                                   Plotly, out of the Python package

Knows addresses, how long browsers keep an answer, and where images are found. Does not know pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exdd_core import drawing
from exdd_core.errors import BadInput
from exdd_core.images import encode_jpeg, encode_png, read_image, read_mask
from exdd_core.review import lists
from exdd_core.studio import contact_sheet, editor
from exdd_core.workspace import Workspace, candidates
from exdd_core.workspace.candidates import Candidate
from pages.banks.parts import whole
from pages.kept_pictures import kept_picture
from pages.pictures import picture_svg, small_jpeg, small_svg

HOUR, DAY = 3600, 86_400  # seconds that a browser keeps an answer
# Pixels of a picture's longer side.
THUMBNAIL_SIDE = 240
CANDIDATE_SIDE = 256
DISPLAY_SIDE = 1600
CLOSE_UP_SIDE = 112
LARGE_SIDE = 720

Asked = Mapping[str, str]  # the query of an address
Picture = tuple[str | bytes, str]  # content and media type
SVG, JPEG, PNG = "image/svg+xml", "image/jpeg", "image/png"


def routes(workspace: Workspace) -> list[Route]:
    """The routes to add to the app of a workspace."""
    return [
        _route("/thumbnail", workspace, _image, HOUR),
        _route("/candidate", workspace, _candidate, DAY),  # its files never change
        _route("/defect", workspace, _defect, HOUR),
        _route("/contact", workspace, _contact, 0),
        _route("/patch", workspace, _patch, HOUR),
        Route("/plotly.js", _plotly),
    ]


def _route(
    address: str, workspace: Workspace, drawn: Callable[[Workspace, Asked], Picture], kept: int
) -> Route:
    """A route that answers a query with the picture by `drawn`, or with 404 and the sentence of a `BadInput`."""

    def answer(request: Request) -> Response:
        try:
            with workspace.keeping_open():
                content, media_type = drawn(workspace, request.query_params)
        except BadInput as error:
            return PlainTextResponse(str(error), status_code=404)
        headers = {"Cache-Control": f"private, max-age={kept}"}
        return Response(content, media_type=media_type, headers=headers)

    return Route(address, answer)


def _image(workspace: Workspace, asked: Asked) -> Picture:
    row = lists.find_image(workspace, asked.get("image", ""))
    mask = row.mask if asked.get("outline") != "0" else None

    def drawn() -> bytes:
        pixels = read_image(row.path, row.id, row.depth)
        lines = drawing.outline(read_mask(mask, pixels.shape[:2])) if mask else []
        return small_svg(pixels, THUMBNAIL_SIDE, lines).encode()

    return kept_picture(workspace, ("image", THUMBNAIL_SIDE, row.path, row.depth, mask), drawn), SVG


def _candidate(workspace: Workspace, asked: Asked) -> Picture:
    """A candidate's picture, reduced unless "full" is given.

    what: "image", "source" (the image it was painted into), "mask", "thumb" or "close" (a square around the painted
    defect).
    """
    made, what = candidates.get(workspace, asked.get("id", "")), asked.get("what", "image")
    if what == "mask":
        return made.mask.read_bytes(), PNG
    if what == "close":
        files = made.image, made.drawn
        return kept_picture(workspace, ("close", CANDIDATE_SIDE, *files), lambda: _close_up(made)), JPEG
    if what not in ("image", "source", "thumb"):
        raise BadInput(f'A candidate has no picture "{what}"; use image, source, mask, thumb or close.')
    row = workspace.image(made.source) if what == "source" else None
    if asked.get("full") == "1" and row is None:
        return made.image.read_bytes(), PNG
    if what == "thumb":
        shown = ("whole", CANDIDATE_SIDE, made.image)
        return kept_picture(
            workspace, shown, lambda: small_jpeg(read_image(made.image), CANDIDATE_SIDE)
        ), JPEG
    pixels = read_image(row.path, row.id, row.depth) if row else read_image(made.image)
    return encode_jpeg(drawing.reduce(pixels, DISPLAY_SIDE), 95), JPEG


def _contact(workspace: Workspace, asked: Asked) -> Picture:
    found = candidates.listed(
        workspace,
        asked.get("dataset") or workspace.dataset().name,
        asked.get("status") or None,
        asked.get("engine") or None,
        asked.get("prompt_id") or None,
        asked.get("job") or None,
        limit=contact_sheet.MOST,
    )
    return encode_png(contact_sheet.contact_sheet(workspace, found)), PNG


def _close_up(made: Candidate) -> bytes:
    return small_jpeg(editor.painted_close_up(made), CANDIDATE_SIDE)


def _defect(workspace: Workspace, asked: Asked) -> Picture:
    id = asked.get("image", "")

    def drawn() -> bytes:
        pixels, mask = editor.close_up(workspace, id)
        return small_svg(pixels, CLOSE_UP_SIDE, drawing.outline(mask)).encode()

    return kept_picture(workspace, ("defect", CLOSE_UP_SIDE, *editor.defect_files(workspace, id)), drawn), SVG


def _patch(workspace: Workspace, asked: Asked) -> Picture:
    from exdd_core.banks import bank_map

    patches = []
    if "row" in asked or "column" in asked:
        patches = [(whole(asked.get("row"), "row"), whole(asked.get("column"), "column"))]
    found = bank_map.source_image(workspace, asked.get("bank", ""), asked.get("image", ""), patches)
    squares = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in found.boxes]
    side = LARGE_SIDE if asked.get("large") == "1" else THUMBNAIL_SIDE
    jpeg = kept_picture(
        workspace,
        ("whole", side, found.path, found.depth),
        lambda: small_jpeg(read_image(found.path, found.id, found.depth), side),
    )
    return picture_svg(jpeg, found.shape, squares), SVG


def _plotly(request: Request) -> Response:
    """Plotly's script, which pages load when they have a diagram to draw."""
    from plotly.offline import get_plotlyjs

    headers = {"Cache-Control": f"private, max-age={DAY}"}
    return Response(get_plotlyjs(), media_type="text/javascript", headers=headers)
