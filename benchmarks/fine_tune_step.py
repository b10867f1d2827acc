"""A fine-tuning step against the plain loop, and partial unfreezing with stored activations against all layers.

    python -m benchmarks.fine_tune_step [--rounds 7] [--batch-size 16] [--photos 96]

Random weights and drawn photos: the arithmetic is the same as with real ones. Steps are taken in turn, so that a slow minute of
the machine hits every contender; medians are compared.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.sections import table, write_section
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet, say
from tsugiki.data.load import load
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.kernels.autotune import Workload, autotune
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings, prepare_model
from tsugiki.fine_tuning.layers import chosen_groups, parameter_groups, set_learning, set_modes
from tsugiki.fine_tuning.settings import FineTuneSettings

NETWORKS = {
    "MobileNetV2": "timm:mobilenetv2_100",
    "ResNet-18": "torchvision:resnet18",
    "EfficientNet-B0": "torchvision:efficientnet_b0",
}
SIZE = 224
CLASSES = ("a", "b", "c")


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--photos", type=int, default=96)
    options = parser.parse_args()
    steps = [throughput_row(name, options.batch_size, options.rounds) for name in NETWORKS]
    with tempfile.TemporaryDirectory() as folder:
        draw_photos(Path(folder), options.photos)
        epochs = [epoch_row(name, Path(folder)) for name in NETWORKS]
    body = f"""`python -m benchmarks.fine_tune_step --rounds {options.rounds} --batch-size {options.batch_size}`

Photos learned from per second: forward pass, backward pass and AdamW, all layers learning, {SIZE} x {SIZE} pixels, batches of
{options.batch_size}, median of {options.rounds} steps taken in turn. "Plain" is float32 and contiguous, as written by hand; its
BatchNorm either updates its statistics, as plain loops do, or keeps them, as fine-tuning here does by default. The way was
chosen by the program's own trial.

{table(("network", "plain", "plain, BatchNorm frozen", "tsugiki", "ratio to plain", "ratio to frozen", "way"), steps)}

Seconds per epoch of {options.photos} photos, by the program's own history: all layers, and `--unfreeze 1` once the activations
of the frozen layers are stored (goal: at most 35%).

{table(("network", "all layers", "--unfreeze 1", "share"), epochs)}"""
    write_section("fine_tune_step", "A step of fine-tuning", body)


def throughput_row(name: str, batch_size: int, rounds: int) -> list[str]:
    """Photos per second of the plain loops and of the program's own choice."""
    classifier = Classifier(NETWORKS[name], classes=CLASSES, weights="none")
    settings = FineTuneSettings(compile="off")
    groups = len(classifier.backbone.layer_groups())
    workload = Workload(batch_size, (SIZE, SIZE), steps=1000, learning=groups, stored=False)
    compute = autotune(classifier, settings, workload).compute
    contenders = {
        "plain": plain_step(classifier, batch_size, frozen=False),
        "frozen": plain_step(classifier, batch_size, frozen=True),
        "here": own_step(classifier, batch_size, settings, compute),
    }
    seconds = in_turn(contenders, rounds)
    rates = {key: batch_size / statistics.median(times) for key, times in seconds.items()}
    numbers = [f"{rates[key]:.1f}" for key in ("plain", "frozen", "here")]
    ratios = [f"{rates['here'] / rates[key]:.2f}x" for key in ("plain", "frozen")]
    return [name, *numbers, *ratios, compute.describe()]


def in_turn(contenders: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every contender in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for step in contenders.values():
        step()
    for _ in range(rounds):
        for name, step in contenders.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def plain_step(classifier: Classifier, batch_size: int, *, frozen: bool) -> Callable[[], None]:
    """A step as it is written by hand."""
    model = copy.deepcopy(classifier)
    network = nn.Sequential(model.backbone, model.head).requires_grad_()
    network.train()
    if frozen:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    photos, labels = torch.randn(batch_size, 3, SIZE, SIZE), torch.zeros(batch_size, dtype=torch.int64)
    optimizer, loss_fn = torch.optim.AdamW(network.parameters(), lr=1e-5), nn.CrossEntropyLoss()

    def step() -> None:
        optimizer.zero_grad()
        loss_fn(network(photos), labels).backward()
        optimizer.step()

    return step


def own_step(
    classifier: Classifier, batch_size: int, settings: FineTuneSettings, compute: ComputeSettings
) -> Callable[[], None]:
    """A step as the program computes it."""
    model = copy.deepcopy(classifier)
    groups = chosen_groups(model.backbone, "all")
    set_learning(model, groups)
    photos, labels = torch.randn(batch_size, 3, SIZE, SIZE), torch.zeros(batch_size, dtype=torch.int64)
    prepared = prepare_model(model, groups, compute, example=photos[:2], stored=False)
    set_modes(prepared.network, batch_norm=settings.batch_norm)
    optimizer = torch.optim.AdamW(parameter_groups(model.head, groups, settings), lr=1e-5, fused=True)
    loss_fn = nn.CrossEntropyLoss()

    def step() -> None:
        with compute.autocast(photos.device):
            logits = prepared.call(prepared.ready(photos))
        loss_fn(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def draw_photos(root: Path, count: int) -> None:
    """Noise of three colours: nothing is learned about photos here but time."""
    random = np.random.default_rng(0)
    for split, photos in (("train", count), ("test", 6)):
        for number in range(photos):
            place = root / split / CLASSES[number % len(CLASSES)]
            place.mkdir(parents=True, exist_ok=True)
            small = random.integers(0, 255, (30, 40, 3)).astype(np.uint8)
            Image.fromarray(small).resize((400, 300)).save(place / f"{number}.jpg")


def epoch_row(name: str, folder: Path) -> list[str]:
    """Seconds of an epoch with all layers, and with the last group only."""
    classifier = Classifier(NETWORKS[name], classes=CLASSES, weights="none")
    whole = seconds_per_epoch(classifier, folder, FineTuneSettings(epochs=4, patience=0, compile="off"), skip=1)
    last = FineTuneSettings(epochs=6, patience=0, unfreeze="1", stored_views=2, compile="off")
    part = seconds_per_epoch(classifier, folder, last, skip=2)
    return [name, f"{whole:.2f}", f"{part:.2f}", f"{part / whole:.0%}"]


def seconds_per_epoch(classifier: Classifier, folder: Path, settings: FineTuneSettings, *, skip: int) -> float:
    """The median of a training's epochs, the first ones left out."""
    say(f"{classifier.backbone.spec}, unfreeze {settings.unfreeze}")
    with quiet():
        history = fine_tune(classifier, load(folder), settings, device="cpu").history
    return statistics.median(row["seconds"] for row in history[skip:])


if __name__ == "__main__":
    main()
