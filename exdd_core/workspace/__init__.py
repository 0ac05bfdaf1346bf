"""The workspace: one folder with all stored data, and a database of its content.

Knows rows, files and locks. Does not know how a bank is computed or what a decision does.

    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")
    >>> [info.called for info in workspace.datasets()]
    ['demo']
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
