"""The API: what programs ask over HTTP, below /api/v1, with a description in OpenAPI at /api/v1/openapi.json.

The room knows jobs, the rooms' faces and pydantic models. It does not know pages, sessions, roles or how anything is
computed; each function reads what was asked, calls what pages and command line call, and returns a model.

>>> from exdd_core import api
>>> api.endpoint_of("GET", "/jobs/5f3a").__name__
'job'

`create(workspace, person, allowed)` makes the ASGI application of a workspace, and `python -m exdd_core.api` writes the
description to docs/openapi.json.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
