"""What "at least" is worth from which probability on: how often it is right, against what was said, and how much it tells.

    python -m benchmarks.at_least [--material DIR]

The waste photos, with paper and cardboard as fibre, glass and metal as hard, these and plastic as packaging; the flowers, with
daisy, dandelion and sunflower as composites; by the bundled backbone and by MobileNetV2. Printed for each probability: photos
where something above the classes is named, how often that is right and how often the class is, the mean probability that was
said, and how many classes it stands for.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import tsugiki as tg
from tools.same_results import MATERIAL
from tsugiki.evaluation.levels.level_scores import score_levels
from tsugiki.evaluation.predictions import Predictions

TREES = {
    "waste": {
        "paper": "fibre",
        "cardboard": "fibre",
        "glass": "hard",
        "metal": "hard",
        "hard": "packaging",
        "plastic": "packaging",
        "trash": "",
    },
    "flowers": {"daisy": "composite", "dandelion": "composite", "sunflower": "composite", "rose": "", "tulip": ""},
}
LEVELS = (0.6, 0.7, 0.8, 0.9, 0.95)


def main() -> None:
    """Print a line per photos, backbone and probability."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    material = parser.parse_args().material
    backbones: dict[str, dict[str, Any]] = {
        "nae": {"backbone": "bundled:nae"},
        "mobilenet": {"backbone": "torchvision:mobilenet_v2"},
    }
    backbones["mobilenet"]["weights"] = str(material / "weights" / "mobilenet_v2.torchvision.safetensors")
    print(f"{'photos':9}{'backbone':11}{'sure':>5}{'named':>7}{'right':>8}{'said':>8}{'class':>8}{'classes':>9}")
    for name, parents in TREES.items():
        data = tg.load(material / "data" / name)
        for short, settings in backbones.items():
            model = tg.Classifier(**settings, classes=data.classes, taxonomy=parents)
            run = tg.fit(model, data)
            assert model.taxonomy is not None  # noqa: S101 (it was given)
            assert isinstance(run.predictions, Predictions)  # noqa: S101 (one label each)
            leaked = {one["path"]: one["twin"] for one in (run.evaluation["leaks"] or {"photos": ()})["photos"]}
            for sure in LEVELS:
                tree = replace(model.taxonomy, sure=sure)
                found = score_levels(tree, run.predictions, split=run.evaluation["split"], leaked=leaked)["at_least"]
                shares = (found["accuracy"], found["expected"], found["class_accuracy"])
                told = "".join(f"{'-' if share is None else f'{share:.1%}':>8}" for share in shares)
                print(f"{name:9}{short:11}{sure:>5}{found['n']:>7}{told}{found['mean_classes'] or 0:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
