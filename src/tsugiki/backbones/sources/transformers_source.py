"""Image classifiers and image towers of transformers, an optional part.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` pixels, ``K`` classes.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn

from tsugiki.core.console import say
from tsugiki.locale.messages import tr

TOWERS = ("clip_vision_model", "chinese_clip_vision_model", "dinov3_vit", "metaclip_2_vision_model", "siglip_vision_model")
"""Types of networks that do not classify, and whose pooled output are features."""

_SAME = {"vit_mae": "vit"}  # networks for other tasks whose body is one that classifies
_LABELS = ("id2label", "label2id", "num_labels", "_num_labels")
_NOT_ARCHITECTURE = (*_LABELS, "model_type", "transformers_version", "dtype", "torch_dtype", "_name_or_path")
_CHANNEL_ORDER = "channel_order"  # an argument of ours: "bgr" where the network expects blue first
_SPARE = re.compile(
    r"^(?:\w+\.)?(?:pooler|decoder|text_model|text_projection|visual_projection|logit_scale|logit_bias|lm_head|decode_head"
    r"|mask_token|embeddings\.mask_token|embeddings\.position_ids)\b|position_ids$"
)
"""What checkpoints made for other tasks hold beside the network that turns a photo into features."""


class ImageClassifier(nn.Module):
    """A network of transformers that answers with a tensor, like any other.

    Args:
        network: One of transformers' ``...ForImageClassification``.
        bgr: Whether it expects blue, green, red. Photos always come red, green, blue.
    """

    def __init__(self, network: nn.Module, *, bgr: bool = False) -> None:
        super().__init__()
        self.network = network
        self.bgr = bgr

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
        logits: torch.Tensor = self.network(pixel_values=x.flip(1) if self.bgr else x).logits
        return logits


class ImageTower(nn.Module):
    """The part of a network of transformers that sees, without a classifying layer.

    Args:
        network: Of one of the types :data:`TOWERS`.
    """

    ends_in_features = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def head_paths(self) -> list[str]:
        """None: it ends in features."""
        return []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` to ``[B, D]``."""
        features: torch.Tensor = self.network(pixel_values=x).pooler_output
        return features


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


def image_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a repository's ``config.json`` that sees: of networks that also read text, their image tower."""
    classes = config.get("architectures") or []
    if config["model_type"] in _SAME:
        return {**config, "model_type": _SAME[config["model_type"]]}
    vision = config.get("vision_config")
    if isinstance(vision, dict) and not any("ForImageClassification" in str(each) for each in classes):
        return {"model_type": f"{config['model_type']}_vision_model", **vision}
    return dict(config)


def can_be_built(model_type: str) -> bool:
    """Whether networks of this type classify images, or are towers whose features are known here."""
    classifiers = _transformers("transformers.models.auto.modeling_auto").MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    return model_type in classifiers or model_type in TOWERS


def build(name: str, model_args: Mapping[str, Any]) -> nn.Module:
    """The network of the model type ``name`` with its classifying layer, random weights."""
    transformers = _transformers()
    args = dict(model_args)
    order = args.pop(_CHANNEL_ORDER, "rgb")
    if order not in {"rgb", "bgr"}:
        raise ValueError(f"{_CHANNEL_ORDER}={order!r}: rgb, bgr")
    try:
        config = transformers.AutoConfig.for_model(name, **args)
    except StrictDataclassError as error:  # of no family that Python has for values that do not fit
        raise ValueError(str(error)) from error
    if name in TOWERS:
        return ImageTower(transformers.AutoModel.from_config(config))
    return ImageClassifier(transformers.AutoModelForImageClassification.from_config(config), bgr=order == "bgr")


def order_of_channels(*, bgr: bool) -> dict[str, Any]:
    """The argument of :func:`build` for a network that expects blue first; none for all others."""
    return {_CHANNEL_ORDER: "bgr"} if bgr else {}


def adapt(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Weights as they lie in a file, in the network's own names: transformers itself translates.

    What the file holds for other tasks (a decoder, a text tower) is left out, and said.
    """
    inner: Any = network.get_submodule("network")
    with _silent():
        filled, report = type(inner).from_pretrained(
            None, config=inner.config, state_dict=dict(state), output_loading_info=True, ignore_mismatched_sizes=True
        )
    mismatched = {key for key, *_ in report["mismatched_keys"]}
    missing = set(report["missing_keys"]) | mismatched
    known = {f"network.{key}": value for key, value in filled.state_dict().items() if key not in missing}
    known |= {f"network.{key}": state[key] for key in mismatched if key in state}  # of another shape: the caller says so
    unexpected = report["unexpected_keys"]
    spare = [key for key in unexpected if _SPARE.search(key)]
    if spare:
        counts = Counter(_SPARE.search(key)[0] for key in spare)  # type: ignore[index]
        parts = ", ".join(f"{part} ({count})" for part, count in sorted(counts.items()))
        say(tr("Of the file, these tensors are for other tasks and are not used: {parts}", parts=parts))
    # By the names that transformers gives them, which need not be the file's: only that they are there counts.
    return known | {f"network.{key}": state.get(key, torch.empty(0)) for key in unexpected if key not in spare}


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
