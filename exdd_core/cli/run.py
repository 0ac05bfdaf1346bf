"""The commands on background jobs, the app and this machine: jobs, serve, doctor.

Knows processes and ports. Does not know pages: the app is a separate program.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exdd_core import extras
from exdd_core.cli.arguments import Add, Group, open_workspace
from exdd_core.cli.terminal import print_result, say
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.jobs import Job
    from exdd_core.workspace.doctor import Report

APP = Path(__file__).resolve().parents[2] / "app.py"


def list_jobs(options: argparse.Namespace) -> dict[str, list[answers.JobRow]]:
    """List running, waiting and ended jobs."""
    from exdd_core import jobs

    listed = jobs.listed(open_workspace(options))
    if not options.json:
        for job in listed:
            print(f"{job.id}  {job.state:<11}  {job.title}: {job.text}")
    return {"jobs": [_row(job) for job in listed]}


def _row(job: Job) -> answers.JobRow:
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "text": job.text,
        "fraction": job.fraction,
        "seconds_left": job.seconds_left,
        "result": job.result,
        "error": job.error,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
    }


def one_job(add: Add) -> None:
    add("id", metavar="ID", help="job id, as shown by jobs list")


def cancel_job(options: argparse.Namespace) -> answers.JobNow:
    """Cancel a waiting job, or stop a running one at its next step."""
    from exdd_core import jobs

    return _job_now(jobs.cancel(open_workspace(options), options.id), options)


def resume_job(options: argparse.Namespace) -> answers.JobNow:
    """Resume a cancelled, failed or interrupted job where it stopped."""
    from exdd_core import jobs

    return _job_now(jobs.resume(open_workspace(options), options.id), options)


def _job_now(job: Job, options: argparse.Namespace) -> answers.JobNow:
    after = {"running": "stops at its next step", "queued": "waits for the workbench to run it"}
    answer: answers.JobNow = {"job": job.id, "state": job.state}
    return print_result(f"{job.title}: {after.get(job.state, job.state)}.", answer, options)


def clear_jobs(options: argparse.Namespace) -> answers.JobsCleared:
    """Remove done, cancelled and failed jobs from the list; their results are kept."""
    from exdd_core import jobs

    answer: answers.JobsCleared = {"cleared": jobs.clear_ended(open_workspace(options))}
    return print_result(f"Removed {count(answer['cleared'], 'job')} from the list.", answer, options)


JOBS = Group(
    "Manage background jobs",
    {
        "list": (list_jobs, None),
        "cancel": (cancel_job, one_job),
        "resume": (resume_job, one_job),
        "clear": (clear_jobs, None),
    },
)


def serve_options(add: Add) -> None:
    place_options(add)
    door_options(add)


def place_options(add: Add) -> None:
    """Where the app listens, which containers say as Gradio reads it; app.py takes the same."""
    host, port = (os.environ.get(f"GRADIO_SERVER_{what}") for what in ("NAME", "PORT"))
    add(
        "--host",
        default=host or "127.0.0.1",
        help="address to listen on (default: GRADIO_SERVER_NAME, or else 127.0.0.1, this machine only)",
    )
    add(
        "--port",
        type=_port,
        default=port or "7860",
        help="port to listen on (default: GRADIO_SERVER_PORT, or else 7860)",
    )


def door_options(add: Add) -> None:
    """What is served and who may come in; app.py takes the same."""
    add(
        "--demo",
        action="store_true",
        help="if the workspace has no data sets, fill it with generated images first",
    )
    add("--sign-in", action="store_true", help="have users sign in with the accounts of `users`")
    add(
        "--token",
        action="store_true",
        help="print an address that contains a secret, and refuse access without it",
    )
    add("--mcp", action="store_true", help="offer the API calls as MCP tools, at /mcp")
    add(
        "--read-only",
        action="store_true",
        help="let anyone who has not signed in view everything but change nothing",
    )
    add(
        "--address",
        default="",
        metavar="URL",
        help="https://NAME under which a reverse proxy serves the workbench",
    )
    add(
        "--root-path", default="", metavar="PATH", help="/PREFIX under which a reverse proxy serves all pages"
    )
    add(
        "--proxy",
        default=[],
        nargs="+",
        metavar="ADDRESS",
        help="addresses of reverse proxies whose X-Forwarded-For, -Host and -Proto are trusted (default: none)",
    )
    _oidc_options(add)
    add(
        "--folders",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders that pages may import from (default: any on 127.0.0.1, otherwise none)",
    )
    add("--tls-cert", type=Path, metavar="FILE", help="serve HTTPS with this certificate (PEM)")
    add("--tls-key", type=Path, metavar="FILE", help="private key of the certificate")


def _oidc_options(add: Add) -> None:
    add(
        "--oidc-issuer",
        default="",
        metavar="URL",
        help="also let users sign in through this OpenID Connect provider",
    )
    add(
        "--oidc-client",
        default="",
        metavar="ID",
        help="client ID of the workbench there; its secret, if any, is read from EXDD_OIDC_SECRET",
    )
    add(
        "--oidc-claim",
        default="roles",
        metavar="NAME",
        help="claim of the ID token that contains the role (default: roles)",
    )


def door_words(options: argparse.Namespace) -> list[str]:
    """The same options for another program."""
    words = [
        f"--{name}"
        for name in ("sign-in", "token", "read-only", "mcp")
        if getattr(options, name.replace("-", "_"))
    ]
    for name in ("address", "root_path", "oidc_issuer", "oidc_client", "oidc_claim"):
        if getattr(options, name):
            words += [f"--{name.replace('_', '-')}", getattr(options, name)]
    if options.proxy:
        words += ["--proxy", *options.proxy]
    if options.folders is not None:
        words += ["--folders", *map(str, options.folders)]
    for name in ("tls_cert", "tls_key"):
        if getattr(options, name) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return words


def serve(options: argparse.Namespace) -> NoReturn:
    """Start the workbench in the browser."""
    check_port(options.host, options.port)  # before anything is imported, which takes seconds
    if options.mcp:
        extras.MCP.require()
    from exdd_core.workspace import Workspace

    if Workspace.exists(options.workspace):
        Workspace.open(options.workspace)  # raises before the address is announced
    if not APP.is_file():
        raise BadInput(f"{APP} is missing; run this from a complete copy of the project.")
    address = f"{'https' if options.tls_cert else 'http'}://{options.host}:{options.port}"
    say(f"Starting the workbench on {address} (press Ctrl+C to stop).")
    if options.json:  # serving does not end, so print the result first
        print(json.dumps({"address": address, "workspace": str(options.workspace)}), flush=True)
    program = [sys.executable, str(APP), "--workspace", str(options.workspace)]
    program += ["--host", options.host, "--port", str(options.port), *door_words(options)]
    program += ["--demo"] if options.demo else []
    sys.stderr.flush()
    os.execv(sys.executable, program)  # the app gets all signals and sets the exit code


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 1 to 65535")
    return int(text)


def check_port(host: str, port: int) -> None:
    """Raise `BadInput` where a server cannot listen there."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (socket.gaierror, UnicodeError):
        raise BadInput(f'"{host}" is not an address of this machine; use 127.0.0.1 or 0.0.0.0.') from None
    except OSError as error:
        raise BadInput(
            f"{host}:{port} cannot be used ({error.strerror}); stop the program that uses it or choose "
            "another --port."
        ) from None


def doctor(options: argparse.Namespace) -> Report:
    """Show what this machine offers: device, backbone, faiss, SDXL weights, disk, versions."""
    from exdd_core.workspace import Workspace, doctor as doctor_

    workspace = Workspace.open(options.workspace) if Workspace.exists(options.workspace) else None
    report = doctor_.report(workspace)
    told = [*doctor_.lines(report), *doctor_.advice(report)]
    return print_result("\n".join(told), report, options)
