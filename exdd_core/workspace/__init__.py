"""The workspace: one folder with everything that is kept, and the database that says what is there.

Knows rows, files and locks. Does not know how a bank is computed or what a decision does.

    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")  # doctest: +SKIP
    >>> [info.called for info in workspace.datasets()]  # doctest: +SKIP
    ['demo']
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
