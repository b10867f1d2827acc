"""Run by test_processes: one process of several that fine-tune together (or the only one), as `torchrun` starts it.

python together.py PHOTOS RESULT
"""

import copy
import os
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import nn

from tests.fine_tuning.conftest import several, tiny_classifier, watching_weights
from tsugiki.data.augmentation.augment import Augmentation
from tsugiki.data.load import load
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.request import StartingPoint
from tsugiki.fine_tuning.settings import FineTuneSettings

SETTINGS = FineTuneSettings(
    epochs=2,
    batch_size=6,  # 30 photos: 5 steps an epoch
    precision="float32",
    patience=0,
    augmentation=Augmentation(mixup=0.3),
    checkpoint_steps=3,
)


def last_weights(photos: Path, checkpoints: Path, rank: int = 0) -> dict[str, Any]:
    """Last weights, history, what validation found; every process fits its own head and has a disk of its own."""

    samples = load(photos)
    fresh = several if samples.task == "multi" else tiny_classifier

    def fit_head(_rows: list[int]) -> nn.Linear:
        head = copy.deepcopy(fresh().head)
        torch.nn.init.constant_(head.bias, rank)
        return head

    with watching_weights() as last:
        tuned = fine_tune(
            fresh(),
            samples,
            SETTINGS,
            device="cpu",
            folder=checkpoints / str(rank),
            starting_point=StartingPoint(fit_head),
        )
    return {"weights": last, "history": tuned.history, "validated": tuned.notes["validated"]}


def main(photos: Path, result: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    found = last_weights(photos, result.with_suffix(".checkpoints"), rank)
    torch.save(found, result.with_suffix(f".{rank}.pt"))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
