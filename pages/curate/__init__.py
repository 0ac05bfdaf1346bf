"""The Curate page: candidates with their measures, and decisions on one or many.

Each part has a module; `page` puts them together.
"""

from pages.curate.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
