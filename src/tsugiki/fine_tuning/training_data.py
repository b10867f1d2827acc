"""The photos of one fine-tuning: which are learned from, which validate, and how the network is fed with them.

Letters: ``B`` photos, ``N`` photos to learn from, ``M`` validation photos, ``V`` stored views.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.core.arguments import argument
from tsugiki.core.console import say
from tsugiki.core.errors import DataError
from tsugiki.data.augmentation.views import Batch, Views
from tsugiki.data.images.decoded_photos import LARGEST
from tsugiki.data.label_sets import PRESENT
from tsugiki.data.samples import UNKNOWN_CLASS, Samples, labels_to_draw
from tsugiki.data.splits import Unit, held_out_of, units_of
from tsugiki.data.stratification import Bag, deal_bags
from tsugiki.fine_tuning.kernels.frozen_prefix import ActivationStore
from tsugiki.fine_tuning.kernels.prepared_model import PreparedModel
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.locale.messages import tr

GroupsOf = Callable[[Sequence[int]], npt.NDArray[np.int64]]
"""For rows of the samples, a number per row: the same for photos that must not be separated, near copies for example."""


def split_for_validation(
    samples: Samples, settings: FineTuneSettings, groups_of: GroupsOf | None = None
) -> tuple[list[int], list[int]]:
    """Rows to learn from and rows to validate on; never held-out ones.

    Photos of a ``val`` split validate, where the held-out photos are others; else a part of the training photos does, of every
    class its share, subjects and copies staying together.

    Args:
        samples: The photos.
        settings: Share and seed.
        groups_of: What else stays together; by default photos of the same content or group do.

    Raises:
        DataError: When that leaves nothing to learn from or nothing to validate on.
    """
    known = [row for row in samples.rows_of("train") if samples.labels[row] != UNKNOWN_CLASS]
    val = [row for row in samples.rows_of("val") if samples.labels[row] != UNKNOWN_CLASS and samples.held_out != "val"]
    if not val:
        held = held_out_of(units_at(samples, known, groups_of), share=settings.val_share, seed=settings.seed)
        val = [known[row] for row in sorted(held)]
    if samples.targets is not None and val and not (samples.targets[val] == PRESENT).any():
        raise DataError(
            tr("No validation photo shows one of the classes: no epoch could be chosen."),
            cure=tr("name other validation photos, or stay with {argument}", argument=argument("method", "transfer")),
        )
    training = sorted(set(known) - set(val))
    if not training or not val:
        raise DataError(
            tr("There are too few training photos to learn from some and validate on others."),
            got=str(len(known)),
            cure=tr("add photos, or stay with {argument}", argument=argument("method", "transfer")),
        )
    return training, val


def units_at(samples: Samples, rows: Sequence[int], groups_of: GroupsOf | None = None) -> list[Unit]:
    """What stays together of the photos at ``rows``; the units' own rows are places in ``rows``."""
    part = samples.take(rows)
    units = units_of(labels_to_draw(part), part.digests, part.groups)
    if groups_of is None or not units:
        return units
    group = groups_of(rows)
    linked: dict[int, list[Unit]] = {}
    for unit in units:  # what has one content or group is of one group
        linked.setdefault(int(group[unit.rows[0]]), []).append(unit)
    return [_joined(parts) for parts in linked.values()]


def _joined(units: Sequence[Unit]) -> Unit:
    rows = sorted(row for unit in units for row in unit.rows)
    classes, key = sum((unit.classes for unit in units), Counter()), min(unit.key for unit in units)
    bags = [unit.bag for unit in units if unit.bag is not None]
    return Unit(tuple(rows), key, classes, sum(bags, Bag()) if bags else None)


def deal_halves(samples: Samples, rows: Sequence[int], *, seed: int, groups_of: GroupsOf | None = None) -> torch.Tensor:
    """Bool ``[M]``: which photos make up the one half; of every class half, subjects and copies staying together.

    Args:
        samples: All photos.
        rows: Those of the ``M`` validation photos.
        seed: Another seed, other halves.
        groups_of: What else stays together.
    """

    def dice(unit: Unit) -> bytes:
        return hashlib.sha256(f"halves {seed}:{unit.key}".encode()).digest()

    def place(unit: Unit) -> tuple[str, bytes]:
        return max(unit.classes), dice(unit)

    units = units_at(samples, rows, groups_of)
    if samples.targets is not None:
        return _halves_of_sets(sorted(units, key=dice), len(rows))
    held: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    half = torch.zeros(len(rows), dtype=torch.bool)
    # The largest units first: the small ones make up for what those leave uneven.
    for unit in sorted(sorted(units, key=place), key=lambda unit: -len(unit.rows)):
        loads = [(sum(one[name] for name in unit.classes), one.total()) for one in held]
        chosen = loads.index(min(loads))
        held[chosen].update(unit.classes)
        half[list(unit.rows)] = chosen == 1
    return half


