"""Floor 1: photos in. Folder, manifest, archive or sample -> :class:`Samples`; the one decoder; :class:`Preprocess`.

Nothing here is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsugiki.data.decode import open_photo
    from tsugiki.data.describing import describe_samples
    from tsugiki.data.listing import list_photos
    from tsugiki.data.loading import load
    from tsugiki.data.looking import look
    from tsugiki.data.preprocess import Preprocess
    from tsugiki.data.samples import LeftOut, Listing, Look, Samples
    from tsugiki.data.settling import settle

__all__ = [
    "LeftOut",
    "Listing",
    "Look",
    "Preprocess",
    "Samples",
    "describe_samples",
    "list_photos",
    "load",
    "look",
    "open_photo",
    "settle",
]

_HOMES = {
    "LeftOut": "samples",
    "Listing": "samples",
    "Look": "samples",
    "Preprocess": "preprocess",
    "Samples": "samples",
    "describe_samples": "describing",
    "list_photos": "listing",
    "load": "loading",
    "look": "looking",
    "open_photo": "decode",
    "settle": "settling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"tsugiki.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
