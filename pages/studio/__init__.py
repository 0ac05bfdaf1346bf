"""The Studio page: prompts, masks, engines and their paintings.

Each part has a module; `page` puts them together.
"""

from pages.studio.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
