"""Floor 2: a name -> a pretrained network with its own preprocessing; freezing, heads, layer groups, tables.

Nothing here is imported before it is used: torch takes a second, and most of the program's words need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.front_door import front_door

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone, BackboneSpec, WeightsOrigin
    from tsugiki.backbones.catalog import BackboneInfo, list_backbones
    from tsugiki.backbones.freezing import freeze, is_frozen, unfreeze
    from tsugiki.backbones.groups import LayerGroup
    from tsugiki.backbones.heads import replace_head
    from tsugiki.backbones.loading import build_network, load_backbone, rebuild_backbone
    from tsugiki.backbones.side_by_side import as_preprocess, transforms_side_by_side
    from tsugiki.backbones.tables import ParameterTable, Summary, parameter_table, summary
    from tsugiki.backbones.tinyvgg import TinyVGG

__all__ = [
    "Backbone",
    "BackboneInfo",
    "BackboneSpec",
    "LayerGroup",
    "ParameterTable",
    "Summary",
    "TinyVGG",
    "WeightsOrigin",
    "as_preprocess",
    "build_network",
    "freeze",
    "is_frozen",
    "list_backbones",
    "load_backbone",
    "parameter_table",
    "rebuild_backbone",
    "replace_head",
    "summary",
    "transforms_side_by_side",
    "unfreeze",
]

_HOMES = {
    "Backbone": "backbone",
    "BackboneInfo": "catalog",
    "BackboneSpec": "backbone",
    "LayerGroup": "groups",
    "ParameterTable": "tables",
    "Summary": "tables",
    "TinyVGG": "tinyvgg",
    "WeightsOrigin": "backbone",
    "as_preprocess": "side_by_side",
    "build_network": "loading",
    "freeze": "freezing",
    "is_frozen": "freezing",
    "list_backbones": "catalog",
    "load_backbone": "loading",
    "parameter_table": "tables",
    "rebuild_backbone": "loading",
    "replace_head": "heads",
    "summary": "tables",
    "transforms_side_by_side": "side_by_side",
    "unfreeze": "freezing",
}

__getattr__, __dir__ = front_door(__name__, _HOMES)
