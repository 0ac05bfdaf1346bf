"""The engines by name, one of each in a process.

Knows their names and modules; each module is imported when its engine is wanted. Does not know how an engine
paints.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Mapping

from exdd_core.errors import BadInput
from exdd_core.synthesis.engine import Engine

PLACES = {
    "sdxl": ("exdd_core.synthesis.sdxl", "SDXL"),
    "procedural": ("exdd_core.synthesis.procedural", "Procedural"),
    "transplant": ("exdd_core.synthesis.transplant", "Transplant"),
}


class _Engines(Mapping[str, type[Engine]]):
    """From a name to the engine's class, whose module is imported on access: SDXL's needs diffusers."""

    def __getitem__(self, name: str) -> type[Engine]:
        if name not in PLACES:
            raise KeyError(name)
        module, attribute = PLACES[name]
        return getattr(importlib.import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)

    def __contains__(self, name: object) -> bool:
        # Mapping's own test would import the engine.
        return name in PLACES


ENGINES: Mapping[str, type[Engine]] = _Engines()

_made: dict[tuple[str, tuple[tuple[str, str], ...]], Engine] = {}
_making = threading.Lock()


def engine_named(name: str, **options: str) -> Engine:
    """The engine of this name, one in a process for the same `options` of its class. Raises `BadInput`."""
    if name not in ENGINES:
        raise BadInput(f'There is no engine "{name}"; choose {", ".join(ENGINES)}.')
    key = (name, tuple(sorted(options.items())))
    with _making:
        if key not in _made:
            _made[key] = ENGINES[name](**options)
        return _made[key]


def default_engine(**options: str) -> str:
    """ "sdxl" where its weights are present, else "procedural"; `options` are SDXL's."""
    return "procedural" if engine_named("sdxl", **options).missing() else "sdxl"
