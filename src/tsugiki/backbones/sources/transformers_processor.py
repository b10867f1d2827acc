"""What a repository's ``preprocessor_config.json`` says, as :class:`Preprocess`: every setting is understood or refused.

Transformers itself reads the file, so that what it leaves out has the value of its class there. Each class has its own rule;
most share the plain one: resize, cut the centre out, rescale, normalise.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tsugiki.core.errors import WeightsError
from tsugiki.data.preprocess import Interpolation, Preprocess
from tsugiki.locale.messages import tr

PLAIN = ("Beit", "Bit", "Blip", "CLIP", "ChineseCLIP", "DeiT", "DINOv3ViT", "MobileNetV1", "MobileNetV2", "Pvt", "Segformer")
"""Classes of processors that do nothing but what their settings say."""

_RULES: dict[str, frozenset[str]] = {
    **{name: frozenset[str]() for name in (*PLAIN, "Siglip", "ViT", "Levit")},
    "ConvNext": frozenset({"crop_pct"}),
    "EfficientNet": frozenset({"rescale_offset", "include_top"}),
    "MobileViT": frozenset({"do_flip_channel_order"}),
    "PoolFormer": frozenset({"crop_pct"}),
    "PPLCNet": frozenset({"resize_short", "size_divisor"}),
}
"""Every class that is understood, and the settings that only it has."""

_COMMON = frozenset(
    {"do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor"}
    | {"do_normalize", "image_mean", "image_std", "do_convert_rgb"}
)
_NOT_OF_PIXELS = frozenset(
    {"image_processor_type", "feature_extractor_type", "processor_class", "_processor_class", "_valid_processor_keys"}
    | {"do_reduce_labels", "reduce_labels", "input_data_format", "data_format", "return_tensors", "device", "disable_grouping"}
)
_TYPE = re.compile(r"^(\w+?)(?:FeatureExtractor|ImageProcessor)(?:Fast|Pil)?$")
_RESAMPLING: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_CROPPED_BELOW = 384  # pixels: ConvNeXT's rule squashes larger inputs


@dataclass(frozen=True)
class Processor:
    """What a repository's processor does.

    Attributes:
        preprocess: From a photo to the input, its channels red, green, blue.
        bgr: Whether the network itself expects them blue, green, red.
    """

    preprocess: Preprocess
    bgr: bool = False


def read_processor(document: Mapping[str, Any], model_type: str = "") -> Processor:
    """What ``preprocessor_config.json`` says.

    Args:
        document: The file's content.
        model_type: Of the repository's network, for files that do not say which class of processors they are for.

    Raises:
        WeightsError: When it asks for something that cannot be done here; the setting is named.
    """
    rule = _rule(document, model_type)
    settings = _completed(document, rule)
    allowed = _COMMON | _RULES[rule]
    for key, value in {**settings, **document}.items():
        if key not in allowed | _NOT_OF_PIXELS and value is not None and not (key.startswith("do_") and value is False):
            raise _refused(key, value, allowed)
    mean, std = _normalisation(rule, settings)
    resample = int(settings.get("resample", 2))
    if resample not in _RESAMPLING:
        raise _refused("resample", resample, [f"{number} ({name})" for number, name in _RESAMPLING.items()])
    geometry = _geometry(rule, settings)
    preprocess = Preprocess(**geometry, interpolation=_RESAMPLING[resample], mean=mean, std=std, halves="down")
    return Processor(preprocess, rule == "PPLCNet" or (rule == "MobileViT" and bool(settings.get("do_flip_channel_order"))))


def _refused(key: str, value: object, allowed: Any = ()) -> WeightsError:
    return WeightsError(
        tr("This preprocessing cannot be done here."),
        allowed=", ".join(sorted(allowed)),
        got=f"{key}={value!r}",
        cure=tr("give your own: load_backbone(NAME, preprocess=Preprocess(...))"),
    )


def _rule(document: Mapping[str, Any], model_type: str) -> str:
    named = document.get("image_processor_type") or document.get("feature_extractor_type")
    if not named:  # older files do not say it
        known = importlib.import_module("transformers.models.auto.image_processing_auto").IMAGE_PROCESSOR_MAPPING_NAMES
        named = next(iter((known.get(model_type) or {}).values()), "")
    match = _TYPE.match(str(named))
    if not match or match[1] not in _RULES:
        raise _refused("image_processor_type", named or model_type, [f"{name}ImageProcessor" for name in _RULES])
    return match[1]


def _completed(document: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """The settings with the values that the class itself gives to those that are left out."""
    kind = getattr(importlib.import_module("transformers"), f"{rule}ImageProcessor")
    names = {key: document[key] for key in _COMMON | _RULES[rule] if document.get(key) is not None}
    try:
        settings: dict[str, Any] = kind(**names).to_dict()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise WeightsError(tr("This preprocessing cannot be done here."), got=str(error)[:300]) from error
    return settings


def _normalisation(rule: str, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean and standard deviation of pixels in [0, 1], whatever range the library brings them to before it normalises."""
    mean, std = _channels("image_mean", settings), _channels("image_std", settings)
    std_then = std
    if not settings.get("do_normalize") or rule == "MobileViT":  # which never normalises, whatever its file says
        mean, std_then = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if rule == "EfficientNet" and settings.get("include_top"):
        std_then = tuple(first * second for first, second in zip(std_then, std, strict=True))
    scaled = bool(settings.get("do_rescale"))
    factor = 255 * settings["rescale_factor"] if scaled else 255.0
    shift = 1.0 if scaled and rule == "EfficientNet" and settings.get("rescale_offset") else 0.0
    return tuple((value + shift) / factor for value in mean), tuple(value / factor for value in std_then)


