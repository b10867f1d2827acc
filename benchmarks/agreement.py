"""How close fast features are to exact ones: precisions of the engine, pixel paths, and whether any answer changes.

    python -m benchmarks.agreement DATA... --timm-weights FILE --torchvision-weights FILE

DATA are folders with `train` and `val` or `test`. A head is fitted on fast features of the training photos, as `tsugiki fit`
does; its answers for all photos are compared between fast and exact features.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.sections import table, write_section
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.data.images.pixels import read_pixels
from tsugiki.data.load import load
from tsugiki.data.samples import Samples
from tsugiki.features.engines.engine import mean_cosine
from tsugiki.features.engines.openvino_conversion import converted
from tsugiki.features.engines.openvino_engine import OpenVINOEngine, native_precisions
from tsugiki.features.engines.reference import reference_features
from tsugiki.features.executor import EXACT, FAST
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.store import FeatureRows, FeatureStore
from tsugiki.heads.linear import Labelled, fit_linear_head


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--timm-weights", type=Path, required=True)
    parser.add_argument("--torchvision-weights", type=Path, required=True)
    options = parser.parse_args()
    backbones = {
        "MobileNetV2 (timm)": load_backbone(
            "timm:mobilenetv2_100", weights=options.timm_weights, model_args={"pad_type": "same"}
        ),
        "MobileNetV2 (torchvision)": load_backbone("torchvision:mobilenet_v2", weights=options.torchvision_weights),
        "nae": load_backbone("bundled:nae"),
    }
    with quiet(), tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder))
        sets = [load(data, index=store) for data in options.data]
        precisions: list[tuple[str, ...]] = [(name, *cosines(root, sets[0])) for name, root in backbones.items()]
        answers = [row for name, backbone in backbones.items() for row in changes(name, backbone, sets, store)]
    columns = (*native_precisions(), "float32")
    body = (
        "Mean cosine of an OpenVINO engine's features with float32 PyTorch, 64 photos:\n\n"
        + table(("", *columns), precisions)
        + "\n\nFast way (fast pixels, the chosen engine) against exact way (Pillow, float32), all photos:\n\n"
        + table(("", "photos", "grey levels", "mean cosine", "same answer"), answers)
        + "\n\n`python -m benchmarks.agreement hymenoptera food3 --timm-weights mobilenetv2_100.same_pad.safetensors "
        + "--torchvision-weights mobilenet_v2.torchvision.pth`"
    )
    write_section("agreement", "Fast features against exact ones", body)


def cosines(backbone: Backbone, samples: Samples) -> list[str]:
    """Per precision, the mean cosine with float32 PyTorch."""
    paths = samples.paths[:: max(1, len(samples) // 64)][:64]
    pixels = np.stack([read_pixels(path.read_bytes(), backbone.preprocess, fast=True).values.numpy() for path in paths])
    expected = reference_features(backbone, backbone.preprocess, pixels)
    network = converted(backbone, backbone.preprocess)
    engines = (OpenVINOEngine(network, precision=precision) for precision in (*native_precisions(), "float32"))
    return [f"{mean_cosine(engine(pixels), expected):.5f}" for engine in engines]


def changes(name: str, backbone: Backbone, sets: list[Samples], store: FeatureStore) -> list[tuple[str, ...]]:
    """Per data set: how far the two ways are apart, and how many answers are the same."""
    rows: list[tuple[str, ...]] = []
    for samples in sets:
        extractor = Extractor(backbone, settings=FeatureSettings(store=store))
        first, second = (extractor(samples, way).vectors() for way in (FAST, EXACT))
        train = np.array(samples.rows_of("train"))
        features = FeatureRows(first, train)
        head = fit_linear_head(Labelled(features, samples.labels[train]), len(samples.classes))
        answers = [(torch.from_numpy(vectors) @ head.weight.T + head.bias).argmax(dim=1) for vectors in (first, second)]
        same = int((answers[0] == answers[1]).sum())
        title = f"{name}, {samples.root.name}"
        apart = f"{grey_levels(backbone, samples):.4f}"
        rows.append((title, str(len(samples)), apart, f"{mean_cosine(first, second):.5f}", f"{same} of {len(samples)}"))
    return rows


def grey_levels(backbone: Backbone, samples: Samples) -> float:
    """Mean difference of the two pixel paths, of 255."""
    apart = []
    for path in samples.paths[::10]:
        content = path.read_bytes()
        ways = [read_pixels(content, backbone.preprocess, fast=fast).values.float() for fast in (True, False)]
        apart.append(float((ways[0] - ways[1]).abs().mean()))
    return float(np.mean(apart))


if __name__ == "__main__":
    main()
