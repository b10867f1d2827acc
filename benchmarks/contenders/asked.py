"""What every contender is given on its command line, and the one line that it answers with."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsugiki.data.samples import Samples

HEADER = ("path", "label", "split")


@dataclass(frozen=True)
class Photo:
    """A labelled photo."""

    path: Path
    label: str


@dataclass(frozen=True)
class Job:
    """Photos, weights, epochs and the contender's own words.

    Attributes:
        table: The table of all photos, ``path,label,split``, which some contenders read themselves.
        train: To learn from.
        test: Held out: to be answered, in this order.
        network: ``torchvision:mobilenet_v2`` or ``timm:mobilenetv2_100``.
        weights: Its file.
        epochs: For those who count in epochs.
        words: What else stands on the command line.
    """

    table: Path
    train: list[Photo]
    test: list[Photo]
    network: str
    weights: Path
    epochs: int
    words: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Of the training photos."""
        return sorted({photo.label for photo in self.train})


def read_job() -> Job:
    """The job on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--network", default="torchvision:mobilenet_v2")
    parser.add_argument("--epochs", type=int, default=5)
    asked, words = parser.parse_known_args()
    train, test = read_table(asked.table)
    return Job(asked.table, train, test, asked.network, asked.weights, asked.epochs, words)


def read_table(file: Path) -> tuple[list[Photo], list[Photo]]:
    """Photos to learn from, and held-out ones."""
    with file.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    train, test = (
        [Photo(Path(row["path"]), row["label"]) for row in rows if (row["split"] == "train") == learned]
        for learned in (True, False)
    )
    return train, test


def write_table(file: Path, samples: Samples) -> None:
    """The table that contenders read: photos to learn from, then held-out ones; a ``val`` beside a ``test`` is nobody's."""
    rows = {"train": samples.train_rows, samples.held_out: samples.held_out_rows}
    photos = (
        (samples.paths[row].absolute(), samples.classes[samples.labels[row]], split) for split in rows for row in rows[split]
    )
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(HEADER)
        writer.writerows(photos)


def answer(labels: Sequence[str], chosen: str = "") -> None:
    """The one line that a contender answers with. Who asked counts.

    Args:
        labels: For every held-out photo, in order.
        chosen: What it decided for itself, where it had a choice.
    """
    sys.stdout.write("\n" + json.dumps({"answers": list(labels), "chosen": chosen}) + "\n")
