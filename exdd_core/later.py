"""Packages that take seconds to import, each imported when something of it is used: the pages start without them.

    from exdd_core.later import torch

Types are in the stub beside this file. Knows names of packages. Does not know what they do. Python's own
`importlib.util.LazyLoader`, on which lazy_loader rests, has no lock in 3.11.7: threads may see a module half loaded.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _OneByOne(MetaPathFinder):
    """Has PyTorch and scipy.stats imported one after the other, whichever threads want them.

    As soon as `sys.modules` has torch, SciPy compares arrays with its tensors. It does so while scipy.stats is imported
    too, which fails where another thread is in the middle of importing torch.
    """

    NAMES = ("torch", "scipy.stats")

    def __init__(self) -> None:
        self._turn = threading.RLock()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self.NAMES else None
        if spec is not None and spec.loader is not None:
            create, execute = spec.loader.create_module, spec.loader.exec_module

            def create_module(spec: ModuleSpec) -> ModuleType | None:
                self._turn.acquire()  # before the module is in sys.modules
                return create(spec)

            def exec_module(module: ModuleType) -> None:
                try:
                    execute(module)
                finally:
                    self._turn.release()

            vars(spec.loader).update(create_module=create_module, exec_module=exec_module)
        return spec


sys.meta_path.insert(0, _OneByOne())


class _Later:
    """A module that is imported when the first of its attributes is asked for; safe in any thread."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(_imported(self._name), attribute)


def _imported(name: str) -> ModuleType:
    """A module, imported after the packages that it lies in.

    A thread that asks for a part of a package at once, while another thread imports the package, holds what that one
    needs next, and Python then gives them half a package.
    """
    package, _, _ = name.rpartition(".")
    if package:
        _imported(package)
    return importlib.import_module(name)


_loading = threading.Event()


def load() -> None:
    """Import them all now, so that nobody waits for them later."""
    _loading.set()
    try:
        for one in globals().copy().values():
            if isinstance(one, _Later):
                _imported(one._name)
    finally:
        _loading.clear()


def is_loading() -> bool:
    """Whether `load` is importing them: whoever needs one of them meanwhile waits."""
    return _loading.is_set()


torch = _Later("torch")
nn = _Later("torch.nn")
sparse = _Later("scipy.sparse")
ndimage = _Later("scipy.ndimage")
linalg = _Later("scipy.linalg")
special = _Later("scipy.special")
stats = _Later("scipy.stats")
linear_model = _Later("sklearn.linear_model")
metrics = _Later("sklearn.metrics")
preprocessing = _Later("sklearn.preprocessing")
