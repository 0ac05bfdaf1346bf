"""The engines by name, one instance of each in a process.

Knows the engines' names and modules, and imports a module when its engine is first used. Does not know how an
engine paints.
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
    "quilt": ("exdd_core.synthesis.quilt", "Quilt"),
    "learned": ("exdd_core.synthesis.learned", "Learned"),
}

# Those that need a real defect, and no prompt.
LENDING = frozenset({"transplant", "quilt", "learned"})

# Those that can be taught, and the setting that names what was taught.
TEACHABLE = {"sdxl": "lora", "learned": "taught"}


class _Engines(Mapping[str, type[Engine]]):
    """Maps a name to the engine's class. Its module is imported on access, because SDXL's needs diffusers."""

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
        # Mapping's own method would import the engine.
        return name in PLACES


ENGINES: Mapping[str, type[Engine]] = _Engines()

_made: dict[tuple[str, tuple[tuple[str, str], ...]], Engine] = {}
_making = threading.Lock()


def engine_named(name: str, **options: str) -> Engine:
    """The engine of this name; the same name and `options` of its class give the same object. Raises `BadInput`."""
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
