"""A small network, and a program that computes features of a folder into a store that others use at the same time.

Words: folder of photos, folder of the store, seconds that each photo takes.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.core.console import emit
from tsugiki.data.images.decode import content_digest
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.features.executor import FAST, PixelReader
from tsugiki.features.extract import Extracted, Extractor, FeatureSettings
from tsugiki.features.store import FeatureStore


def small_backbone() -> Backbone:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 16, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    spec = BackboneSpec("test", "small", "test:small")
    return Backbone(body, 64, spec=spec, preprocess=Preprocess(size=(64, 64), resize=64)).eval()


def samples_of(paths: list[Path]) -> Samples:
    """Photos as they are, readable or not."""
    digests = tuple(content_digest(path.read_bytes()) for path in paths)
    names = tuple(path.as_posix() for path in paths)
    return Samples(Path(), names, np.full(len(paths), -1), ("test",) * len(paths), (), digests)


def look(photos: Path, folder: Path) -> Extracted:
    settings = FeatureSettings(engine="torch", store=FeatureStore(folder))
    return Extractor(small_backbone(), settings=settings)(samples_of(sorted(photos.rglob("*.jpg"))), FAST)


def main(photos: str, folder: str, seconds: str) -> None:
    read = PixelReader.read

    def slowly(*words):
        time.sleep(float(seconds))
        return read(*words)

    PixelReader.read = slowly  # type: ignore[method-assign]
    emit("ready")
    emit(str(look(Path(photos), Path(folder)).computed))


if __name__ == "__main__":
    main(*sys.argv[1:])