def _halves_of_sets(units: Sequence[Unit], photos: int) -> torch.Tensor:
    """Bool ``[M]``, by iterative stratification."""
    bags = [unit.bag or Bag() for unit in units]
    wanted: Bag = Counter()
    for label, count in sum(bags, Bag()).items():
        wanted[label] = count / 2  # type: ignore[assignment]
    parts = deal_bags(bags, [len(unit.rows) for unit in units], [wanted, wanted], [photos / 2] * 2)
    half = torch.zeros(photos, dtype=torch.bool)
    for unit, part in zip(units, parts, strict=True):
        half[list(unit.rows)] = part == 1
    return half


class Batches(Protocol):
    """Where batches come from."""

    def prepare(self, epoch: int) -> None:
        """Get ready for ``epoch``."""

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """The ``part`` of one step's photos; may be called by any thread."""

    def validation(self, rows: slice) -> torch.Tensor:
        """Batches ``[B, ...]`` of validation photos, as prediction sees them."""


@dataclass(frozen=True)
class TrainingData:
    """The photos of one fine-tuning.

    Attributes:
        views: Of the ``N`` photos to learn from.
        count: ``N``.
        validation: uint8 ``[M, 3, H, W]``, as prediction sees them.
        device: Where batches are needed.
        folder: For files that last as long as the training.
    """

    views: Views
    count: int
    validation: torch.Tensor
    device: torch.device
    folder: Path

    def clean(self, rows: slice) -> torch.Tensor:
        """Validation photos ``[B, 3, H, W]``, normalised."""
        return self.views.preprocess.normalise(self.validation[rows].to(self.device))


@dataclass(frozen=True)
class PhotoBatches:
    """A new view of every photo in every epoch."""

    data: TrainingData

    def prepare(self, epoch: int) -> None:
        """Nothing to do."""

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """Views of the photos of one step."""
        return self.data.views.batch(step_rows, part, turn=epoch, step=step, device=self.data.device)

    def validation(self, rows: slice) -> torch.Tensor:
        """Validation photos ``[B, 3, H, W]``, normalised."""
        return self.data.clean(rows)


@dataclass(frozen=True)
class ActivationBatches:
    """``V`` views of every photo in turn, their activations stored."""

    data: TrainingData
    model: PreparedModel
    training: ActivationStore
    val: ActivationStore
    count: int

    def prepare(self, epoch: int) -> None:
        """Compute what this epoch needs and no epoch has needed yet."""
        turn = epoch % self.count
        self.training.fill(turn, lambda rows: self._of(self.data.views.pixels(rows, turn)))
        self.val.fill(0, lambda rows: self._of(self.data.validation[rows]))

    def _of(self, pixels: torch.Tensor) -> torch.Tensor:
        photos = self.data.views.preprocess.normalise(pixels.to(self.data.device))
        return self.model.activations(photos)

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """Stored activations of one step's photos; ``step`` draws nothing, since stored views are never blended."""
        del step
        rows = list(step_rows[part])
        inputs = self.training.read(epoch % self.count, rows).to(self.data.device)
        return Batch(inputs, rows, rows, 1.0)

    def validation(self, rows: slice) -> torch.Tensor:
        """Stored activations ``[B, ...]`` of validation photos."""
        places = range(*rows.indices(len(self.data.validation)))
        return self.val.read(0, places).to(self.data.device)


def stored_batches(model: PreparedModel, data: TrainingData, views: int) -> Batches | None:
    """Stored activations for a model that was cut; ``None`` where the disk has no room for them."""
    one = model.activations(data.clean(slice(0, 1)))
    needed = ActivationStore.bytes_for(views=views, photos=data.count, one=one)
    if needed > min(LARGEST, shutil.disk_usage(data.folder).free / 2):
        size = f"{needed / 1e9:.0f}"
        say(tr("Storing what the frozen layers answer would take {size} GB: it is computed anew in every epoch.", size=size))
        return None
    training = ActivationStore(data.folder / "activations.bin", views=views, photos=data.count, one=one)
    val = ActivationStore(data.folder / "validation.bin", views=1, photos=len(data.validation), one=one)
    return ActivationBatches(data, model, training, val, views)
