"""Curation: measures of candidates, what people decide on them, and what that does to the active bank version.

Knows the workspace, banks and evaluation. Does not know pages or how a candidate was painted.

    >>> from exdd_core import curation, studio
    >>> from exdd_core.synthesis import Order
    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")
    >>> order = Order("demo", "procedural", template="dark scratch", mask={"source": "generated"}, seed=7)
    >>> candidate = studio.paint_one(workspace, order)
    >>> curation.reject(workspace, [candidate.id], who="Ben", reasons=["too faint"]).sentence
    'Rejected 1 candidate.'
    >>> curation.undo_last(workspace, who="Ben").ids == [candidate.id]
    True
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
