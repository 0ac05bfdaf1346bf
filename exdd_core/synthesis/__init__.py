"""Engines that paint defects into normal images. Knows their names; each is imported when it is asked for."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from exdd_core.errors import BadInput
from exdd_core.synthesis.engine import Engine

__all__ = ["ENGINES", "default_engine", "engine"]

_PLACES = {
    "sdxl": ("exdd_core.synthesis.sdxl", "SDXL"),
    "procedural": ("exdd_core.synthesis.procedural", "Procedural"),
    "transplant": ("exdd_core.synthesis.transplant", "Transplant"),
}


class _Engines(Mapping[str, type[Engine]]):
    """Name to class; torch and diffusers are imported only when somebody wants the engine that needs them."""

    def __getitem__(self, name: str) -> type[Engine]:
        if name not in _PLACES:
            raise KeyError(name)
        module, attribute = _PLACES[name]
        return getattr(importlib.import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)

    def __contains__(self, name: object) -> bool:  # Mapping's own would import the engine
        return name in _PLACES


ENGINES: Mapping[str, type[Engine]] = _Engines()

_made: dict[tuple[str, tuple[tuple[str, Any], ...]], Engine] = {}
_making = threading.Lock()


def engine(name: str, **options: Any) -> Engine:
    """The engine of this name, one a process for the same `options` (those of its class). Raises `BadInput`."""
    if name not in ENGINES:
        raise BadInput(f'There is no engine "{name}"; choose {", ".join(ENGINES)}.')
    key = (name, tuple(sorted(options.items())))
    with _making:
        if key not in _made:
            _made[key] = ENGINES[name](**options)
        return _made[key]


def default_engine(**options: Any) -> str:
    """ "sdxl" where its weights are present, else "procedural"; `options` are SDXL's."""
    return "procedural" if engine("sdxl", **options).missing() else "sdxl"
