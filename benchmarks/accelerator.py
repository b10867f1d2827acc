"""What a device answers next to the processor, and how near it comes to its own limits.

    python -m benchmarks.accelerator [DATA] [--device cuda] [--backbone NAME] [--weights FILE] [--epochs 3] [--runs 3]
    python -m benchmarks.record accelerator "An accelerator" accelerator DATA

For a machine with CUDA or Apple's MPS. Every way of computing (float32, bfloat16, float16, each compiled and not) looks at the
same photos; a head is fitted on what it saw; then all layers are fine-tuned. Beside each stands how its answers to the held-out
photos compare with those of the processor in float32. Photos per second are measured against the limits of the same run: photos
decoded by threads alone, networks computed alone on pixels that lie on the device, and JPEG decoded by the device where it can.

With `--device cpu` the processor is compared with itself, which tells nothing but that this command works.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.extraction import in_lanes, per_second, seconds_of
from benchmarks.sections import machine, table
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.classifier.answer import calibrated
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet
from tsugiki.core.devices import pick_device, usable_cores
from tsugiki.core.errors import RequestError
from tsugiki.data.images.pixels import read_pixels
from tsugiki.data.load import load
from tsugiki.data.samples import Samples
from tsugiki.data.synthetic.sample import sample_folder
from tsugiki.features.engines.engine import FeatureBatch, PixelBatch, mean_cosine, worst_difference
from tsugiki.features.engines.torch_engine import COMPILING_PAYS_FROM, TorchEngine
from tsugiki.features.executor import FAST
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.store import FeatureRows, FeatureStore
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.request import StartingPoint
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.heads.linear import HeadFit, Labelled, fit_linear_head

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")
CPU = torch.device("cpu")

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """One way of computing."""

    device: torch.device
    precision: Precision = "float32"
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.device.type}, {self.precision}{', compiled' if self.compiled else ''}"

    def engine(self, backbone: Backbone) -> TorchEngine:
        """An engine that computes so."""
        reduced = False if self.precision == "float32" else getattr(torch, self.precision)
        count = COMPILING_PAYS_FROM if self.compiled else 0
        return TorchEngine(copy.deepcopy(backbone).to(self.device), backbone.preprocess, reduced=reduced, count=count)


@dataclass(frozen=True)
class Material:
    """What everything is measured on.

    Attributes:
        samples: ``N`` photos.
        backbone: On the processor.
        contents: The files' contents.
        pixels: uint8 ``[N, 3, H, W]``, as prediction sees them.
    """

    samples: Samples
    backbone: Backbone
    contents: list[bytes]
    pixels: PixelBatch

    @classmethod
    def of(cls, samples: Samples, backbone: Backbone) -> Material:
        """Read and decode all photos."""
        contents = [path.read_bytes() for path in samples.paths]
        pixels = [read_pixels(content, backbone.preprocess, fast=False).values.numpy() for content in contents]
        return cls(samples, backbone, contents, np.stack(pixels))


@dataclass(frozen=True)
class Seen:
    """What one way of computing saw, and what came of it: features ``[N, D]``, and probabilities of the held-out photos."""

    features: FeatureBatch
    probabilities: Probabilities


def main() -> None:
    """Compare, measure, print."""
    options = _options()
    try:
        place = pick_device(options.device)
    except RequestError as fault:
        sys.exit(str(fault))
    if place.type == "cpu" and options.device is None:
        print("There is no accelerator here (CUDA or MPS), so there is nothing to compare; --device cpu tries the command.")
        return
    with quiet(), tempfile.TemporaryDirectory() as folder:
        samples = load(options.data or sample_folder(), index=FeatureStore(Path(folder) / "look"))
        backbone = load_backbone(options.backbone, weights=options.weights)
        material = Material.of(samples, copy.deepcopy(backbone))
        compile_too = options.compile or (place.type == "cuda" and not options.no_compile)
        ways = [
            Way(place, each, compiled)
            for each in options.precision
            for compiled in ((False, True) if compile_too else (False,))
        ]
        print(f"{device_name(place)}; {len(samples)} photos, {backbone.spec}; {machine()}\n")
        expected = seen(material, Way(CPU).engine(backbone))
        _print_features(material, ways, expected, options.runs)
        _print_limits(material, place, Path(folder), options.runs)
        _print_fine_tuning(material, ways, expected, options.epochs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="some thousand JPEG photos with labels; default: the drawn sample")
    parser.add_argument("--device", help="cuda, mps or cpu; default: the accelerator that is here")
    parser.add_argument("--backbone", default="bundled:nae")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--compile", action="store_true", help="compile on other devices than CUDA, too")
    parser.add_argument("--no-compile", action="store_true")
    return parser.parse_args()


def device_name(place: torch.device) -> str:
    """What the device calls itself."""
    return str(torch.cuda.get_device_name(place)) if place.type == "cuda" else place.type


def _print_features(material: Material, ways: list[Way], expected: Seen, runs: int) -> None:
    rows = []
    for way in ways:
        try:
            engine = way.engine(material.backbone)
            found = seen(material, engine)
        except Exception as error:  # noqa: BLE001 (a way that a device has not is a row, and no end of the others)
            rows.append([str(way), *["-"] * 6, _reason(error)])
            continue
        share, largest = agreement(found.probabilities, expected.probabilities)
        whole, alone = (rates(engine, material.pixels, runs, resident=resident) for resident in (False, True))
        cosine, worst = mean_cosine(found.features, expected.features), worst_difference(found.features, expected.features)
        numbers = [f"{cosine:.6f}", f"{worst:.1e}", f"{share:.1%}", f"{largest:.1e}", per_second(whole), per_second(alone)]
        rows.append([str(way), *numbers, ""])
    header = ("features, and a head on them", "mean cosine", "worst difference", "same answer", "largest of a probability")
    print(table((*header, "photos/s", "photos/s, pixels there", "fault"), rows), end="\n\n")


def seen(material: Material, engine: TorchEngine) -> Seen:
    """All photos' features by an engine, and how a head on them, fitted on the training photos, answers the held-out ones."""
    features = np.concatenate([engine(batch) for batch in _batches(material.pixels, engine.batch_size)])
    samples = material.samples
    head = head_on(material, features, samples.train_rows)
    logits = features[samples.held_out_rows] @ head.weight.numpy().T + head.bias.numpy()
    return Seen(features, calibrated(logits, 1.0))


