"""ExDD: anomaly detection by two memory banks, one of normal surface and one of defects.

The package knows arrays, files and the workspace. It never knows Gradio, HTTP or who is looking.
"""

__version__ = "0.1.0"
