"""What a program that a test starts and kills has imported already: see tests/forked.py."""

import faiss  # noqa: F401
import onnxruntime  # noqa: F401
import openvino  # noqa: F401

from exdd_core import curation, jobs, later  # noqa: F401
from exdd_core.banks import building, detectors  # noqa: F401
from exdd_core.jobs import kinds  # noqa: F401
from exdd_core.workspace import imports, joining  # noqa: F401

later.load()
