"""Data sets: reads folders of many layouts into one table of records, and groups, splits and checks them.

Knows folders, archives, annotation files and physical parts; one module for each layout. Does not know
features, the database or what becomes of a record.

>>> from exdd_core.datasets import Record, folds
>>> parts = ("a", "a", "b", "c")  # two images show part a
>>> records = [Record(f"{i}.png", "normal", "", None, "", part) for i, part in enumerate(parts)]
>>> sorted(sorted(fold) for fold in folds(records, 3))  # test images; no part is in two folds
[[0, 1], [2], [3]]

A name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
