"""A small network, and a program that computes features of a folder into a store that others use at the same time.

Words: folder of photos, folder of the store, seconds that each photo takes.
"""

import sys
import time
from pathlib import Path

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.core.console import emit
from tsugiki.data.preprocess import Preprocess
from tsugiki.features import executor as pipeline
from tsugiki.features.engines.choose import Engines
from tsugiki.features.executor import Photos
from tsugiki.features.extract import Extraction, extract, identify
from tsugiki.features.store import FeatureStore


def small_backbone() -> Backbone:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 16, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    spec = BackboneSpec("test", "small", "test:small")
    return Backbone(body, 64, spec=spec, preprocess=Preprocess(size=(64, 64), resize=64)).eval()


def look(photos: Path, folder: Path) -> Extraction:
    paths = sorted(photos.rglob("*.jpg"))
    store, backbone = FeatureStore(folder), small_backbone()
    digests = [seen.digest for seen in identify(paths, store)]
    return extract(Photos(paths, digests), Engines(backbone, backbone.preprocess, name="torch"), store, key="small")


def main(photos: str, folder: str, seconds: str) -> None:
    decode = pipeline._decode

    def slowly(*words):
        time.sleep(float(seconds))
        return decode(*words)

    pipeline._decode = slowly
    emit("ready")
    emit(str(look(Path(photos), Path(folder)).computed))


if __name__ == "__main__":
    main(*sys.argv[1:])
