"""What a person chooses for a source before it is imported.

Knows layouts' names, groups, roles, depths and rules for masks. Does not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.reports import ChoicesRow
from exdd_core.depth import Depth
from exdd_core.mask_rules import MaskRule


@dataclass(frozen=True)
class Choices:
    """What a person chooses for a source before it is imported; every choice has a default.

    layout: "auto" or the name of a layout. groups: which images show one physical part. roles: folder -> a
    key of `ROLES`, the answers to a layout's questions. depth, masks: None decides both from the images.
    """

    layout: str = "auto"
    groups: GroupRule | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    depth: Depth | None = None
    masks: MaskRule | None = None

    def to_json(self) -> ChoicesRow:
        return {
            "layout": self.layout,
            "groups": str(self.groups) if self.groups else None,
            "roles": dict(self.roles),
            "depth": str(self.depth) if self.depth else None,
            "masks": str(self.masks) if self.masks else None,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Choices:
        """Raises `BadInput` for text that is no rule for groups, no depth or no rule for masks."""
        groups, depth, masks = (values.get(name) for name in ("groups", "depth", "masks"))
        return cls(
            values.get("layout") or "auto",
            GroupRule.parse(groups) if groups else None,
            dict(values.get("roles") or {}),
            Depth.parse(depth) if depth else None,
            MaskRule.parse(masks) if masks else None,
        )
