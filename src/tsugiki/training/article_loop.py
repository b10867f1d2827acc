"""Training and testing plain PyTorch models on plain DataLoaders: the loop of the articles, with exact numbers.

Read it top-down: :func:`train` -> :func:`train_step` -> ``_learn`` -> ``_loss_of``. What differs from the loop that is written
by hand in the articles:

* losses and accuracies are sums over photos divided by the number of photos, not means of batch means;
* a part of the model whose parameters are all frozen stays in eval mode, so that its BatchNorm statistics stay what they were;
* a batch of one photo does not stop the training (see :func:`train_step`);
* the model is left in the mode (train or eval) in which it was found.

Letters: ``B`` photos of a batch, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from tsugiki.backbones.freezing import lone_photo, mode_kept, set_training_mode
from tsugiki.core.console import Tick, emit, progress, say
from tsugiki.core.devices import pick_device
from tsugiki.core.errors import RequestError
from tsugiki.fine_tuning.state import RunningMeans
from tsugiki.locale.messages import tr

Batch: TypeAlias = "tuple[Tensor, Tensor]"
"""Photos ``[B, 3, H, W]`` float32 and labels ``[B]`` int64; of several labels each, ``[B, K]`` float32 of 1 and 0, whose
accuracy is the share of photos that are answered exactly right at one half."""

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Logits ``[B, K]`` and labels ``[B]`` to one number, the mean over the batch."""

Device: TypeAlias = "torch.device | str | None"

AUXILIARY_WEIGHT = 0.3
"""How much an auxiliary classifier's loss counts next to the main one (Szegedy 2014, *Going deeper with convolutions*)."""


class Writer(Protocol):
    """What :func:`train` asks of a tracker; TensorBoard's ``SummaryWriter`` has it."""

    def add_scalars(self, main_tag: str, tag_scalar_dict: dict[str, float], global_step: int | None = None) -> None:
        """Several curves of one diagram."""

    def flush(self) -> None:
        """Write down what was added so far."""


def train(
    model: nn.Module,
    train_dataloader: DataLoader[Any],
    test_dataloader: DataLoader[Any],
    optimizer: Optimizer,
    loss_fn: LossFunction,
    epochs: int,
    device: Device = None,
    writer: Writer | None = None,
) -> dict[str, list[float]]:
    """Train ``model`` for ``epochs`` and test it after each; one line per epoch goes to standard output.

    Only parameters with ``requires_grad=True`` change. ``train_loss`` and ``train_acc`` are measured while the epoch runs, with
    dropout on and the parameters moving; ``test_loss`` and ``test_acc`` afterwards, in eval mode.

    Args:
        model: Photos ``[B, 3, H, W]`` to logits ``[B, K]``. It is moved to ``device`` and trained in place.
        train_dataloader: Gives ``(photos, labels)`` to learn from.
        test_dataloader: Gives ``(photos, labels)`` that the model never learns from.
        optimizer: Holds the parameters to change; frozen ones among them stay as they are, weight decay included.
        loss_fn: Such as ``nn.CrossEntropyLoss()``.
        epochs: How many times every training photo is seen.
        device: Where to compute; ``None`` picks the best device here.
        writer: A ``SummaryWriter``, or anything with its ``add_scalars``; gets both losses and both accuracies per epoch.

    Returns:
        ``{"train_loss": [...], "train_acc": [...], "test_loss": [...], "test_acc": [...]}``, one number per epoch.

    Raises:
        RequestError: When nothing can be learned: all is frozen, or the optimiser holds none of the trainable parameters.
        TrainingError: When the loss is no finite number any more.
        DataError: When a loader is empty.
    """
    place = pick_device(device)
    model.to(place)
    _check_optimizer(model, optimizer)
    results: dict[str, list[float]] = {"train_loss": [], "train_acc": [], "test_loss": [], "test_acc": []}
    for epoch in range(1, epochs + 1):
        with _epoch_bar(epoch, epochs, train_dataloader, test_dataloader) as tick:
            trained = train_step(model, _ticking(train_dataloader, tick), loss_fn, optimizer, place)
            tested = test_step(model, _ticking(test_dataloader, tick), loss_fn, place)
        for key, value in zip(results, (*trained, *tested), strict=True):
            results[key].append(value)
        emit(f"Epoch: {epoch} | " + " | ".join(f"{key}: {values[-1]:.4f}" for key, values in results.items()))
        if writer is not None:
            _write(writer, results, epoch)
    return results


def train_step(
    model: nn.Module, dataloader: Iterable[Batch], loss_fn: LossFunction, optimizer: Optimizer, device: Device
) -> tuple[float, float]:
    """One epoch of learning.

    In a batch of one photo, BatchNorm has nothing to average over: for that step its layers use the statistics they have
    gathered so far, and the photo is learned from like every other one.

    Args:
        model: Photos ``[B, 3, H, W]`` to logits ``[B, K]``, on ``device`` already or moved there.
        dataloader: Gives ``(photos, labels)``.
        loss_fn: The mean loss of a batch.
        optimizer: Changes the parameters.
        device: Where to compute; ``None`` picks the best device here.

    Returns:
        Mean loss and accuracy over the epoch's photos.
    """
    place = pick_device(device)
    model.to(place)
    running = RunningMeans()
    with mode_kept(model):
        set_training_mode(model)
        for photos, labels in dataloader:
            with lone_photo(model, len(labels)):
                _learn(model, (photos.to(place), labels.to(place)), loss_fn, optimizer, running)
    return running.means()


