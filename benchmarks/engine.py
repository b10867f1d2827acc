"""What an engine saves, side by side on one machine: one photo answered by a cold process, and a second fit.

    python -m benchmarks.engine [--material DIR] [--work DIR] [--repeat N] [--before CHECKOUT]

Every line is processor time of whole processes (user and system, threads included) and, for fits, the time that a person waits.
`floor` is what any program pays that answers one photo by OpenVINO: Python with NumPy, Pillow and OpenVINO imported, the
network read as it was compiled before, one photo decoded and computed. `with PyTorch` is the same command on the same run
without its engine. A fit is `cold` on a machine that has seen neither the backbone nor the photos; each ratio is of that one.
`decoding and computing` is what as many threads as there are cores reach that do nothing else: Pillow and OpenVINO, started and
warm. With --before the fits of another checkout of this repository are made in turn with this one's, and compared with them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tools.same_results import MATERIAL
from tsugiki.core.devices import usable_cores

LIMIT = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.modules["openvino_telemetry"] = None
import threading, numpy, openvino
from PIL import Image
network, cache, cores, folder = sys.argv[1:]
photos, own = sorted(Path(folder).iterdir()), threading.local()
settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": int(cores), "CACHE_DIR": cache}
compiled = openvino.Core().compile_model(network, "CPU", settings)
def one(photo):
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)))
    if not hasattr(own, "request"):
        own.request = compiled.create_infer_request()
    own.request.infer({0: numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})
one(photos[0])
begun = time.monotonic()
with ThreadPoolExecutor(int(cores)) as pool:
    list(pool.map(one, photos))
print(time.monotonic() - begun)
"""

FLOOR = """
import sys
sys.modules["openvino_telemetry"] = None
import numpy, openvino
from PIL import Image
network, cache, photo = sys.argv[1:]
pixels = numpy.asarray(Image.open(photo).convert("RGB").resize((224, 224)))
settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "CACHE_DIR": cache}
compiled = openvino.Core().compile_model(network, "CPU", settings)
compiled.create_infer_request().infer({0: numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})
"""


@dataclass(frozen=True)
class Spent:
    """Seconds: of the processors, and on the wall."""

    processor: float
    wall: float


