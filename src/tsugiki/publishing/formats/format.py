"""What every export format has: its files, its needs, and a function that writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tsugiki.classifier.classifier import Classifier
from tsugiki.publishing.graph import WholeClassifier

Precision = Literal["fp32", "fp16", "bf16", "int8"]

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Attributes:
        folder: An empty one.
        classifier: On the CPU.
        precision: How numbers are stored, and computed where the runtime can.
        photos: Whether photos of any size are taken, too.
        frames: Whether frames that are ready are taken by the same file.
        calibration: For ``int8``: training photos as frames, uint8 ``[N, 3, h, w]``.
    """

    folder: Path
    classifier: Classifier
    precision: Precision
    photos: bool
    frames: bool = True
    calibration: Any = None

    def network(self, dtype: torch.dtype | None = None) -> WholeClassifier:
        """The whole classifier as one network, in evaluation mode; in this precision unless another one is named."""
        model = self.classifier
        kind = dtype or DTYPES.get(self.precision, torch.float32)
        takes = {"photos": self.photos, "frames": self.frames}
        return WholeClassifier(model.backbone, model.preprocess, model.answer_head, **takes, dtype=kind).eval()

    @property
    def example(self) -> torch.Tensor:
        """An input that the network can be traced with, uint8: photos ``[2, H, W, 3]``, or frames ``[2, 3, h, w]``."""
        if self.photos:
            return torch.zeros((2, 61, 83, 3), dtype=torch.uint8)
        return torch.zeros((2, 3, *self.classifier.preprocess.size), dtype=torch.uint8)


@dataclass(frozen=True)
class Format:
    """A way of writing a classifier down.

    Attributes:
        name: What it is called on the command line.
        files: What is written, the one to open first.
        packages: What has to be installed to write and to prove it, as ``import`` names them.
        runtime: What a stranger needs besides NumPy and Pillow.
        precisions: What it can be stored in.
        write: Writes the files, and returns what else a stranger's program has to know.
        photos: The file that can take photos of any size; without one it takes frames only.
        photos_in_8_bits: Whether that holds for ``int8``.
        of_photos: How far probabilities of photos of any size may be from the reference's, where resizing is not exact.
        distance: Whether it tells how far a photo is from the training photos.
        platform: The only ``sys.platform`` where it runs, and so can be proven; empty for any.
    """

    name: str
    files: tuple[str, ...]
    packages: tuple[str, ...]
    runtime: tuple[str, ...]
    precisions: tuple[Precision, ...]
    write: Callable[[Order], dict[str, Any]]
    photos: str = ""
    photos_in_8_bits: bool = True
    of_photos: float = 0.0
    distance: bool = True
    platform: str = ""
