"""The Evaluate page: stored measurements with their figures, and a threshold to drag.

Knows its parts. Does not know other pages.
"""

from pages.evaluate.page import PATH, TITLE, render

__all__ = ["PATH", "TITLE", "render"]
