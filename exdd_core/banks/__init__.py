"""Banks: versions built from a data set and decisions; their detectors, comparison, drift, map and histograms.

Knows the workspace and the detector. Does not know why somebody decided, nor painting.

    >>> from exdd_core import banks
    >>> banks.BuildOptions(dataset="demo", positives="both").positives
    'both'
    >>> banks.build_bank(workspace, banks.BuildOptions(dataset="demo")).name  # doctest: +SKIP
    'v1'
    >>> banks.load_detector(workspace, "v1").score([pixels])[0].score  # doctest: +SKIP
    0.83
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
