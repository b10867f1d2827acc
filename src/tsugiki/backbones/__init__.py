"""Floor 2: a name -> a pretrained network with its own preprocessing; freezing, heads, layer groups, tables.

Nothing here is imported before it is used: torch takes a second, and most of the program's words need none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone, BackboneSpec, WeightsOrigin
    from tsugiki.backbones.freezing import freeze, is_frozen, unfreeze
    from tsugiki.backbones.groups import LayerGroup
    from tsugiki.backbones.heads import replace_head
    from tsugiki.backbones.loading import load_backbone, rebuild_backbone

__all__ = [
    "Backbone",
    "BackboneSpec",
    "LayerGroup",
    "WeightsOrigin",
    "freeze",
    "is_frozen",
    "load_backbone",
    "rebuild_backbone",
    "replace_head",
    "unfreeze",
]

_HOMES = {
    "Backbone": "backbone",
    "BackboneSpec": "backbone",
    "LayerGroup": "groups",
    "WeightsOrigin": "backbone",
    "freeze": "freezing",
    "is_frozen": "freezing",
    "load_backbone": "loading",
    "rebuild_backbone": "loading",
    "replace_head": "heads",
    "unfreeze": "freezing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"tsugiki.backbones.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
