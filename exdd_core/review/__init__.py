"""Review: images of a list, what both methods say of them, the marks that people make, and exports.

The room knows banks, curation and drawing. It does not know pages or HTTP.

The table of results is written for spreadsheets: a header, then one line for each image.

>>> from exdd_core.review import csv_text
>>> lines = csv_text([{"image": "part 1.png", "truth": "defect", "exdd_score": 1.25}]).splitlines()
>>> lines[0].split(",")[:3], lines[1].split(",")[:3]
(['image', 'truth', 'defect_type'], ['part 1.png', 'defect', ''])

All else begins with the review of a workspace: `Review(workspace).compare(id)`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
