"""``tsugiki cache``: what is kept so that no photo is looked at twice."""

from __future__ import annotations

import json
from typing import Annotated

from tsugiki.cli.options import json_option, option
from tsugiki.core.console import emit
from tsugiki.locale.messages import tr


def cache(
    clear: Annotated[bool, option("", tr("throw all stored features and engines away"), "--clear")] = False,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Show, or clear, the feature store and the engines."""
    from tsugiki.backbones.known import engine_cache
    from tsugiki.features.store import FeatureStore

    if clear:
        freed = FeatureStore.clear() + engine_cache.clear()
        emit(json.dumps({"freed_bytes": freed}) if as_json else tr("Freed: {size} MB", size=f"{freed / 1e6:.1f}"))
        return
    store = FeatureStore()
    size, photos, vectors = store.size()
    engines = engine_cache.size()
    if as_json:
        numbers = {"bytes": size, "photos": photos, "vectors": vectors, "engine_bytes": engines}
        emit(json.dumps({"folder": str(store.folder), **numbers}))
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
