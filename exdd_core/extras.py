"""Packages that few people need, so that they are installed when somebody does: what needs each, and what to run.

Knows names of packages; pyproject.toml has their versions. Imports none of them and does not know what they compute.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

from exdd_core.errors import BadInput


@dataclass(frozen=True)
class Extra:
    """`name`: in pyproject.toml and of the make target. `module`: what Python imports. `purpose`: begins a sentence."""

    name: str
    package: str
    module: str
    purpose: str

    def missing(self) -> str:
        """Empty where the package is installed, else one sentence on what needs it and how it is installed."""
        if importlib.util.find_spec(self.module):
            return ""
        return (
            f"{self.purpose} needs the package {self.package}, which is not installed: run "
            f'"make extra-{self.name}" or "{sys.executable} -m pip install {self.package}".'
        )

    def require(self) -> None:
        """Raises `BadInput` where the package is not installed."""
        if sentence := self.missing():
            raise BadInput(sentence)


MAP = Extra("map", "umap-learn", "umap", "The map by UMAP")
SDXL_FILE = Extra("sdxl-file", "open-clip-torch", "open_clip", "A single .safetensors file as SDXL's model")
EXTRAS = (MAP, SDXL_FILE)
