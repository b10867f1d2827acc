"""Which layers learn, when, and how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import set_training_mode
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.locale.messages import tr


def chosen_groups(backbone: Backbone, unfreeze: str | int) -> list[LayerGroup]:
    """The layer groups that may learn, input side first.

    Args:
        backbone: Whose layers.
        unfreeze: ``all``; how many groups below the head; or the name of the lowest, of which every group above learns too.

    Raises:
        RequestError: When there are fewer groups, or none of that name; or several backbones.
    """
    if refusal := not_to_fine_tune(backbone):
        raise refusal
    groups = backbone.layer_groups()
    unfreeze = str(unfreeze)
    if unfreeze == "all":
        return groups
    if unfreeze.isascii() and unfreeze.isdigit():
        return groups[len(groups) - _checked(int(unfreeze), groups) :]
    names = {name: row for row, group in enumerate(groups) for name in (group.name, *group.name.split(".."))}
    if unfreeze not in names:
        what = tr("This backbone has no layer group called {name}.", name=repr(unfreeze))
        listed = ", ".join(group.name for group in groups)
        raise UnknownName(what, name=unfreeze, known=names, cure=tr("input side first, they are: {names}", names=listed))
    return groups[names[unfreeze] :]


def not_to_fine_tune(backbone: Backbone) -> RequestError | None:
    """What to raise where several backbones are to be fine-tuned, or one with its stages; ``None`` for all others.

    Each learns best by itself, with a head on its last features.
    """
    if backbone.spec.features != "last":
        return RequestError(
            tr("Fine-tuning trains a backbone with its last features."),
            got=str(backbone.spec),
            cure=tr("fine-tune it without {suffix}, and then take its run: {words}", suffix=":multi", words="RUN:multi"),
        )
    if len(backbone.parts) == 1:
        return None
    return RequestError(
        tr("Fine-tuning trains one backbone, and these are {count}.", count=len(backbone.parts)),
        got=str(backbone.spec),
        cure=tr(
            "fine-tune one of them alone, and then join its run and the others: {words}",
            words=argument("backbone", "+".join(["RUN", *(str(part.spec) for part in backbone.parts[1:])])),
        ),
    )


def _checked(count: int, groups: Sequence[LayerGroup]) -> int:
    if count > len(groups):
        raise RequestError(
            tr("This backbone has fewer layer groups."),
            allowed=tr("{low} to {high}", low="0", high=len(groups)) + ", all",
            got=argument("unfreeze", count),
            cure=argument("unfreeze", "all"),
        )
    return count


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same layers learn.

    Attributes:
        first: The first epoch, from 1.
        last: The last epoch.
        learning: How many of the chosen groups learn, counted from the head down.
    """

    first: int
    last: int
    learning: int


def phases_of(groups: int, settings: FineTuneSettings) -> list[Phase]:
    """All chosen groups from the start, or one more every ``unfreeze_every`` epochs (Howard and Ruder, *ULMFiT*, 2018)."""
    if not settings.unfreeze_every or groups < 2:
        return [Phase(1, settings.epochs, groups)]
    phases = []
    for learning in range(1, groups + 1):
        first = 1 + (learning - 1) * settings.unfreeze_every
        last = settings.epochs if learning == groups else min(settings.epochs, first + settings.unfreeze_every - 1)
        if first <= settings.epochs:
            phases.append(Phase(first, last, learning))
    return phases


def set_learning(network: nn.Module, learning: Sequence[LayerGroup]) -> None:
    """Let exactly the head and the groups in ``learning`` have gradients; ``network`` is a classifier."""
    network.requires_grad_(requires_grad=False)
    head: nn.Module = network.get_submodule("head")
    head.requires_grad_(requires_grad=True)
    for group in learning:
        for parameter in group.parameters():
            parameter.requires_grad_(parameter.is_floating_point())


def parameter_groups(head: nn.Module, groups: Sequence[LayerGroup], settings: FineTuneSettings) -> list[dict[str, Any]]:
    """The optimiser's parameter groups: the head at ``lr``, each layer group below it slower than the one above.

    Weight decay is left off norms and biases: pulling them to zero is no simplification (Goyal et al., 2017).
    """
    layers = [("head", list(head.parameters()))] + [(group.name, list(group.parameters())) for group in reversed(groups)]
    found: list[dict[str, Any]] = []
    for depth, (name, parameters) in enumerate(layers):
        lr = settings.lr * settings.lr_decay**depth
        for decay, kept in ((settings.weight_decay, True), (0.0, False)):
            part = [one for one in parameters if one.is_floating_point() and (one.ndim > 1) == kept]
            if part:
                found.append({"params": part, "lr": lr, "base_lr": lr, "weight_decay": decay, "name": name})
    return found


def lr_factor(step: int, total: int, warmup: float) -> float:
    """What every group's learning rate is multiplied by in ``step``: a scheduler without any state to save.

    It rises in a straight line to 1 over the first ``warmup`` share of the steps and falls along half a cosine to 0 (Loshchilov
    and Hutter, *SGDR*, ICLR 2017), never reaching 0 while there is a step to take.

    Args:
        step: From 0 to ``total - 1``.
        total: Steps of the whole training.
        warmup: Share of the steps, in [0, 1].
    """
    rising = math.floor(total * warmup)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))


def set_modes(network: nn.Module, *, batch_norm: str) -> None:
    """Training mode where something learns, evaluation mode elsewhere; BatchNorm moves only on request.

    Layers without parameters, such as dropout, follow the nearest layer around them.
    """
    set_training_mode(network)
    if batch_norm == "frozen":
        for module in norms_of(network):
            module.eval()


def norms_of(network: nn.Module) -> list[nn.Module]:
    """Every BatchNorm layer (timm's and torchvision's own kinds included), that keeps running statistics."""
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None  # noqa: SLF001
    ]
