"""The classifying layer at the end of a network: find it, cut it off, set a new one for the user's own classes.

Letters: ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from tsugiki.backbones.freezing import evaluating, unfreeze
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

AUXILIARY_HEADS = ("aux1.fc2", "aux2.fc2", "AuxLogits.fc")
"""Where GoogLeNet and Inception keep the classifying layers that only training uses."""


@dataclass(frozen=True)
class Cut:
    """A network that ends in features, and what was cut off.

    Attributes:
        body: ``[B, 3, H, W]`` to features.
        num_features: ``D``.
        head: The layer that was cut off; ``None`` where there was none or it does not work on pooled features.
    """

    body: nn.Module
    num_features: int
    head: nn.Module | None


def replace_head(model: nn.Module, num_classes: int, *, seed: int | None = None) -> nn.Module:
    """Give a classification network a new, trainable classifying layer; in place.

    The Dropout before it stays, and works again where it was frozen with the rest. The auxiliary heads of GoogLeNet and
    Inception are replaced too. Everything else is left as it is.

    Args:
        model: Any classification network of torchvision, timm or transformers, or one whose last layer classifies.
        num_classes: ``K``, at least 1.
        seed: Makes the new layer's random start repeatable; every global generator goes on as if nothing had been drawn.

    Returns:
        The same model.

    Raises:
        RequestError: When no classifying layer is found at the end of the model.
    """
    if num_classes < 1:
        raise RequestError(tr("A head needs at least one class."), got=f"num_classes={num_classes}")
    with _seeded(model, seed):
        if hasattr(model, "reset_classifier"):
            _reset_timm(model, num_classes)
        else:
            _replace_plain(model, num_classes)
    return model


@contextmanager
def _seeded(model: nn.Module, seed: int | None) -> Iterator[None]:
    """Within this block the generators that a new layer is drawn from start at ``seed``; afterwards they go on as before.

    They are the processor's and those of the model's own devices. No other device's is touched (``torch.manual_seed`` would
    seed them all), and none where there is no seed.
    """
    generators = [] if seed is None else _generators(model)
    states = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(cast("int", seed))
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _generators(model: nn.Module) -> list[torch.Generator]:
    found = {"cpu": torch.default_generator}
    for device in {parameter.device for parameter in model.parameters()}:
        if device.type == "cuda":
            found[str(device)] = torch.cuda.default_generators[device.index]
        elif device.type == "mps":
            found[str(device)] = torch.mps._get_default_mps_generator()  # noqa: SLF001 (PyTorch gives it no other name)
    return list(found.values())


def head_paths(model: nn.Module) -> tuple[str, ...]:
    """The paths of the modules that classify: usually one, two for distilled networks, none where the network ends in features.

    Raises:
        RequestError: When the end of the network is no layer that can classify.
    """
    if hasattr(model, "get_classifier"):
        return _timm_paths(model)
    if hasattr(model, "head_paths") and (
        (found := cast("Any", model).head_paths()) or getattr(model, "ends_in_features", False)
    ):
        return tuple(found)
    path, layer = _last_layer(model)
    pointwise = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)
    if isinstance(layer, nn.Linear) or pointwise:
        return (path,)
    raise RequestError(
        tr("The last layer of this network does not classify, so there is no head to replace."),
        allowed="Linear, Conv2d 1x1",
        got=f"{path or type(model).__name__}: {type(layer).__name__}",
    )


def cut_head(model: nn.Module, input_size: tuple[int, int] = (224, 224)) -> Cut:
    """Take the classifying layer out, in place: afterwards the model ends in features.

    Args:
        model: A classification network.
        input_size: Height and width of an input that it takes; used only where the width of its features is told by no layer.
    """
    if hasattr(model, "reset_classifier"):
        return _cut_timm(model, input_size)
    paths = head_paths(model)
    if not paths:
        return Cut(model, _measured_width(model, input_size), None)
    layers = [model.get_submodule(path) for path in paths]
    for path in paths:
        model.set_submodule(path, nn.Identity())
    if isinstance(layers[0], nn.Linear):
        return Cut(model, layers[0].in_features, layers[0] if len(layers) == 1 else None)
    return Cut(model, cast("nn.Conv2d", layers[0]).in_channels, None)  # SqueezeNet classifies before it pools


def _last_layer(model: nn.Module) -> tuple[str, nn.Module]:
    layers = [(path, module) for path, module in model.named_modules() if any(True for _ in module.parameters(recurse=False))]
    return layers[-1] if layers else ("", model)


def _replace_plain(model: nn.Module, num_classes: int) -> None:
    paths = head_paths(model)
    present = {name for name, _ in model.named_modules()}
    for path in (*paths, *(name for name in AUXILIARY_HEADS if name in present)):
        _set_layer(model, path, _like(model.get_submodule(path), num_classes))
    for path in paths:
        _revive_dropout_before(model, path)
    if hasattr(model, "num_classes"):
        model.num_classes = cast("Any", num_classes)
    if hasattr(model, "config") and hasattr(model.config, "num_labels"):  # transformers
        model.config.num_labels = num_classes
        model.num_labels = cast("Any", num_classes)


def _set_layer(model: nn.Module, path: str, layer: nn.Module) -> None:
    layer.train(model.get_submodule(path).training or model.training)
    model.set_submodule(path, layer)


def _like(layer: nn.Module, num_classes: int) -> nn.Module:
    weight = cast("torch.Tensor", layer.weight)
    bias = layer.bias is not None
    # Made on the processor and moved, so that a seed gives the same layer on every device.
    if isinstance(layer, nn.Conv2d):
        return nn.Conv2d(layer.in_channels, num_classes, kernel_size=1, bias=bias, device="cpu").to(weight)
    return nn.Linear(cast("nn.Linear", layer).in_features, num_classes, bias=bias, device="cpu").to(weight)


def _revive_dropout_before(model: nn.Module, path: str) -> None:
    leaves = [name for name, module in model.named_modules() if not any(True for _ in module.children())]
    row = leaves.index(path)
    before = model.get_submodule(leaves[row - 1]) if row else None
    if isinstance(before, nn.Dropout):
        unfreeze(before)
        before.train(model.training)


def _timm_paths(model: nn.Module) -> tuple[str, ...]:
    found = cast("Any", model).get_classifier()
    layers = found if isinstance(found, (tuple, list, nn.ModuleList)) else (found,)
    wanted = {id(layer) for layer in layers if isinstance(layer, nn.Module) and any(True for _ in layer.parameters())}
    return tuple(path for path, module in model.named_modules() if id(module) in wanted)


def _reset_timm(model: nn.Module, num_classes: int) -> None:
    place = next(model.parameters())
    mode = {path: module.training for path, module in model.named_modules()}
    cast("Any", model).reset_classifier(num_classes)
    for path in _timm_paths(model):
        model.get_submodule(path).to(device=place.device, dtype=place.dtype).train(mode.get(path, model.training))


def _cut_timm(model: nn.Module, input_size: tuple[int, int]) -> Cut:
    paths = _timm_paths(model)
    heads = [model.get_submodule(path) for path in paths]
    network = cast("Any", model)
    width = getattr(network, "head_hidden_size", None) or network.num_features
    if heads and isinstance(heads[0], nn.Linear):
        width = heads[0].in_features
    before = _count(model)
    if heads:
        network.reset_classifier(0)
    if len(heads) > 1:  # their inputs are joined or averaged, as each family likes
        width = _measured_width(model, input_size)
    # Some families throw more away, such as a norm before the layer or a second head: then the layer alone is not their answer.
    whole = len(heads) == 1 and isinstance(heads[0], nn.Linear) and _count(model) + _count(heads[0]) == before
    return Cut(model, int(width), heads[0] if whole else None)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _measured_width(model: nn.Module, input_size: tuple[int, int]) -> int:
    device = next(model.parameters()).device
    with evaluating(model), torch.no_grad():
        features: torch.Tensor = model(torch.zeros(1, 3, *input_size, device=device))
    return features.flatten(1).shape[1]