def _channels(key: str, settings: Mapping[str, Any]) -> tuple[float, ...]:
    value = settings.get(key)
    values = (value,) * 3 if isinstance(value, int | float) else tuple(value if value is not None else (0.5,) * 3)
    if len(values) != 3:
        raise _refused(key, value)
    return tuple(float(each) for each in values)


def _geometry(rule: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    if not settings.get("do_resize"):
        raise _refused("do_resize", settings.get("do_resize"))
    size = {key: value for key, value in dict(settings["size"]).items() if value is not None}
    crop = _crop(settings)
    if rule == "PPLCNet" and settings.get("resize_short") is not None:
        return _of_short_side(settings, crop)
    if set(size) == {"shortest_edge"}:
        return _of_edge(rule, size["shortest_edge"], settings, crop)
    if set(size) != {"height", "width"} or rule == "ConvNext":
        raise _refused("size", size, ["height, width", "shortest_edge"])
    both = (size["height"], size["width"])
    if rule == "PoolFormer" and settings.get("crop_pct") is not None:
        if both[0] != both[1]:
            raise _refused("size", size)
        return _of_edge(rule, both[0], settings, crop)
    return {"size": both, "fit": "squash"} if crop in {None, both} else {"size": crop, "resize": both, "fit": "squash"}


def _crop(settings: Mapping[str, Any]) -> tuple[int, int] | None:
    if not settings.get("do_center_crop"):
        return None
    crop = {key: value for key, value in dict(settings.get("crop_size") or {}).items() if value is not None}
    if set(crop) != {"height", "width"}:
        raise _refused("crop_size", settings.get("crop_size"), ["height, width"])
    return crop["height"], crop["width"]


def _of_edge(rule: str, edge: int, settings: Mapping[str, Any], crop: tuple[int, int] | None) -> dict[str, Any]:
    if rule == "ConvNext":
        if crop is not None:
            raise _refused("do_center_crop", True)  # noqa: FBT003 (a value of the file)
        if edge >= _CROPPED_BELOW:
            return {"size": (edge, edge), "fit": "squash"}
        return {"size": (edge, edge), "resize": int(edge / settings["crop_pct"])}
    if crop is None:  # every photo would have a size of its own
        raise _refused("do_center_crop", False)  # noqa: FBT003 (a value of the file)
    if rule == "PoolFormer" and settings.get("crop_pct") is not None:
        edge = int(edge / settings["crop_pct"])
    return {"size": crop, "resize": int((256 / 224) * edge) if rule == "Levit" else edge}


def _of_short_side(settings: Mapping[str, Any], crop: tuple[int, int] | None) -> dict[str, Any]:
    if settings.get("size_divisor") not in {None, 1}:
        raise _refused("size_divisor", settings["size_divisor"], ["1"])
    if crop is None:
        raise _refused("do_center_crop", False)  # noqa: FBT003 (a value of the file)
    return {"size": crop, "resize": (settings["resize_short"], settings["resize_short"])}
