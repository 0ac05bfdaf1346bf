"""The API: a whole round by HTTP, who may do what, errors as sentences, and its description in the tree."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client.exceptions import AppError
from PIL import Image

from exdd_core.api import __main__ as described
from exdd_core.cli import main
from exdd_core.images import encode_png
from exdd_core.sentences import count
from exdd_core.workspace import Workspace, decisions, people
from pages.guard import Doors
from tests import plates
from tests.browser import ROOT, serving


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.open(plates.build(tmp_path_factory.mktemp("api")))
    for name, role in (("ann", "admin"), ("vic", "viewer")):
        people.add(made, name, role, None)
    return made


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(
        workspace, Doors(sign_in=True, guest=None, folders=(workspace.path.parent / "plates",), mcp=True)
    ) as at:
        yield f"{at}api/v1/"


def program(
    workspace: Workspace, address: str, name: str, capsys: pytest.CaptureFixture[str]
) -> httpx.Client:
    """A client that acts as an account by a key of the command line."""
    capsys.readouterr()
    assert main(["users", "key", name, "--workspace", str(workspace.path)]) == 0
    bearer = {"Authorization": f"Bearer {capsys.readouterr().out.strip()}"}
    return httpx.Client(base_url=address, headers=bearer, timeout=60)


def png(pixels: np.ndarray) -> bytes:
    return encode_png(pixels)


def ended(client: httpx.Client, job: dict, state: str = "done") -> dict:
    """The result of a job once it has ended so."""
    for _ in range(600):
        job = client.get(f"jobs/{job['id']}").raise_for_status().json()
        if job["state"] not in ("queued", "running"):
            break
        time.sleep(0.1)
    assert job["state"] == state, job
    return job["result"]


def test_a_whole_round(workspace: Workspace, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    ann = program(workspace, address, "ann", capsys)

    def post(path: str, **more: object) -> dict:
        answer = ann.post(path, **more)  # type: ignore[arg-type]
        assert answer.is_success, answer.text
        return answer.json()

    # Score uploads; what is no image is said.
    painted = plates.painting(77)
    uploads = {"plain.png": png(plates.plate(600)), "bar.png": png(painted.image), "notes.txt": b"no image"}
    scored = post("score", files=[("files", item) for item in uploads.items()])
    plain, bar = scored["images"]
    assert (plain["image"], plain["exdd_verdict"], bar["exdd_verdict"]) == ("plain.png", "normal", "defect")
    assert len(scored["refused"]) == 1 and scored["refused"][0].startswith("notes.txt")

    # Of a file of several pages only the first is looked at, which is said.
    page = Image.fromarray(plates.plate(601))
    page.save(pages := io.BytesIO(), "TIFF", save_all=True, append_images=[page])
    both = post(
        "score", files=[("files", ("two.tif", pages.getvalue())), ("files", ("bar.png", uploads["bar.png"]))]
    )
    assert scored["notes"] == [] and [note[:32] for note in both["notes"]] == [
        "two.tif: Only page 1 of 2 was in"
    ]

    # Regions, map and nearest patches of one of them agree.
    here = {"image": bar["id"]}
    regions = ann.get("regions", params=here).json()
    assert (regions["width"], regions["height"]) == (64, 48) and regions["regions"] == bar["regions"]
    floats = np.load(io.BytesIO(ann.get("map", params=here | {"form": "npy"}).content))
    assert floats.shape == (48, 64) and floats.dtype == np.float32
    assert floats.max() == pytest.approx(bar["exdd_calibrated"], abs=0.05)
    assert ann.get("map", params=here).content.startswith(b"\x89PNG")
    x, y = regions["regions"][0]["at"]
    patch = ann.get("neighbours", params=here | {"x": x, "y": y}).json()
    assert patch["box"][0] <= x < patch["box"][2] and patch["exdd"] == pytest.approx(floats[y, x], abs=0.1)
    assert patch["normal"]["distance"] > patch["defect"]["distance"] and patch["defect"]["box"]

    # A list, as a job.
    queued = post("score/list", json={"list": "plates/test"})
    ended(ann, queued["job"])
    before = ann.get("results", params={"list": queued["list"]}).json()
    assert len(before) == len(ann.get("images", params={"list": "plates/test"}).json()) > 4
    folder = str(workspace.path.parent / "plates" / "good")
    assert ended(ann, post("score/list", json={"folder": folder})["job"]) == {"unreadable": 0, "reasons": []}

    # Mark a false alarm and a missed defect; take the first back. Who decided is the account.
    mask = ("mask.png", png(painted.mask), "image/png")
    alarm = post("marks/false-alarm", files={"image": (None, plain["id"])})
    assert post(f"decisions/{alarm['numbers'][0]}/undo", json={})["ids"] == [plain["id"]]
    missed = post(
        "marks/missed", data={"image": bar["id"], "type": "bar", "who": "Ben"}, files={"mask": mask}
    )
    assert missed["rows"] > 0 and missed["verdict"] == "defect" and "still Defect" in missed["sentence"]
    assert workspace_who(workspace, bar["id"]) == "ann"

    # Paint, look, accept and reject.
    assert (
        ended(ann, post("synthesize", json={"engine": "procedural", "prompt": "scratch", "count": 1}))["made"]
        == 1
    )
    pending = ann.get("candidates").json()
    ids = [one["id"] for one in pending]
    measures = {
        one["name"]: one["light"] for one in ann.get("candidates/effect", params={"id": ids[-1]}).json()
    }
    assert measures.keys() == {"visible", "clean", "plausible", "new", "effect"}
    [together] = ann.get("candidates/effect", params={"id": ids[-2:]}).json()
    assert together["name"] == "effect" and together["meaning"]
    accepted = post("candidates/accept", json={"ids": ids[-2:]})
    assert accepted["ids"] == ids[-2:] and len(accepted["numbers"]) == 2
    assert post(f"decisions/{accepted['numbers'][0]}/undo", json={})["ids"] == ids[-2:-1]
    assert [one["id"] for one in ann.get("candidates?status=accepted").json()] == ids[-1:]
    assert post("candidates/accept", json={"ids": ids[-2:-1]})["ids"] == ids[-2:-1]
    assert (
        post("candidates/reject", json={"ids": [ids[0]], "reasons": ["artefact"]})["sentence"]
        == "Rejected 1 candidate."
    )
    assert [one["id"] for one in ann.get("candidates").json()] == ids[1:-2]

    # A job that waits ends at once, one that runs at its next step.
    order = {"engine": "procedural", "prompt": "scratch", "count": 500}
    runs, waits = post("synthesize", json=order), post("synthesize", json=order | {"seed": 9})
    assert post(f"jobs/{waits['id']}/cancel")["state"] == "cancelled"
    post(f"jobs/{runs['id']}/cancel")
    ended(ann, runs, "cancelled")
    assert [job["id"] for job in ann.get("jobs").json()[:2]] == [runs["id"], waits["id"]]
    assert ann.get("jobs?active=true").json() == []


def test_the_round_that_is_documented_with_curl(
    workspace: Workspace, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "API.md").read_text("utf-8"), re.M | re.S)
    painted = plates.painting(88)
    (tmp_path / "part.png").write_bytes(encode_png(painted.image))
    (tmp_path / "mask.png").write_bytes(encode_png(painted.mask))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    marked = (
        len(decisions.in_force(workspace, "missed", "false_alarm")) + 1
    )  # with the round above, where that ran
    here = {"API": address.rstrip("/"), "EXDD_WORKSPACE": str(workspace.path), "PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", "".join(lines)],
        cwd=tmp_path,
        env=os.environ | here | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr + made.stdout
    told = {file.stem: json.loads(file.read_text("utf-8")) for file in tmp_path.glob("*.json")}
    assert told["scored"]["images"][0]["image"] == "part.png" and told["regions"]["width"] == 64
    assert told["neighbours"]["box"] and np.load(tmp_path / "map.npy").shape == (48, 64)
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert told["marked"]["rows"] >= 0 and "missed defect" in told["marked"]["sentence"]
    assert told["painted"]["result"]["made"] == len(told["candidates"]) == 2
    assert len(told["effect"]) == 5 and told["accepted"]["numbers"] and told["rejected"]["numbers"]
    assert told["blame"]["version"] == "v1" and told["blame"]["tried"] == marked and not told["blame"]["lost"]
    first = told["blame"]["images"][0]
    assert (
        first["side"] == "negative"
        and first["patches"] > 0
        and first["sentence"].endswith("contain an unmarked defect?")
    )
    built = told["built"]["result"]
    assert built["active"] and not built["held"] and len(built["lines"]) == marked
    assert told["active"]["sentence"] == f"{built['name']} is now active."
    assert (told["threshold"]["bank"], told["threshold"]["who"]) == (built["name"], "ann")
    again = told["again"]["images"][0]
    assert (again["bank_version"], again["exdd_verdict"]) == (built["name"], "defect")

    # A threshold by which nothing is a defect: the gate refuses to go back to that version.
    ann = program(workspace, address, "ann", capsys)
    first = ann.get("versions").json()[-1]
    chosen = ann.post("threshold", json={"way": "hand", "value": 500, "bank": first["id"]}).json()
    assert (chosen["value"], chosen["who"]) == (500, "ann")
    held = ann.post(f"versions/{first['name']}/activate", json={})
    assert (
        held.status_code == 409
        and f"fails {marked} of {count(marked, 'marked image')}" in held.json()["detail"]
    )
    assert ann.post("threshold/undo", json={"bank": first["id"]}).json()["value"] == 1
    activated = ann.post(f"versions/{first['name']}/activate", json={"anyway": True})
    assert activated.json()["sentence"] == "v1 is now active."


def test_gradio_client_does_what_the_docs_show(
    workspace: Workspace,
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [lines] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "API.md").read_text("utf-8"), re.M | re.S)
    painted = plates.painting(99)
    (tmp_path / "part.png").write_bytes(encode_png(painted.image))
    (tmp_path / "mask.png").write_bytes(encode_png(painted.mask))
    monkeypatch.chdir(tmp_path)
    root = address.removesuffix("api/v1/")

    def client(name: str) -> dict[str, Any]:
        bearer = program(workspace, address, name, capsys).headers["Authorization"]
        return {"address": root, "key": bearer.removeprefix("Bearer ")}

    told = client("ann")
    exec(lines, told)
    assert told["scored"]["images"][0]["image"] == "part.png" and told["regions"]["width"] == 64
    assert "missed defect" in told["marked"]["sentence"] and told["undone"]["ids"] == [told["image"]]
    assert told["accepted"]["ids"] == [told["one"]] and workspace_who(workspace, told["one"]) == "ann"
    ended(program(workspace, address, "ann", capsys), told["job"], "cancelled")
    workbench = told["workbench"]
    for call, given, said in (
        ("/regions", {"image": "nothing"}, "There is no image"),
        ("/accept", {"asked": {"ids": ["none"], "colour": 1}}, 'This call has no "colour"'),
        ("/score", {"files": [{"path": str(workspace.path / "workspace.db")}]}, "was not uploaded here"),
        ("/score", {"files": []}, "This call needs a file; send at least one"),
        ("/build", {"asked": None}, '"asked" is not valid; send an object with its fields'),
        ("/build", {"asked": {"fusion": "nonsense"}}, "There is no fusion named 'nonsense'"),
        ("/build", {"asked": {"backbone": "nonsense"}}, "There is no backbone named 'nonsense'"),
        ("/list_jobs", {"active": "perhaps"}, '"active" is not valid'),
    ):
        with pytest.raises(AppError, match=said):
            workbench.predict(**given, api_name=call)
    looks = client("vic")
    exec("".join(lines.splitlines(True)[:3]), looks)
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        looks["workbench"].predict(asked={}, api_name="/build")


def test_an_mcp_client_does_a_whole_round(
    workspace: Workspace, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the protocol with a handshake and by the one without; a viewer sees fewer tools and may call no other."""
    keys = {who: program(workspace, address, who, capsys).headers["Authorization"] for who in ("ann", "vic")}
    painted = plates.painting(111)
    part, mask = (
        {"name": "part.png", "data": base64.b64encode(png(one)).decode()}
        for one in (painted.image, painted.mask)
    )

    async def rounds() -> None:
        async with tools(address, keys["ann"], "legacy") as ask:
            [scored] = (await ask("score", files=[part]))["images"]
            assert (scored["image"], scored["exdd_verdict"]) == ("part.png", "defect")
            here = {"image": scored["id"]}
            assert (await ask("regions", **here))["regions"] == scored["regions"]
            marked = await ask("mark_missed", mask=mask, type="bar", **here)
            assert "missed defect" in marked["sentence"]
            [one, *_] = (await ask("candidates"))["result"]
            assert (await ask("accept", asked={"ids": [one["id"]]}))["ids"] == [one["id"]]
            assert workspace_who(workspace, one["id"]) == "ann"
            job = await ask("build", asked={"positives": "both"})
            built = ended(program(workspace, address, "ann", capsys), job)
            await ask("activate", version=built["name"], asked={"anyway": True})
            [again] = (await ask("score", files=[part]))["images"]
            assert (again["bank_version"], again["exdd_verdict"]) == (built["name"], "defect")
        async with tools(address, keys["vic"], "auto") as ask:
            [picture] = (await ask.call("map", here)).content
            assert base64.b64decode(picture.data).startswith(b"\x89PNG")
            named = {one.name: one for one in (await ask.client.list_tools()).tools}
            assert named.keys() >= {"versions", "regions"} and "accept" not in named
            assert named["results"].input_schema["required"] == ["key"]
            for name, given, said in (
                ("accept", {"asked": {"ids": [one["id"]]}}, "This needs the role curator; yours is viewer."),
                ("regions", {"image": "nothing"}, "There is no image"),
                ("regions", {"path": "/etc/passwd"}, 'This call has no parameter "path"'),
                ("regions", {}, 'This call needs "image"; send it.'),
                ("chalk", {}, 'There is no tool "chalk"'),
            ):
                refused = await ask.call(name, given)
                assert refused.is_error and said in refused.content[0].text
        async with tools(address, keys["ann"], "auto") as ask:
            assert "build" in {one.name for one in (await ask.client.list_tools()).tools}
            for file in ({"path": "/etc/passwd"}, {"name": "part.png", "data": "***"}):
                refused = await ask.call("score", {"files": [file]})
                assert refused.is_error and "in base64" in refused.content[0].text
            refused = await ask.call("score_list", {"asked": {"folder": "/etc"}})
            assert refused.is_error and "not in a folder that pages may read" in refused.content[0].text

    asyncio.run(rounds())
    root = address.removesuffix("api/v1/")
    for headers, method, status, said in (
        ({}, "post", 401, "Authorization: Bearer"),
        ({"Authorization": keys["ann"], "Origin": "http://evil.example"}, "post", 403, "Another website"),
        ({"Authorization": keys["ann"]}, "get", 405, "with POST"),
    ):
        answer = httpx.request(method, f"{root}mcp", headers=headers | JSON)
        assert answer.status_code == status and said in answer.json()["detail"]


