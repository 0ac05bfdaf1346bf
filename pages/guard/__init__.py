"""The guard before every page: other websites, other people, and what each of those who come in may do.

    doors = Doors.on("127.0.0.1")
    create_app(workspace, doors)

Knows requests, cookies and roles. Does not know what pages show.
"""

from pages.guard.doors import Doors
from pages.guard.visitors import person

__all__ = ["Doors", "person"]
