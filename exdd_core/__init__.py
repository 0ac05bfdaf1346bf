"""ExDD: anomaly detection by two memory banks, one of normal surface and one of defects.

Knows arrays, files and the workspace. Does not know Gradio or HTTP.
"""

import importlib
import os
from typing import Any

# torch and faiss each load an OpenMP whose idle threads spin for milliseconds. With both, or with a web server, they
# take processor time from working threads. A short spin costs nothing; without any, small steps get slow. Must be set
# before either is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load`, of `bundle.scorer`: `exdd_core.load("bundle.zip").score("image.png").verdict`. Needs no PyTorch."""
    if name != "load":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return importlib.import_module("exdd_core.bundle.scorer").load
