"""What the network is fed with: photos, or the stored activations of its frozen layers.

Letters: ``B`` photos, ``N`` photos to learn from, ``V`` stored views.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from tsugiki.core.console import say
from tsugiki.data.augmentation.views import Batch, Views
from tsugiki.data.images.decoded_photos import LARGEST
from tsugiki.fine_tuning.kernels.frozen_prefix import ActivationStore
from tsugiki.fine_tuning.kernels.step_engine import Engine
from tsugiki.locale.messages import tr


class Inputs(Protocol):
    """Where batches come from."""

    def prepare(self, epoch: int) -> None:
        """Get ready for ``epoch``."""

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """The ``part`` of one step's photos; may be called by any thread."""

    def validation(self, rows: slice) -> torch.Tensor:
        """Inputs ``[B, ...]`` of validation photos, as prediction sees them."""


@dataclass(frozen=True)
class Material:
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
class FromPhotos:
    """A new view of every photo in every epoch."""

    material: Material

    def prepare(self, epoch: int) -> None:
        """Nothing to do."""

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """Views of the photos of one step."""
        return self.material.views.batch(step_rows, part, turn=epoch, step=step, device=self.material.device)

    def validation(self, rows: slice) -> torch.Tensor:
        """Validation photos ``[B, 3, H, W]``, normalised."""
        return self.material.clean(rows)


@dataclass(frozen=True)
class FromActivations:
    """``V`` views of every photo in turn, their activations stored."""

    material: Material
    engine: Engine
    learned: ActivationStore
    checked: ActivationStore
    count: int

    def prepare(self, epoch: int) -> None:
        """Compute what this epoch needs and no epoch has needed yet."""
        turn = epoch % self.count
        self.learned.fill(turn, lambda rows: self._of(self.material.views.pixels(rows, turn)))
        self.checked.fill(0, lambda rows: self._of(self.material.validation[rows]))

    def _of(self, pixels: torch.Tensor) -> torch.Tensor:
        photos = self.material.views.preprocess.normalise(pixels.to(self.material.device))
        return self.engine.activations(photos)

    def batch(self, step_rows: Sequence[int], part: slice, *, epoch: int, step: int) -> Batch:
        """Stored activations of one step's photos; ``step`` draws nothing, since stored views are never blended."""
        del step
        rows = list(step_rows[part])
        inputs = self.learned.read(epoch % self.count, rows).to(self.material.device)
        return Batch(inputs, rows, rows, 1.0)

    def validation(self, rows: slice) -> torch.Tensor:
        """Stored activations of validation photos."""
        places = range(*rows.indices(len(self.material.validation)))
        return self.checked.read(0, places).to(self.material.device)


def stored_inputs(engine: Engine, material: Material, views: int) -> Inputs | None:
    """Stored activations for an engine that was cut; ``None`` where the disk has no room for them."""
    one = engine.activations(material.clean(slice(0, 1)))
    needed = ActivationStore.bytes_for(views=views, photos=material.count, one=one)
    if needed > min(LARGEST, shutil.disk_usage(material.folder).free / 2):
        size = f"{needed / 1e9:.0f}"
        say(tr("Storing what the frozen layers answer would take {size} GB: it is computed anew in every epoch.", size=size))
        return None
    learned = ActivationStore(material.folder / "activations.bin", views=views, photos=material.count, one=one)
    checked = ActivationStore(material.folder / "validation.bin", views=1, photos=len(material.validation), one=one)
    return FromActivations(material, engine, learned, checked, views)
