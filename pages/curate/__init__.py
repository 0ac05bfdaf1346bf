"""The Curate page: candidates with their measures, one decision after another, or many at once.

Each part has a module; `page` puts them together.
"""

from pages.curate.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
