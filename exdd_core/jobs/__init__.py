"""Jobs: long computations, which run one at a time in a workspace and survive restarts.

Knows every kind of computation by its name. Does not know pages or commands.

    >>> from exdd_core import jobs
    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")
    >>> job = jobs.submit(workspace, "build", "Build a bank version from demo", {"dataset": "demo"})
    >>> job.state, jobs.cancel(workspace, job.id).state
    ('queued', 'cancelled')
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
