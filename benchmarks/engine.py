"""What an engine saves, side by side on one machine: one photo answered by a cold process, and a second fit.

    python -m benchmarks.engine [--material DIR] [--work DIR] [--repeat N]

Every line is processor time of whole processes (user and system, threads included), the median of several. `floor` is what any
program pays that answers one photo by OpenVINO: Python with NumPy, Pillow and OpenVINO imported, the network read as it was
compiled before, one photo decoded and computed. `with PyTorch` is the same command on the same run without its engine.
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
from pathlib import Path

from tools.same_results import MATERIAL

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


def seconds(command: list[str], cache: Path) -> float:
    """Processor time of a command and of everything that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "TSUGIKI_CACHE": str(cache), "LC_ALL": "C.UTF-8"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(command: list[str], cache: Path, repeat: int) -> float:
    """The median of several runs, after one that warms the disk."""
    seconds(command, cache)
    return statistics.median(seconds(command, cache) for _ in range(repeat))


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


def fits(material: Path, work: Path) -> None:
    """Print what a fit costs on a machine that has seen neither backbone nor photos, the backbone only, and both."""
    times = {}
    for cold in ("hymenoptera", "food3"):
        other = "food3" if cold == "hymenoptera" else "hymenoptera"
        cache = work / f"cache-{cold}"
        times[cold, "cold"] = seconds(fit_command(material, cold, work / f"{cold}-cold"), cache)
        times[other, "backbone seen"] = seconds(fit_command(material, other, work / f"{other}-seen"), cache)
        times[cold, "all seen"] = seconds(fit_command(material, cold, work / f"{cold}-again"), cache)
    for (name, kind), spent in sorted(times.items()):
        print(f"fit {name}, {kind}: {spent:.2f} s, {spent / times[name, 'cold']:.2f} of cold")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--work", type=Path, help="keep the runs in this folder")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        fits(options.material, work)
        for name in ("hymenoptera", "food3"):
            run = work / f"{name}-cold"
            proof = json.loads((run / "engine" / "parity.json").read_text(encoding="utf-8"))["parity"]
            print(f"{name}: {proof['same_answer']} of {proof['photos']} answers are PyTorch's, ", end="")
            print(f"largest difference of a probability {proof['largest_difference']:.1e}")
        photo = min((options.material / "data" / "hymenoptera" / "val" / "bees").glob("*.jpg"))
        one_photo(work / "hymenoptera-cold", photo, work / "cache-hymenoptera", options.repeat)


if __name__ == "__main__":
    main()
