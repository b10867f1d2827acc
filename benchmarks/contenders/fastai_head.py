"""fastai's `vision_learner`, frozen, five epochs of one cycle, its own transforms and head."""

from __future__ import annotations

import warnings
from typing import Any

warnings.simplefilter("ignore")

import timm  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    CategoryBlock,
    DataBlock,
    GrandparentSplitter,
    ImageBlock,
    Normalize,
    Resize,
    accuracy,
    get_image_files,
    imagenet_stats,
    parent_label,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.contenders.job import report  # noqa: E402
from benchmarks.contenders.paths import read_paths  # noqa: E402


def main() -> None:
    """Train and test as fastai's guide does."""
    job = read_paths()
    set_seed(42)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=GrandparentSplitter(train_name=job.train.name, valid_name=job.test.name),
        item_tfms=Resize(224),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
    )
    loaders = block.dataloaders(job.train.parent, bs=32)
    weights = load_file(job.weights)
    original = timm.create_model

    def create(name: str, **options: Any) -> nn.Module:
        model: nn.Module = original(name, **{**options, "pad_type": "same", "pretrained": False})
        model.load_state_dict(weights, strict=False)
        return model

    setattr(timm, "create_model", create)  # noqa: B010 (the same local weights as everyone, where fastai would download its own)
    learner = vision_learner(loaders, "mobilenetv2_100", metrics=accuracy)
    learner.fit_one_cycle(job.epochs)
    share = float(learner.validate()[1])
    count = len(loaders.valid_ds)
    report(round(share * count), count)


if __name__ == "__main__":
    main()