def test_step(model: nn.Module, dataloader: Iterable[Batch], loss_fn: LossFunction, device: Device) -> tuple[float, float]:
    """Mean loss and accuracy over the photos of ``dataloader``, in eval mode; nothing is learned."""
    running = _tested(model, dataloader, loss_fn, device)
    return running.means()


test_step.__test__ = False  # type: ignore[attr-defined]  # its name is the article's; pytest must not collect it


def evaluate_model(
    model: nn.Module, data_loader: Iterable[Batch], loss_fn: LossFunction, device: Device = None
) -> dict[str, Any]:
    """How good ``model`` is on the photos of ``data_loader``.

    Returns:
        ``model_name`` (its class), ``model_loss`` (mean over photos), ``model_acc`` (in [0, 1]), ``correct`` and ``photos``
        (whole numbers; ``model_acc`` is exactly their ratio).
    """
    running = _tested(model, data_loader, loss_fn, device)
    loss, accuracy = running.means()
    return {
        "model_name": type(model).__name__,
        "model_loss": loss,
        "model_acc": accuracy,
        "correct": running.correct,
        "photos": running.photos,
    }


def _learn(model: nn.Module, batch: Batch, loss_fn: LossFunction, optimizer: Optimizer, running: RunningMeans) -> None:
    """Learn from one batch: forward, loss, backward, step."""
    photos, labels = batch
    output = model(photos)
    logits = logits_of(output)  # [B, K]
    loss = _loss_of(loss_fn, logits, labels)
    running.add(loss, logits.detach(), labels)
    optimizer.zero_grad()
    total = loss + _auxiliary_loss(output, labels, loss_fn)
    total.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _tested(model: nn.Module, batches: Iterable[Batch], loss_fn: LossFunction, device: Device) -> RunningMeans:
    place = pick_device(device)
    model.to(place)
    running = RunningMeans()
    with mode_kept(model), torch.inference_mode():
        model.eval()
        for photos, labels in batches:
            targets = labels.to(place)
            logits = logits_of(model(photos.to(place)))  # [B, K]
            running.add(_loss_of(loss_fn, logits, targets), logits, targets)
    return running


def logits_of(output: Any) -> Tensor:
    """The logits ``[B, K]`` in what a model gave: the tensor itself, or ``.logits`` of a richer output."""
    logits: Tensor = output if isinstance(output, Tensor) else output.logits
    return logits


def _loss_of(loss_fn: LossFunction, logits: Tensor, labels: Tensor) -> Tensor:
    """The mean loss of one batch, also where ``loss_fn`` was told to add up."""
    loss = loss_fn(logits, labels)
    return loss / len(labels) if getattr(loss_fn, "reduction", "mean") == "sum" else loss


def _auxiliary_loss(output: Any, labels: Tensor, loss_fn: LossFunction) -> Tensor | float:
    """Inception and GoogLeNet give further logits while they train; those over the same classes count as in their papers."""
    if isinstance(output, Tensor):
        return 0.0
    further = [extra for extra in output[1:] if isinstance(extra, Tensor) and extra.shape == output.logits.shape]
    return sum((AUXILIARY_WEIGHT * _loss_of(loss_fn, extra, labels) for extra in further), start=0.0)


def _check_optimizer(model: nn.Module, optimizer: Optimizer) -> None:
    trainable = {id(parameter): name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trainable:
        raise RequestError(
            tr("Every parameter of this model is frozen: there is nothing to learn."),
            cure=tr("replace_head(model, num_classes) gives it a new head, unfreeze(model) lets all of it learn"),
        )
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    missing = [name for key, name in trainable.items() if key not in held]
    if len(missing) == len(trainable):
        raise RequestError(
            tr("The optimiser holds none of this model's trainable parameters."),
            got=", ".join(missing[:3]),
            cure=tr("make the optimiser after the head was replaced"),
        )
    if missing:
        say(
            tr(
                "These trainable parameters will not change, the optimiser does not hold them: {names}",
                names=", ".join(missing),
            )
        )


@contextmanager
def _epoch_bar(epoch: int, epochs: int, *loaders: DataLoader[Any]) -> Iterator[Tick]:
    label = tr("epoch {epoch} of {epochs}", epoch=epoch, epochs=epochs)
    with progress(label, sum(len(loader) for loader in loaders)) as tick:
        yield tick


def _ticking(batches: Iterable[Batch], tick: Tick) -> Iterator[Batch]:
    for batch in batches:
        yield batch
        tick(1, "")


def _write(writer: Writer, results: dict[str, list[float]], epoch: int) -> None:
    for title, kind in (("Loss", "loss"), ("Accuracy", "acc")):
        curves = {key: values[-1] for key, values in results.items() if key.endswith(kind)}
        writer.add_scalars(title, curves, epoch)
    writer.flush()
