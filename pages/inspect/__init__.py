"""The Inspect page: images with the anomaly maps of both methods side by side.

Each part has a module; `page` puts them together.
"""

from pages.inspect.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
