"""fastai's `vision_learner` at its own defaults: its head (two linear layers, dropout), one-cycle Adam, BatchNorm learning.

Frozen: five epochs of `fit_one_cycle`. With ``--fine-tune``: `fine_tune(5)`, which is one epoch frozen and five of all layers
at learning rates that fall from head to stem. Photos: `Resize(224)`, which crops, and `aug_transforms()`
(``--no-augmentation``: without); ImageNet's normalisation; batches of 32 (its default of 64 leaves small sets a handful of
steps, as the last batch is dropped).
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

warnings.simplefilter("ignore")

from fastai.vision.all import (  # noqa: E402
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    imagenet_stats,
    set_seed,
    vision_learner,
)
from torch import nn  # noqa: E402

from benchmarks.contenders.asked import Job, Photo, answer, read_job  # noqa: E402
from benchmarks.contenders.job import BATCH, pretrained  # noqa: E402


def main() -> None:
    """Train and test as fastai's guide does."""
    job = read_job()
    parser = argparse.ArgumentParser()
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--no-augmentation", action="store_true")
    asked = parser.parse_args(job.words)
    set_seed(42)
    learner = learner_of(job, [] if asked.no_augmentation else aug_transforms())
    if asked.fine_tune:
        learner.fine_tune(job.epochs)
    else:
        learner.fit_one_cycle(job.epochs)
    scores, _ = learner.get_preds(dl=learner.dls.valid)
    answer([learner.dls.vocab[row] for row in scores.argmax(dim=1).tolist()])


def learner_of(job: Job, augmentation: list[Any]) -> Any:
    """The learner on the photos of the job, with the same local weights as everyone."""
    first = len(job.train)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=path_of,
        get_y=label_of,
        splitter=IndexSplitter(range(first, first + len(job.test))),
        item_tfms=Resize(224),
        batch_tfms=[*augmentation, Normalize.from_stats(*imagenet_stats)],
    )
    loaders = block.dataloaders([*job.train, *job.test], bs=min(BATCH, first))

    def architecture(**_: Any) -> nn.Module:
        return nn.Sequential(body(pretrained(job)), nn.AdaptiveAvgPool2d(1))  # fastai cuts before the last pool

    return vision_learner(loaders, architecture, metrics=accuracy)


def body(model: Any) -> nn.Module:
    """Everything up to the last feature map."""
    if hasattr(model, "features"):
        features: nn.Module = model.features
        return features
    return nn.Sequential(model.conv_stem, model.bn1, model.blocks, model.conv_head, model.bn2)


def path_of(photo: Photo) -> Any:
    """Of a photo, for fastai."""
    return photo.path


def label_of(photo: Photo) -> str:
    """Of a photo, for fastai."""
    return photo.label


if __name__ == "__main__":
    main()