def head_on(material: Material, features: FeatureBatch, rows: list[int]) -> HeadFit:
    """A head fitted on the features of photos at ``rows``, of ``[N, D]``: the processor's work, whatever the device."""
    training = Labelled.of(FeatureRows(features, np.asarray(rows)), material.samples, rows)
    return fit_linear_head(training, len(material.samples.classes))


def agreement(found: Probabilities, expected: Probabilities) -> tuple[float, float]:
    """Share of photos with the same answer, and the largest difference of a probability, of ``[N, K]`` each."""
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    return float(same.mean()), float(np.abs(found - expected).max())


def rates(engine: TorchEngine, pixels: PixelBatch, runs: int, *, resident: bool) -> list[float]:
    """Photos per second, after a first time that does not count; ``resident``: their pixels lie on the device already."""
    batches = [*_batches(pixels, engine.batch_size)]
    there = [torch.from_numpy(batch).to(engine.device, memory_format=torch.channels_last) for batch in batches]

    def work() -> None:
        for at in range(len(batches)):
            if resident:
                engine.compute(there[at])
            else:
                engine(batches[at])
        synchronise(engine.device)

    work()
    return [len(pixels) / seconds_of(work) for _ in range(runs)]


def synchronise(place: torch.device) -> None:
    """Wait until the device has done all that it was asked for."""
    if place.type != "cpu":
        torch.accelerator.synchronize(place)


