"""The Banks page: versions, a build, a comparison, rows and a map of both banks.

Each part has a module; `page` puts them together.
"""

from pages.banks.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