def spent(command: list[str], cache: Path, source: Path | None = None) -> Spent:
    """What a command and everything that it starts cost, run with the program in ``source``."""
    environment = {**os.environ, "TSUGIKI_CACHE": str(cache), "LC_ALL": "C.UTF-8"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begun
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def median(command: list[str], cache: Path, repeat: int) -> float:
    """The median processor time of several runs, after one that warms the disk."""
    spent(command, cache)
    return statistics.median(spent(command, cache).processor for _ in range(repeat))


def fit_command(material: Path, name: str, out: Path) -> list[str]:
    """Transfer learning with MobileNetV2."""
    network = ["--backbone", "timm:mobilenetv2_100", "--model-arg", "pad_type=same"]
    weights = ["--weights", str(material / "weights" / "mobilenetv2_100.same_pad.safetensors")]
    data = str(material / "data" / name)
    return [sys.executable, "-m", "tsugiki", "fit", data, *network, *weights, "--out", str(out)]


def one_photo(run: Path, photo: Path, cache: Path, repeat: int) -> None:
    """Print what one answer costs, with the engine and without, and the floor."""
    bare = run.with_name(f"{run.name}-without-engine")
    shutil.copytree(run, bare)
    shutil.rmtree(bare / "engine")
    ask = [sys.executable, "-m", "tsugiki", "predict"]
    floor = [sys.executable, "-c", FLOOR, str(run / "engine" / "network.xml"), str(cache / "floor"), str(photo)]
    times = {
        "floor": median(floor, cache, repeat),
        "engine": median([*ask, str(run), str(photo)], cache, repeat),
        "with PyTorch": median([*ask, str(bare), str(photo)], cache, repeat),
    }
    for name, spent in times.items():
        print(f"predict, one photo, {name}: {spent:.2f} s")
    engine, old, least = times["engine"], times["with PyTorch"], times["floor"]
    print(f"engine / with PyTorch: {engine / old:.2f}; engine / floor: {engine / least:.2f}")


def stream(run: Path, material: Path, work: Path, cache: Path, repeat: int) -> None:
    """Print how many photos a second are answered, whole process counted, and what decoding and computing alone would allow."""
    found = [photo for name in ("hymenoptera", "food3", "waste") for photo in sorted((material / "data" / name).rglob("*.jpg"))]
    folder = work / "1000"
    folder.mkdir()
    for number in range(1000):
        shutil.copyfile(found[number * len(found) // 1000], folder / f"{number:04}.jpg")
    cores = usable_cores()
    limit = [sys.executable, "-c", LIMIT, str(run / "engine" / "network.xml"), str(cache / "limit"), str(cores), str(folder)]
    ask = [sys.executable, "-m", "tsugiki", "predict", str(run), str(folder), "--format"]
    shares: dict[str, list[float]] = {}
    for _ in range(repeat + 1):  # the first one warms the disk
        least = float(subprocess.run(limit, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for form in ("csv", "jsonl"):
            shares.setdefault(form, []).append(least / spent([*ask, form], cache).wall)
    for form, each in shares.items():
        share = statistics.median(each[1:])
        rate = 1000 / least * share
        print(f"predict, 1000 photos as {form}: {share:.2f} of what decoding and computing allow, {rate:.0f} photos/s")


KINDS = ("cold", "backbone seen", "all seen")


def fits(material: Path, work: Path, repeat: int, sources: dict[str, Path]) -> None:
    """Print what a fit costs on a machine that has seen neither backbone nor photos, the backbone only, and both."""
    for name in ("hymenoptera", "food3"):
        other = "food3" if name == "hymenoptera" else "hymenoptera"
        times: dict[tuple[str, str], list[Spent]] = {}
        for number in range(repeat):
            for version, source in sources.items():
                place = work / f"{name}-{version}-{number}"
                seen = place / "seen"
                for kind, cache in zip(KINDS, (place / "cache", seen, place / "cache"), strict=True):
                    if cache == seen:
                        spent(fit_command(material, other, place / "other"), seen, source)
                    found = spent(fit_command(material, name, place / kind.replace(" ", "-")), cache, source)
                    times.setdefault((version, kind), []).append(found)
                shutil.rmtree(seen)
        _print_fits(name, times)


def _print_fits(name: str, times: dict[tuple[str, str], list[Spent]]) -> None:
    for (version, kind), runs in times.items():
        parts = []
        for what in ("processor", "wall"):
            shares = [f"{_share(runs, times[version, 'cold'], what):.2f} of cold"]
            if version == "now" and ("before", kind) in times:
                shares.append(f"{_share(runs, times['before', kind], what):.2f} of the same before")
                shares.append(f"{_share(runs, times['before', 'cold'], what):.2f} of cold before")
            parts.append(f"{what} {statistics.median(getattr(run, what) for run in runs):.2f} s ({', '.join(shares)})")
        print(f"fit {name}, {version}, {kind}: {'; '.join(parts)}")


def _share(some: list[Spent], others: list[Spent], what: str) -> float:
    return float(statistics.median(getattr(one, what) / getattr(other, what) for one, other in zip(some, others, strict=True)))


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--work", type=Path, help="keep the runs in this folder")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--fits", type=int, default=1, metavar="N", help="how often each fit is made")
    parser.add_argument("--before", type=Path, help="another checkout, to compare cold fits with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        sources = {"before": options.before.resolve() / "src"} if options.before else {}
        fits(options.material, work, options.fits, {**sources, "now": Path(__file__).parents[1] / "src"})
        for name in ("hymenoptera", "food3"):
            run = work / f"{name}-now-0" / "cold"
            proof = json.loads((run / "engine" / "parity.json").read_text(encoding="utf-8"))["parity"]
            print(f"{name}: {proof['same_answer']} of {proof['photos']} answers are PyTorch's, ", end="")
            print(f"largest difference of a probability {proof['largest_difference']:.1e}")
        photo = min((options.material / "data" / "hymenoptera" / "val" / "bees").glob("*.jpg"))
        stream(
            work / "hymenoptera-now-0" / "cold", options.material, work, work / "hymenoptera-now-0" / "cache", options.repeat
        )
        one_photo(work / "hymenoptera-now-0" / "cold", photo, work / "hymenoptera-now-0" / "cache", options.repeat)


if __name__ == "__main__":
    main()
