"""Are exports equal? Four data sets and the awkward photos through every format that this machine can run.

    python -m benchmarks.export_parity [--material DIR] [--photos N] [--sets A,B] [--formats onnx,openvino,torch,timm]

A line per data set and format: photos with the same answer, and the largest difference of a probability and of a distance, for
frames and, where the file takes them, for photos of any size. Then what 8 bits lose on the held-out photos, with the paired 95%
interval, and how many of the values that Pillow makes of a photo come out otherwise in a graph.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

import tsugiki as tg
from tools.same_results import MATERIAL
from tsugiki.core.console import quiet
from tsugiki.core.errors import TsugikiError
from tsugiki.data.images.decode import open_photo
from tsugiki.data.load import read_samples
from tsugiki.data.samples import Samples
from tsugiki.publishing.export import loss_sentence
from tsugiki.publishing.graph import compiled
from tsugiki.publishing.photo_input import PhotoInput

SETS = ("hymenoptera", "food3", "waste", "flowers")


def trained(material: Path, name: str, work: Path) -> tuple[Path, Samples]:
    """A run of MobileNetV2 on a data set, and the data set."""
    weights = material / "weights" / "mobilenetv2_100.same_pad.safetensors"
    samples = read_samples(material / "data" / name)
    model = tg.Classifier("timm:mobilenetv2_100", classes=samples.classes, weights=weights, model_args={"pad_type": "same"})
    return tg.fit(model, samples).classifier.save(work / name), samples


def parity(run: Path, samples: Samples, kind: str, count: int) -> None:
    """Print how an export compares with PyTorch."""
    held_out = [samples.paths[row] for row in samples.held_out_rows]
    photos = held_out[:: max(1, len(held_out) // count)][:count]
    try:
        made = tg.export(run, kind, run.with_name(f"{run.name}-{kind}"), photos=photos)
    except TsugikiError as refusal:
        print(f"{run.name:12} {kind:12} {' '.join(str(refusal).split())}")
        return
    told = json.loads((made.folder / "parity.json").read_text(encoding="utf-8"))
    for way in ("frames", "whole_photos"):
        if found := told[way]:
            print(
                f"{run.name:12} {kind:12} {way:13} {found['same_answer']} of {found['photos']} the same, probability "
                f"{found['largest_difference']:.1e}, distance {found['largest_distance_difference']:.1e}"
            )


def eight_bits(run: Path, samples: Samples, kind: str) -> None:
    """Print what 8 bits lose."""
    try:
        made = tg.export(run, kind, run.with_name(f"{run.name}-{kind}-int8"), precision="int8", data=samples)
    except TsugikiError as refusal:
        print(f"{run.name:12} {kind} int8: {' '.join(str(refusal).split())}")
        return
    assert made.lost is not None  # noqa: S101
    print(f"{run.name:12} {kind} int8: {loss_sentence(made.lost)}")


def values(run: Path, samples: Samples, count: int) -> None:
    """Print how many of the values that Pillow makes come out otherwise in a graph."""
    rule = tg.Classifier.load(run).preprocess
    graph = compiled(PhotoInput(rule))
    paths = samples.paths[:: max(1, len(samples) // count)][:count]
    others = 0
    for path in paths:
        photo = open_photo(path)
        frame = graph(torch.from_numpy(np.array(photo)[None]))[0].numpy()
        others += int((frame != rule.array(photo)).sum())
    print(f"{run.name:12} {others} of {len(paths) * 3 * rule.size[0] * rule.size[1]} values are not Pillow's")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--photos", type=int, default=8, help="held-out photos of a data set beside the drawn ones")
    parser.add_argument("--formats", default="onnx,openvino,torch,timm")
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        formats = options.formats.split(",")
        with quiet():
            runs = [trained(options.material, name, Path(folder)) for name in options.sets.split(",")]
            for run, samples in runs:
                values(run, samples, 40)
            for run, samples in runs:
                for kind in formats:
                    parity(run, samples, kind, options.photos)
            for run, samples in runs:
                for kind in ("onnx", "openvino"):
                    if kind in formats:
                        eight_bits(run, samples, kind)


if __name__ == "__main__":
    main()
