"""Banks: versions built from a data set and decisions; their detectors, comparison, drift, map and histograms.

Knows the workspace and the detector. Does not know why somebody decided, nor painting.

    >>> from exdd_core import banks
    >>> from exdd_core.workspace import Workspace
    >>> workspace = Workspace.open("data/workspace")
    >>> banks.BuildOptions(dataset="demo", positives="both").positives
    'both'
    >>> image = workspace.images("demo", split="test")[0]
    >>> banks.load_detector(workspace, "v1").score([image.path])[0].score > 0
    True
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
