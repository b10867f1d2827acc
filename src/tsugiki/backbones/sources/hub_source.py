"""Repositories of the Hugging Face Hub, or folders of the same layout: networks of timm and of transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.sources.base import Recipe, height_and_width
from tsugiki.backbones.sources.hub_files import hub_file
from tsugiki.backbones.weights.weights_file import INDEX, shards_of
from tsugiki.core.errors import RequestError, WeightsError
from tsugiki.core.regular_files import read_json
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.sources.transformers_processor import Processor

WEIGHTS_FILES = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
)
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


class Files(Protocol):
    """Where the files of a repository are: on the hub, or in a folder here."""

    @property
    def source(self) -> str:
        """``hub`` or ``folder``."""

    @property
    def name(self) -> str:
        """Of the repository, without any path."""

    def find(self, candidates: Sequence[str]) -> Path:
        """The first of ``candidates`` that there is; raises ``WeightsError`` where there is none."""


@dataclass(frozen=True)
class OnHub:
    """A repository of the hub, ``OWNER/NAME``."""

    name: str
    source: str = "hub"

    def find(self, candidates: Sequence[str]) -> Path:
        """See :class:`Files`."""
        return hub_file(self.name, candidates, name=f"hub:{self.name}")


@dataclass(frozen=True)
class InFolder:
    """A folder with the files of a repository: ``config.json`` and weights."""

    path: Path
    source: str = "folder"

    @property
    def name(self) -> str:
        """The folder's own name: no path of this machine goes into a run."""
        return self.path.resolve().name

    def find(self, candidates: Sequence[str]) -> Path:
        """See :class:`Files`.

        Raises:
            WeightsError: When none of them is there.
        """
        for candidate in candidates:
            if (self.path / candidate).is_file():
                return self.path / candidate
        raise WeightsError(
            tr("The folder {folder} lacks a file that its network needs.", folder=self.path),
            allowed=", ".join(candidates),
            got=", ".join(sorted(entry.name for entry in self.path.iterdir())[:8]),
        )


def recipe(files: Files, model_args: Mapping[str, Any], own: Preprocess | None = None) -> Recipe:
    """How to make the backbone of a repository; its small ``config.json`` is read to find out.

    Args:
        files: Of the repository.
        model_args: The person's arguments of the architecture.
        own: The person's preprocessing, where the repository's cannot be understood.

    Raises:
        WeightsError: When the repository is of no library that is known here.
    """
    config = _json(files.find(["config.json"]))
    try:
        if "architecture" in config:
            return _timm_recipe(files, config, model_args)
        if "model_type" in config:
            return _transformers_recipe(files, config, model_args, own)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise WeightsError(
            tr("The settings of {repository} cannot be understood.", repository=files.name), got=repr(error)[:300]
        ) from error
    raise WeightsError(
        tr("{repository} is of no library that is known here.", repository=files.name), allowed="timm, transformers"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(
            tr("{path} is damaged.", path=path), got=str(error), cure=tr("delete it and fetch it again")
        ) from error
    return document if isinstance(document, dict) else {}


def _recipe(files: Files, architecture: str, model_args: dict[str, Any], preprocess: Preprocess, licence: str) -> Recipe:
    spec = BackboneSpec(files.source, files.name, architecture, model_args)
    return Recipe(spec, preprocess, lambda: _whole(files), files.name, licence)


def _whole(files: Files) -> Path:
    """The file of weights, or the index of several, all of which are then here."""
    path = files.find(WEIGHTS_FILES)
    for shard in shards_of(path):
        files.find([shard])
    return path


def _timm_recipe(files: Files, config: Mapping[str, Any], model_args: Mapping[str, Any]) -> Recipe:
    from timm.data.config import resolve_data_config

    from tsugiki.backbones.sources import timm_source

    architecture = str(config["architecture"])
    if architecture not in timm_source.names():
        raise WeightsError(
            tr("The timm on this machine does not know the architecture {architecture}.", architecture=architecture),
            cure="pip install --upgrade timm",
        )
    weights = dict(config.get("pretrained_cfg") or config)
    args = {**_timm_args(config, weights), **model_args}
    data = resolve_data_config(timm_source.sized(args), pretrained_cfg=weights)  # type: ignore[no-untyped-call]
    licence = str(weights.get("license") or "unknown")
    return _recipe(files, f"timm:{architecture}", args, timm_source.from_config(data), licence)


def _timm_args(config: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with which timm itself would build the network of this repository."""
    args = {key: config.get(key, weights.get(key)) for key in ("num_classes", "global_pool")}
    if weights.get("fixed_input_size"):
        args["img_size"] = list(weights["input_size"][-2:])
    return {key: value for key, value in {**args, **config.get("model_args", {})}.items() if value is not None}


def _transformers_recipe(
    files: Files, config: Mapping[str, Any], model_args: Mapping[str, Any], own: Preprocess | None
) -> Recipe:
    if importlib.util.find_spec("transformers") is None:
        raise RequestError(
            tr("{name} is a network of transformers, which is not installed.", name=f"{files.source}:{files.name}"),
            cure="pip install 'tsugiki[transformers]'",
        )
    from tsugiki.backbones.sources import transformers_source

    seen = transformers_source.image_part(config)
    kind = str(seen["model_type"])
    if not transformers_source.can_be_built(kind):
        raise WeightsError(
            tr("{repository} is no network that turns photos into features here.", repository=files.name),
            allowed="...ForImageClassification, " + ", ".join(transformers_source.TOWERS),
            got=", ".join(map(str, config.get("architectures") or [])) or kind,
        )
    processor = _processor(files, str(config["model_type"]), own)
    args = {**transformers_source.plain_config(seen), **transformers_source.order_of_channels(bgr=processor.bgr), **model_args}
    return _recipe(files, f"transformers:{kind}", args, _following(processor.preprocess, model_args), "unknown")


def _processor(files: Files, model_type: str, own: Preprocess | None) -> Processor:
    from tsugiki.backbones.sources.transformers_processor import Processor, read_processor

    try:
        document = _json(files.find(_PROCESSOR_FILES))
        return read_processor(document.get("image_processor", document), model_type)
    except WeightsError:
        if own is None:
            raise
        return Processor(own)  # the person says what this file does not, or not so that it is understood


def _following(preprocess: Preprocess, model_args: Mapping[str, Any]) -> Preprocess:
    """The preprocessing of a network that was asked to take photos of another size."""
    size = height_and_width(model_args.get("image_size"))
    if size is None or size == preprocess.size:
        return preprocess
    height, width = size
    frame = preprocess.resize
    if isinstance(frame, int):
        return replace(preprocess, size=(height, width), resize=round(frame * min(height, width) / min(preprocess.size)))
    larger = round(frame[0] * height / preprocess.size[0]), round(frame[1] * width / preprocess.size[1])
    return replace(preprocess, size=(height, width), resize=larger)
