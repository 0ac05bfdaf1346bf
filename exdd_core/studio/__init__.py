"""Studio: orders, recipes, masks and painting of candidates.

Knows the workspace and the engines of synthesis. Does not know banks, decisions or the queue of jobs.

    >>> from exdd_core import studio
    >>> from exdd_core.synthesis import Order
    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")
    >>> order = Order("demo", "procedural", template="dark scratch", mask={"source": "generated"}, count=2)
    >>> [recipe.seed for recipe in studio.recipes(workspace, order)]
    [0, 1]
    >>> studio.paint_one(workspace, order).status
    'pending'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
