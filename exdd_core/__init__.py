"""ExDD: anomaly detection by two memory banks, one of normal surface and one of defects.

Knows arrays, files and the workspace. Does not know Gradio or HTTP.
"""

import os

# torch and faiss each load an OpenMP whose idle threads spin for milliseconds. With both, or with a web server, they
# take processor time from working threads. A short spin costs nothing; without any, small steps get slow. Must be set
# before either is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
