"""How near extraction comes to the machine's limit, and what a second fit costs.

    python -m benchmarks.extraction DATA WEIGHTS [--runs 5] [--name hymenoptera]

Measured in one run on the same cores: photos decoded per second without a network, photos computed per second without decoding,
both together, and the whole of a first and a second fit (another seed, classes merged) beyond imports.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.sections import table, write_section
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet
from tsugiki.core.devices import usable_cores
from tsugiki.data.images.pixels import read_pixels
from tsugiki.data.load import load
from tsugiki.data.samples import Samples
from tsugiki.features.engines.choose import Engines
from tsugiki.features.executor import FAST
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.reporting.run_folder import save_run
from tsugiki.training.fit import fit

Item = TypeVar("Item")


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--name", default="")
    options = parser.parse_args()
    name = options.name or options.data.name
    with quiet(), tempfile.TemporaryDirectory() as folder:
        samples = load(options.data, index=FeatureStore(Path(folder) / "look"))
        limits = measure_limits(samples, options.weights, Path(folder), options.runs)
        fits = measure_fits(options.data, options.weights, Path(folder), options.runs)
    command = f"python -m benchmarks.extraction {name} mobilenetv2_100.same_pad.safetensors --runs {options.runs}"
    write_section(f"extraction_{name}", f"Looking at the photos of {name}", f"{limits}\n\n{fits}\n\n`{command}`")


def root(weights: Path) -> Backbone:
    """MobileNetV2 from the local file."""
    return load_backbone("timm:mobilenetv2_100", weights=weights, model_args={"pad_type": "same"})


def measure_limits(samples: Samples, weights: Path, folder: Path, runs: int) -> str:
    """Decode only, engine only, both; in turn, several times."""
    backbone = root(weights)
    engines = Engines(backbone, backbone.preprocess)
    contents = [path.read_bytes() for path in samples.paths]
    pixels = np.stack([read_pixels(content, backbone.preprocess, fast=True).values.numpy() for content in contents])
    engine = engines.choose(pixels[:8], exact=False, count=len(pixels))
    chunks = [pixels[start : start + engine.batch_size] for start in range(0, len(pixels), engine.batch_size)]

    def decode(content: bytes) -> None:
        read_pixels(content, backbone.preprocess, fast=True)

    rates: dict[str, list[float]] = {"decode": [], "engine": [], "extract": []}
    for turn in range(runs):
        rates["decode"].append(len(samples) / seconds_of(lambda: in_lanes(decode, contents)))
        rates["engine"].append(len(samples) / seconds_of(lambda: in_lanes(engine, chunks)))
        store = FeatureStore(folder / f"store-{turn}")
        extractor = Extractor(backbone, settings=FeatureSettings(store=store))
        took = seconds_of(lambda extractor=extractor: extractor(samples, FAST))  # type: ignore[misc]
        rates["extract"].append(len(samples) / took)
    limit = [1 / (1 / decoded + 1 / computed) for decoded, computed in zip(rates["decode"], rates["engine"], strict=True)]
    shares = [reached / possible for reached, possible in zip(rates["extract"], limit, strict=True)]
    rows = [
        ("decode only", per_second(rates["decode"])),
        (f"engine only ({engine.name}, {engine.precision})", per_second(rates["engine"])),
        ("limit of both on the same cores", per_second(limit)),
        ("extraction, store included", per_second(rates["extract"])),
        ("**share of the limit reached**", f"**{statistics.median(shares):.2f}**"),
    ]
    return table(("photos per second, median", f"{len(samples)} photos"), rows)


def measure_fits(data: Path, weights: Path, folder: Path, runs: int) -> str:
    """A first fit with an empty store and a second one with other seed and merged classes, imports not counted."""
    firsts, seconds, decoded = [], [], []
    for turn in range(runs):
        features = FeatureSettings(store=FeatureStore(folder / f"fit-{turn}"))
        firsts.append(seconds_of(lambda features=features: whole_fit(data, weights, features, seed=1)))  # type: ignore[misc]
        started = time.perf_counter()
        decoded.append(whole_fit(data, weights, features, seed=2, merged=True))
        seconds.append(time.perf_counter() - started)
    share = statistics.median(later / first for later, first in zip(seconds, firsts, strict=True))
    rows = [
        ("first fit", f"{statistics.median(firsts):.2f} s", "all"),
        (
            "second fit, other seed, classes merged where there are more than two",
            f"{statistics.median(seconds):.2f} s",
            str(max(decoded)),
        ),
        ("**second / first**", f"**{share:.0%}**", ""),
    ]
    return table(("beyond imports, median", "time", "photos decoded"), rows)


def whole_fit(data: Path, weights: Path, features: FeatureSettings, *, seed: int, merged: bool = False) -> int:
    """What `tsugiki fit` does after its imports; returns how many photos were decoded."""
    samples = load(data, seed=seed, index=features.store)
    if merged and len(samples.classes) > 2:
        samples = replace(samples, classes=(samples.classes[0], "other"), labels=np.minimum(samples.labels, 1))
    model = Classifier(root(weights), classes=samples.classes)
    run = fit(model, samples, settings=HeadSettings(seed=seed), features=features)
    with tempfile.TemporaryDirectory() as folder:
        save_run(run, Path(folder) / "run")
    return run.table.computed


def in_lanes(function: Callable[[Item], object], items: list[Item]) -> None:
    """Every item, by as many threads as there are cores, one computing thread each."""
    import torch

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(usable_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(function, items))
    torch.set_num_threads(threads)


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def per_second(rates: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


if __name__ == "__main__":
    main()