def _batches(pixels: PixelBatch, size: int) -> Iterator[PixelBatch]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def _print_limits(material: Material, place: torch.device, folder: Path, runs: int) -> None:
    backbone = copy.deepcopy(material.backbone).to(place)
    engine = TorchEngine(backbone, backbone.preprocess, reduced=True)
    decoded = [len(material.samples) / seconds_of(lambda: in_lanes(_decode(backbone), material.contents)) for _ in range(runs)]
    computed = rates(engine, material.pixels, runs, resident=True)
    reached = []
    for turn in range(runs + 1):
        settings = FeatureSettings(engine="torch", store=FeatureStore(folder / f"store-{turn}"))
        extractor = Extractor(backbone, settings=settings)
        took = seconds_of(lambda extractor=extractor: extractor(material.samples, FAST))  # type: ignore[misc]
        reached += [len(material.samples) / took] * (turn > 0)  # the first time warms the device
    pairs = [*zip(decoded, computed, strict=True)]
    # A device computes while the processor decodes; the processor itself does one or the other.
    limit = [1 / (1 / one + 1 / other) if place.type == "cpu" else min(one, other) for one, other in pairs]
    shares = [one / possible for one, possible in zip(reached, limit, strict=True)]
    rows = [
        [f"decoded by {usable_cores()} threads", per_second(decoded)],
        [f"computed alone, {engine.precision}", per_second(computed)],
        ["decoded by the device (nvJPEG)", _by_nvjpeg(material.contents, place, runs)],
        ["limit of decoding and computing", per_second(limit)],
        ["extraction, store included", per_second(reached)],
        ["**share of the limit reached**", f"**{statistics.median(shares):.2f}**"],
    ]
    print(table(("photos per second, median", f"{len(material.samples)} photos"), rows), end="\n\n")


def _decode(backbone: Backbone) -> Callable[[bytes], object]:
    return lambda content: read_pixels(content, backbone.preprocess, fast=True)


def _by_nvjpeg(contents: list[bytes], place: torch.device, runs: int) -> str:
    """Photos per second that the device itself decodes, at full size, or why it does not."""
    from torchvision.io import ImageReadMode, decode_jpeg

    if place.type != "cuda":
        return "not here: CUDA has it"
    files = [torch.frombuffer(bytearray(one), dtype=torch.uint8) for one in contents if one[:3] == b"\xff\xd8\xff"]
    if not files:
        return "not measured: no photo is a JPEG file"

    def work() -> None:
        for start in range(0, len(files), 64):
            decode_jpeg(files[start : start + 64], mode=ImageReadMode.RGB, device=place)
        synchronise(place)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision tells of its successor
            work()
            return per_second([len(files) / seconds_of(work) for _ in range(runs)])
    except RuntimeError as error:
        return f"not here: {_reason(error)}"


def _print_fine_tuning(material: Material, ways: list[Way], begun: Seen, epochs: int) -> None:
    expected, _ = fine_tuned(material, Way(CPU), begun, epochs)
    rows = []
    for way in ways:
        try:
            found, rate = fine_tuned(material, way, begun, epochs)
        except Exception as error:  # noqa: BLE001 (likewise)
            rows.append([str(way), "-", "-", "-", _reason(error)])
            continue
        share, largest = agreement(found, expected)
        rows.append([str(way), f"{share:.1%}", f"{largest:.1e}", f"{rate:.0f}", ""])
    header = (f"all layers, {epochs} epochs", "same answer", "largest of a probability", "photos/s", "fault")
    print(table(header, rows), end="\n\n")


def fine_tuned(material: Material, way: Way, begun: Seen, epochs: int) -> tuple[Probabilities, float]:
    """Answers to the held-out photos after fine-tuning in one way, and how many photos a second it learned from.

    All begin with the same head, and answers are computed by the processor in float32: what is compared is what was learned.
    """
    samples = material.samples
    classifier = Classifier(copy.deepcopy(material.backbone), classes=samples.classes)
    compiling: Literal["on", "off"] = "on" if way.compiled else "off"
    settings = FineTuneSettings(epochs=epochs, patience=0, precision=way.precision, compile=compiling, blend=False)
    point = StartingPoint(lambda rows: head_on(material, begun.features, rows).as_layer())
    came = fine_tune(classifier, samples, settings, device=way.device, starting_point=point, resume="never")
    features = came.classifier.features_of_pixels(material.pixels[samples.held_out_rows])
    seconds = statistics.median(row["seconds"] for row in came.history[1:] or came.history)  # the first one compiles
    learned = len(samples.train_rows) - came.notes["validation_photos"]
    return calibrated(came.classifier.answer_head.logits(features), 1.0), learned / seconds


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:100].replace("|", "/")


if __name__ == "__main__":
    main()
