"""One function over many items: here, one after another, or as tasks on the machines of a Ray cluster.

EXDD_RAY_ADDRESS switches the cluster on: host:port of a running one, or "local" for one that starts on this machine and
ends with the program. Knows Ray, threads and progress. Does not know what is computed, nor workspaces or jobs. Nothing
of Ray is imported without the switch.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from exdd_core import extras
from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")

SWITCH, LOCAL = "EXDD_RAY_ADDRESS", "local"
TRIES_MORE = 8  # times that a task is run again after its worker or its machine was lost
LOOK = 0.2  # seconds between two looks at whether somebody cancelled
AHEAD = 2  # tasks handed out for each that the cluster runs at once
# What results depend on, with the code: all machines of a cluster must have the same.
PACKAGES = (
    "torch",
    "openvino",
    "numpy",
    "scikit-learn",
    "opencv-python",
    "faiss-cpu",
    "faiss-gpu",
    "diffusers",
)
_connecting = threading.Lock()


def address() -> str:
    """What EXDD_RAY_ADDRESS says: "" for no cluster, "local", or host:port. Raises BadInput for anything else."""
    found = os.environ.get(SWITCH, "").strip()
    if found in ("", LOCAL) or re.fullmatch(r"[\w.\-]+:\d{1,5}", found):
        return found
    raise BadInput(f"{SWITCH} is '{found}'; set it to host:port of a Ray cluster, or to {LOCAL}.")


def map_tasks(
    function: Callable[[S, T], R], shared: S, items: Iterable[T], progress: Progress
) -> Iterator[R]:
    """`function(shared, item)` of every item, in the order of the items.

    On a cluster the function must be one of a module, `shared` and the items are pickled, their arrays are read-only,
    and a task whose worker or machine is lost runs again elsewhere: it may change nothing but its result. Each takes a
    GPU where the cluster has any, and computes with as many threads as this process, so that processors of the same
    kind give the same bits. Items are taken from their iterator as tasks end. progress: heard for a cancel only;
    whoever asks for results counts them. Raises what the function raises, `Cancelled`, and BadInput for a cluster that
    cannot be used.
    """
    if not address():
        for item in items:
            yield function(shared, item)
        return
    yield from _on_cluster(_connected(), function, shared, iter(items), progress)


def has_gpus() -> bool:
    """Whether the tasks of the cluster that EXDD_RAY_ADDRESS names compute on GPUs. Raises BadInput for none."""
    return "num_gpus" in _needs(_connected(), 1)[0]


def _on_cluster(
    ray: ModuleType, function: Callable[[S, T], R], shared: S, items: Iterator[T], progress: Progress
) -> Iterator[R]:
    threads = _threads()
    needs, at_once = _needs(ray, threads)
    task = ray.remote(_work).options(max_retries=TRIES_MORE, **needs)
    work, ran = ray.put((function, shared)), code()
    running: deque[Any] = deque()
    try:
        while True:
            while len(running) < AHEAD * at_once and (item := next(items, _END)) is not _END:
                running.append(task.remote(work, item, threads, ran))
            if not running:
                return
            while not ray.wait([running[0]], timeout=LOOK)[0]:
                if progress.cancelled:
                    raise Cancelled(progress.stage)
            yield _result(ray, running.popleft())
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


_END = object()


def _work(work: tuple[Callable[[S, T], R], S], item: T, threads: int, ran: str) -> R:
    """What a worker does with one item."""
    if ran != code():
        raise BadInput(
            f"The machine {socket.gethostname()} of the Ray cluster has a different version of the workbench or of "
            "its packages; install the same versions on all machines."
        )
    from threadpoolctl import threadpool_limits

    function, shared = work
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for what is imported only now
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with threadpool_limits(threads):
        return function(shared, item)


def _result(ray: ModuleType, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # as if it had been raised here
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise BadInput(
            f"A task was lost {TRIES_MORE + 1} times on the Ray cluster ({first}); check its machines and resume."
        ) from error


def _needs(ray: ModuleType, threads: int) -> tuple[dict[str, int], int]:
    """The resources of one task, and the number of tasks that the cluster runs at once."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus := int(sum(node.get("GPU", 0) for node in nodes)):
        return {"num_gpus": 1, "num_cpus": 1}, gpus
    each = min([threads, *(int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1)])
    return {"num_cpus": each}, max(1, int(sum(node.get("CPU", 0) // each for node in nodes)))


def _threads() -> int:
    import torch

    return torch.get_num_threads()


@functools.cache
def code() -> str:
    """A digest of the workbench's code and of what else results depend on; the same on all machines of a cluster."""
    digest, folder = hashlib.sha256(platform.python_version().encode()), Path(__file__).parent
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    for name in PACKAGES:
        try:
            digest.update(f"{name} {metadata.version(name)}".encode())
        except metadata.PackageNotFoundError:
            continue
    return digest.hexdigest()


def _connected() -> ModuleType:
    """Ray, connected to the cluster. Raises BadInput where it is not installed or none answers."""
    extras.CLUSTER.require()
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")  # nothing is reported to anybody
    import ray

    with _connecting:
        if not ray.is_initialized():
            connect = functools.partial(ray.init, address(), logging_level=logging.ERROR, log_to_driver=False)
            try:
                if address() == LOCAL:
                    connect(include_dashboard=False, _node_ip_address="127.0.0.1")
                else:
                    connect()
            except (ConnectionError, RuntimeError, OSError) as error:
                raise BadInput(
                    f"No Ray cluster is available at {address()}; start one as described in docs/CLUSTER.md, or unset "
                    f"{SWITCH}."
                ) from error
    return ray
