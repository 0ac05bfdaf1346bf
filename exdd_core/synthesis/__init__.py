"""Synthesis: engines that paint defects into normal images, their masks, prompts and settings.

Knows masks, prompts, pixels and weights. Does not know the workspace or what a painting is worth.

    >>> from exdd_core.synthesis import ENGINES, engine_named
    >>> list(ENGINES)
    ['sdxl', 'procedural', 'transplant', 'quilt', 'learned']
    >>> engine_named("procedural").complete({"strength": "1.5"})["strength"]
    1.5
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
