"""``tsugiki cache``: what is kept so that no photo is looked at twice."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import json_option, option
from tsugiki.core.console import emit
from tsugiki.core.files import cache_folder
from tsugiki.locale.messages import tr


def cache(
    clear: Annotated[
        bool, option("", tr("throw everything that is kept away: it is made anew when needed"), "--clear")
    ] = False,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Show, or clear, the feature store, the engines, and photos that came in archives or from addresses."""
    from tsugiki.backbones.known import engine_cache
    from tsugiki.features.store import FeatureStore

    if clear:
        freed = FeatureStore.clear() + engine_cache.clear() + sum(map(_clear, _photo_folders().values()))
        emit(json.dumps({"freed_bytes": freed}) if as_json else tr("Freed: {size} MB", size=f"{freed / 1e6:.1f}"))
        return
    store = FeatureStore()
    size, photos, vectors = store.size()
    engines = engine_cache.size()
    sizes = {name: _size(folder) for name, folder in _photo_folders().items()}
    if as_json:
        numbers = {"bytes": size, "photos": photos, "vectors": vectors, "engine_bytes": engines}
        others = {f"{name}_bytes": size for name, size in sizes.items()}
        emit(json.dumps({"folder": str(store.folder), **numbers, **others}))
        return
    emit(
        tr(
            "{folder}: {vectors} feature vectors of {photos} photos, {size} MB",
            folder=store.folder,
            vectors=vectors,
            photos=photos,
            size=f"{size / 1e6:.1f}",
        )
    )
    emit(tr("{folder}: compiled networks, {size} MB", folder=engine_cache.folder(), size=f"{engines / 1e6:.1f}"))
    for name, folder in _photo_folders().items():
        emit(f"{folder}: {_told(name)}, {sizes[name] / 1e6:.1f} MB")


def _photo_folders() -> dict[str, Path]:
    return {name: cache_folder() / name for name in ("archives", "fetched", "samples")}


def _told(name: str) -> str:
    return {
        "archives": tr("photos unpacked from archives"),
        "fetched": tr("photos fetched from addresses"),
        "samples": tr("drawn sample photos"),
    }[name]


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, however deep; links are not followed."""
    return sum(os.lstat(Path(above, name)).st_size for above, _, names in os.walk(folder) for name in names)


def _clear(folder: Path) -> int:
    """Throw a folder away; returns the bytes freed."""
    before = _size(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return before - _size(folder)
