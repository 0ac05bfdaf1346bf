"""ExDD: anomaly detection by two memory banks, one of normal surface and one of defects.

The package knows arrays, files and the workspace. It never knows Gradio, HTTP or who is looking.
"""

import os

# torch and faiss each bring an OpenMP whose idle threads spin for milliseconds; beside each other, or beside a web
# server, they take the processor from whoever works. A short spin costs nothing; none at all makes small steps slow.
# Must be set before either is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
