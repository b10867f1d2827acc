"""Image classifiers of transformers, an optional part.

Letters: ``B`` photos, ``H`` x ``W`` pixels, ``K`` classes.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn

from tsugiki.core.errors import WeightsError
from tsugiki.data.preprocess import Interpolation, Preprocess
from tsugiki.locale.messages import tr

_LABELS = ("id2label", "label2id", "num_labels", "_num_labels")
_NOT_ARCHITECTURE = (*_LABELS, "model_type", "transformers_version", "dtype", "torch_dtype", "_name_or_path")
_RESAMPLING: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


class ImageClassifier(nn.Module):
    """A network of transformers that answers with a tensor, like any other.

    Args:
        network: One of transformers' ``...ForImageClassification``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def head_paths(self) -> list[str]:
        """The classifying layers: one, or two in networks that were distilled, whose answers are averaged."""
        config: Any = self.network.config
        lasts = [(path, _last_linear(child)) for path, child in self.network.named_children()]
        return [
            f"network.{path}{inner}"
            for path, found in lasts
            if found is not None
            for inner, layer in [found]
            if layer.out_features == config.num_labels
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` to ``[B, K]``, or to features once the classifying layer is cut off."""
        logits: torch.Tensor = self.network(pixel_values=x).logits
        return logits


def _last_linear(module: nn.Module) -> tuple[str, nn.Linear] | None:
    """The last layer with parameters, with its path (a dot before it), if it is linear."""
    layers = [(path, part) for path, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))]
    if not layers or not isinstance(layers[-1][1], nn.Linear):
        return None
    path, layer = layers[-1]
    return (f".{path}" if path else ""), layer


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a repository's ``config.json`` that says how the network is built."""
    args = {key: value for key, value in config.items() if key not in _NOT_ARCHITECTURE}
    return {**args, "num_labels": len(config.get("id2label") or {}) or config.get("num_labels", 2)}


def build(name: str, model_args: Mapping[str, Any]) -> nn.Module:
    """The network of the model type ``name`` with its classifying layer, random weights."""
    transformers = _transformers()
    try:
        config = transformers.AutoConfig.for_model(name, **model_args)
    except StrictDataclassError as error:  # of no family that Python has for values that do not fit
        raise ValueError(str(error)) from error
    return ImageClassifier(transformers.AutoModelForImageClassification.from_config(config))


def adapt(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Weights as they lie in a file, in the network's own names: transformers itself translates."""
    inner: Any = network.get_submodule("network")
    with _silent():
        filled, report = type(inner).from_pretrained(
            None, config=inner.config, state_dict=dict(state), output_loading_info=True
        )
    missing = set(report["missing_keys"]) | {key for key, *_ in report["mismatched_keys"]}
    known = {f"network.{key}": value for key, value in filled.state_dict().items() if key not in missing}
    return known | {f"network.{key}": state[key] for key in report["unexpected_keys"] if key in state}


def _transformers(module: str = "transformers") -> Any:
    # By name, so that type checks give the same answer with and without the optional part.
    return importlib.import_module(module)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """No bars and no reports of transformers' own: what does not fit is said by our error."""
    logging = _transformers("transformers.utils.logging")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def from_processor(processor: Mapping[str, Any]) -> Preprocess:
    """A repository's ``preprocessor_config.json`` in our words.

    Raises:
        WeightsError: When it asks for something that :class:`Preprocess` cannot do.
    """
    if processor.get("rescale_offset"):
        raise WeightsError(tr("This preprocessing cannot be done here."), got="rescale_offset", cure=tr("give your own"))
    mean, std = processor.get("image_mean") or (0.5,) * 3, processor.get("image_std") or (0.5,) * 3
    if not processor.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    # Transformers multiplies pixels by its own factor; ours is always 1/255, so mean and std take the difference.
    factor = 255 * processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 255.0
    red, green, blue = (float(value) / factor for value in mean)
    red_std, green_std, blue_std = (float(value) / factor for value in std)
    return Preprocess(
        **_geometry(processor),
        interpolation=_RESAMPLING.get(int(processor.get("resample", 2)), "bilinear"),
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
    )


def _geometry(processor: Mapping[str, Any]) -> dict[str, Any]:
    size = processor.get("size", 224)
    if isinstance(size, int):
        key = "shortest_edge" if "crop_pct" in processor or processor.get("do_center_crop") else "both"
        size = {"shortest_edge": size} if key == "shortest_edge" else {"height": size, "width": size}
    if "shortest_edge" in size:
        return _cropped(size["shortest_edge"], processor)
    both = (size["height"], size["width"])
    crop = _crop_size(processor)
    return {"size": both, "fit": "squash"} if crop is None else {"size": crop, "resize": min(both)}


def _cropped(edge: int, processor: Mapping[str, Any]) -> dict[str, Any]:
    if "crop_pct" in processor:  # ConvNeXT's rule: small inputs are cropped, large ones squashed
        if edge >= 384:
            return {"size": (edge, edge), "fit": "squash"}
        return {"size": (edge, edge), "resize": int(edge / (processor["crop_pct"] or 224 / 256))}
    return {"size": _crop_size(processor) or (edge, edge), "resize": edge}


def _crop_size(processor: Mapping[str, Any]) -> tuple[int, int] | None:
    crop = processor.get("crop_size")
    if not processor.get("do_center_crop") or crop is None:
        return None
    return (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
