"""Experiments: evaluation, the paper's tables and Figure 2 on one's own images, stored as runs and reported.

The room knows the workspace, banks and evaluation. It does not know jobs or pages.

The paper's figures are shown next to one's own, as shares:

>>> from exdd_core.experiments import PAPER, short_title
>>> short_title("exdd_full"), PAPER["exdd_full"]["image_auroc"]
('ExDD full', 0.942)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
