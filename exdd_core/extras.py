"""The optional packages: what needs each, and the command that installs it.

Knows names of packages; pyproject.toml has their versions. Imports none of them and does not know what they compute.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

from exdd_core.errors import BadInput


@dataclass(frozen=True)
class Extra:
    """An optional package. name: in pyproject.toml and make. module: imported by Python. purpose: begins a sentence."""

    name: str
    package: str
    module: str
    purpose: str

    def missing(self) -> str:
        """A sentence on what needs the package and how to install it; "" where it is installed."""
        if importlib.util.find_spec(self.module):
            return ""
        return (
            f"{self.purpose} requires the package {self.package}, which is not installed; run "
            f'"make extra-{self.name}" or "{sys.executable} -m pip install {self.package}".'
        )

    def require(self) -> None:
        """Raise `BadInput` where the package is not installed."""
        if sentence := self.missing():
            raise BadInput(sentence)


MAP = Extra("map", "umap-learn", "umap", "The UMAP map")
SDXL_FILE = Extra("sdxl-file", "open-clip-torch", "open_clip", "A single .safetensors file as the SDXL model")
CLUSTER = Extra("cluster", "ray", "ray", "Computing on more than one machine")
OIDC = Extra("oidc", "Authlib", "authlib", "Signing in with OpenID Connect")
MCP = Extra("mcp", "mcp", "mcp", "Offering MCP tools")
INT8 = Extra("int8", "onnxruntime", "onnxruntime", "An int8 bundle")
DOCS = Extra("docs", "pdoc", "pdoc", "The documentation site")
EXTRAS = (MAP, SDXL_FILE, CLUSTER, OIDC, MCP, INT8, DOCS)
