"""A run folder as a backbone: the network that a classifier grew on, as it was saved, without its head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.sources.base import Recipe
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError, WeightsError
from tsugiki.core.files import sha256_of
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

_DESCRIPTION, _WEIGHTS = "classifier.json", "weights.safetensors"


def recipe(folder: Path, model_args: Mapping[str, Any]) -> Recipe:
    """How to make the backbone of the run in ``folder``.

    Raises:
        WeightsError: When the run is damaged.
        RequestError: When arguments are given: a run's network is built already. Or when it has several.
    """
    if model_args:
        raise RequestError(
            tr("{folder} is a run: its network is what it is.", folder=folder),
            got=", ".join(f"{key}={value}" for key, value in model_args.items()),
            cure=tr("leave {argument} out", argument=argument("model_args")),
        )
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        several = [f"{part['source']}:{part['name']}" for part in description["backbone"].get("parts", ())]
        if not several:
            spec = BackboneSpec.from_dict(description["backbone"])
            preprocess = Preprocess.from_dict(description["preprocess"])
            promised, licence = description["weights_sha256"], description["pretrained"]["licence"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, RequestError) as error:
        raise _damaged(folder / _DESCRIPTION, repr(error)) from error
    if several:
        raise RequestError(
            tr("{folder} is a run on several backbones, and one is wanted.", folder=folder),
            got="+".join(several),
            cure=tr("name them as they were named for that run"),
        )
    name = folder.resolve().name

    def fetch() -> Path:
        path = folder / _WEIGHTS
        if not path.is_file() or sha256_of(path) != promised:
            raise _damaged(path, tr("its content is not what {name} says", name=_DESCRIPTION))
        return path

    return Recipe(replace(spec, weights=f"{name}/{_WEIGHTS}"), preprocess, fetch, name, licence)


def _damaged(path: Path, reason: str) -> WeightsError:
    cure = tr("copy the run folder again, or make it again with `tsugiki fit`")
    return WeightsError(tr("{path} is damaged.", path=path), got=reason, cure=cure)
