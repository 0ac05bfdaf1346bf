"""Has Gradio loaded as this app wants it: without analytics or telemetry, and a third sooner.

Knows what Gradio and its parts read while they are imported. Does not know pages.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from unittest.mock import patch

from exdd_core.errors import NOT_BEGUN


@contextmanager
def loading_gradio() -> Iterator[None]:
    """A block that imports Gradio.

    Whenever it is imported, Gradio 6 parses the source of each of its 80 components and writes a stub for editors
    beside it (gradio/component_meta.py): 1.3 of 3.9 s. It leaves out classes whose file is not to be had, and within
    the block that is said of all of its own.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    # It says that this is a Space, where Gradio would load changed files of ours again.
    os.environ.pop("SYSTEM", None)
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # pages.guard.proxied says which proxies are believed, not uvicorn
    found = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no stub is wanted")
        return found(thing)

    with patch.object(inspect, "getfile", getfile):
        yield


def say_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Handle what ends a program: Ctrl+C while its modules load, which takes seconds, ends it with one sentence."""
    if issubclass(kind, KeyboardInterrupt):
        print(NOT_BEGUN, file=sys.stderr, flush=True)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)
