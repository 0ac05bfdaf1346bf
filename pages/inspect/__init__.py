"""The Inspect page: images with the anomaly maps of both methods side by side."""

from pages.inspect.page import PATH, render

__all__ = ["PATH", "render"]
