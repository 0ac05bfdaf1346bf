"""The Data page: the data sets, import with a preview, a gallery with filters, the integrity report.

Each part has a module; `page` puts them together.
"""

from pages.data.page import HINT, PATH, TITLE, render

__all__ = ["HINT", "PATH", "TITLE", "render"]
