"""Floor 1: photos in. Folder, manifest, archive or sample -> :class:`Samples`; the one decoder; :class:`Preprocess`.

Nothing here is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.front_door import front_door

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

__getattr__, __dir__ = front_door(__name__, _HOMES)