class Asking:
    """A client of MCP that asks tools and wants an answer."""

    def __init__(self, client: Any):
        self.client = client

    async def call(self, name: str, given: dict[str, Any]) -> Any:
        return await self.client.call_tool(name, given)

    async def __call__(self, name: str, **given: Any) -> Any:
        answer = await self.call(name, given)
        assert not answer.is_error, answer.content
        assert json.loads(answer.content[0].text) in (
            answer.structured_content,
            *answer.structured_content.values(),
        )
        return answer.structured_content


@asynccontextmanager
async def tools(address: str, bearer: str, mode: str) -> AsyncIterator[Asking]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    url = f"{address.removesuffix('api/v1/')}mcp"
    async with (
        httpx2.AsyncClient(headers={"Authorization": bearer}, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield Asking(client)


def workspace_who(workspace: Workspace, subject: str) -> str:
    from exdd_core.workspace import decisions

    return decisions.history(workspace, subject, limit=1)[0].who


def test_what_cannot_be_done_is_one_sentence(
    workspace: Workspace, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ann, vic = (program(workspace, address, name, capsys) for name in ("ann", "vic"))
    away = str(workspace.path)
    for client, method, path, more, status, said in (
        (ann, "get", "regions?image=nothing", {}, 400, "There is no image"),
        (ann, "get", "regions?image=file:/etc/passwd", {}, 400, "/etc/passwd is not in any list"),
        (ann, "get", "regions?image=x&bank=v99", {}, 400, "v99"),
        (ann, "get", "regions", {}, 422, 'This call needs "image".'),
        (ann, "get", "results?list=d/test&bnak=v1", {}, 400, 'no parameter "bnak" in its address'),
        (ann, "post", "score", {"data": {"bank": "v1"}, "files": {"files": b"x"}}, 400, '"bank" in its form'),
        (
            ann,
            "get",
            "regions?image=a%00b",
            {},
            422,
            '"image" is not valid; send text without null characters.',
        ),
        (ann, "get", f"candidates?offset={2**63}", {}, 422, '"offset" is not valid'),
        (
            ann,
            "post",
            "candidates/reject",
            {"json": {"ids": [None]}},
            422,
            "One of the ids is empty; it must be text.",
        ),
        (
            ann,
            "post",
            "threshold",
            {"json": {"way": "f1", "bank": [1]}},
            422,
            "The bank is [1]; it must be text.",
        ),
        (ann, "get", "images?list=typo", {}, 400, 'There is no list "typo"'),
        (ann, "get", "results?list=typo", {}, 400, 'There is no list "typo"'),
        (ann, "post", "score/list", {"json": {"list": "typo"}}, 400, 'There is no list "typo"'),
        (ann, "get", "nothing", {}, 404, "openapi.json lists all"),
        (ann, "post", "build", {"json": {"negative_ratio": 2}}, 422, "The negative kept share is 2"),
        (ann, "post", "build", {"json": {"colour": 2}}, 422, 'A build has no "colour"'),
        (ann, "post", "build", {"content": b'{"seed": NaN}', "headers": JSON}, 422, "not valid JSON"),
        (ann, "post", "build", {"content": b"seed=1"}, 415, "accepts only application/json"),
        (ann, "post", "score/list", {"json": {"folder": away}}, 400, "not in a folder that pages may read"),
        (ann, "post", "score/list", {"json": {}}, 400, "Send either"),
        (ann, "post", "candidates/accept", {"json": {"ids": []}}, 422, "ids is too short; the minimum is 1"),
        (ann, "post", "synthesize", {"json": {"engine": "chalk"}}, 400, "chalk"),
        (ann, "post", "jobs/none/cancel", {}, 400, 'There is no job "none"'),
        (vic, "post", "build", {"json": {}}, 403, "This needs the role admin; yours is viewer."),
        (vic, "post", "marks/missed", {"data": {"image": "x"}, "files": {"mask": b"x"}}, 403, "curator"),
        (vic, "get", "versions", {}, 200, '"active":true'),
        (httpx.Client(base_url=address), "get", "versions", {}, 401, "Authorization: Bearer"),
        (
            httpx.Client(base_url=address, headers={"Authorization": "Bearer x"}),
            "get",
            "lists",
            {},
            401,
            "users key",
        ),
    ):
        answer = getattr(client, method)(path, **more)
        text = answer.text.replace('\\"', '"')
        assert answer.status_code == status and said in text, (path, text)
        assert status == 200 or list(answer.json()) == ["detail"], answer.text


JSON = {"Content-Type": "application/json"}


def test_the_description_in_the_tree_is_that_of_the_api() -> None:
    text = described.FILE.read_text(encoding="utf-8")
    assert text == described.written(), "run: python -m exdd_core.api"
    whole = json.loads(text)
    for path, calls in whole["paths"].items():
        for call in calls.values():
            unsaid = [one["name"] for one in call.get("parameters", ()) if not said(one, one["name"], call)]
            assert call["description"] and not unsaid, (path, unsaid)
    for name, schema in whole["components"]["schemas"].items():
        if not name.endswith("ValidationError"):  # FastAPI's own, which we never answer
            fields = schema.get("properties", {}).items()
            assert [field for field, its in fields if not said(its, field, schema)] == [], name


def said(its: dict, name: str, of: dict) -> bool:
    """Whether a field or a parameter is described, by itself or by name in the description of what it belongs to."""
    name = name.removeprefix("patchcore_").removeprefix("exdd_")
    return bool(its.get("description")) or bool(re.search(rf"\b{name}\b", of.get("description", "")))
