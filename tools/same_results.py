"""Compare two versions of the program bit for bit: what they fit, and what the fits answer.

    python -m tools.same_results OLD NEW [--material DIR] [--work DIR]

OLD and NEW are checkouts of the repository, or folders of runs kept by this tool: --work keeps the runs of a checkout in
WORK/old or WORK/new. Each version fits real photos with MobileNetV2 (where the material is) and the drawn sample with the
bundled backbone, in a process and with a cache of its own. One line per file says `same`, or `differs` and where. Exit status 1
when anything differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

MATERIAL = Path(os.environ.get("TSUGIKI_MATERIAL", Path(__file__).parents[2] / "shared"))
DATA_SETS = ("hymenoptera", "food3")
RENAMED: dict[str, str] = {}
"""Keys of JSON documents that have another name now, old to new, from the document's root: `trained.seen`."""
_SHOWN = 60  # characters of a value


def fits(material: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of every fit that can be made on this machine."""
    weights = material / "weights" / "mobilenetv2_100.same_pad.safetensors"
    for name in DATA_SETS:
        data = material / "data" / name
        if data.is_dir() and weights.is_file():
            network = ["--backbone", "timm:mobilenetv2_100", "--model-arg", "pad_type=same", "--weights", str(weights)]
            yield name, [str(data), *network]
    yield "sample", ["sample:foodvision", "--backbone", "bundled:nae"]


def runs_of(version: Path, material: Path, work: Path) -> Path:
    """The folder of a version's runs: made in ``work``, or ``version`` itself where that is no checkout.

    Raises:
        CalledProcessError: When a fit fails.
    """
    source = version.resolve() / "src"
    if not source.is_dir():
        return version
    own = {"PYTHONPATH": str(source), "TSUGIKI_CACHE": str(work / "cache")}
    for name, words in fits(material):
        command = [sys.executable, "-m", "tsugiki", "fit", *words, "--out", str(work.resolve() / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **own})
    return work


def differences(old: Path, new: Path) -> Iterator[tuple[str, str]]:
    """Every compared file of two runs, with the first place where they differ, or nothing."""
    yield "predictions.csv", _line_that_differs(old / "predictions.csv", new / "predictions.csv")
    yield "suspects.csv", _line_that_differs(old / "suspects.csv", new / "suspects.csv")
    yield "weights.safetensors", _tensor_that_differs(old / "weights.safetensors", new / "weights.safetensors")
    for name in ("classifier.json", "evaluation.json"):
        yield name, _key_that_differs(old / name, new / name)
    yield "history.csv", _epoch_that_differs(old / "history.csv", new / "history.csv")


def _line_that_differs(old: Path, new: Path) -> str:
    lines = zip_longest(old.read_bytes().splitlines(keepends=True), new.read_bytes().splitlines(keepends=True), fillvalue=b"")
    return next((f"line {number}: {was!r} -> {now!r}" for number, (was, now) in enumerate(lines, 1) if was != now), "")


def _tensor_that_differs(old: Path, new: Path) -> str:
    if old.read_bytes() == new.read_bytes():
        return ""
    was, now = load_file(old), load_file(new)
    if set(was) != set(now):
        return "tensors of one version only: " + ", ".join(sorted(set(was) ^ set(now)))
    found = [name for name in was if was[name].tobytes() != now[name].tobytes()]
    return f"{len(found)} of {len(was)} tensors: {', '.join(found[:3])}" if found else "the header"


def _key_that_differs(old: Path, new: Path) -> str:
    was, now = (dict(_flat(json.loads(path.read_text(encoding="utf-8")))) for path in (old, new))
    was = {_renamed(key): value for key, value in was.items()}
    found = [key for key in sorted({*was, *now}) if was.get(key, "-") != now.get(key, "-")]
    return "; ".join(f"{key}: {_short(was.get(key, '-'))} -> {_short(now.get(key, '-'))}" for key in found)


def _flat(document: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(document, dict):
        yield place, document
        return
    for key, value in document.items():
        yield from _flat(value, f"{place}.{key}" if place else key)


def _renamed(key: str) -> str:
    for old, new in RENAMED.items():
        if key == old or key.startswith(f"{old}."):
            return new + key.removeprefix(old)
    return key


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _epoch_that_differs(old: Path, new: Path) -> str:
    tables = []
    for path in (old, new):
        with path.open(encoding="utf-8", newline="") as stream:
            tables.append([{**row, "seconds": ""} for row in csv.DictReader(stream)])
    return next((f"epoch {at}: {was} -> {now}" for at, (was, now) in enumerate(zip_longest(*tables), 1) if was != now), "")


def main() -> None:
    """Fit with both versions and say what is the same.

    Raises:
        SystemExit: With status 1 when anything differs.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--work", type=Path, help="keep the runs in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        old, new = (runs_of(getattr(options, side), options.material, work / side) for side in ("old", "new"))
        found = False
        for name, _ in fits(options.material):
            for file, where in differences(old / name, new / name):
                print(f"{name}/{file}: {'differs: ' + where if where else 'same'}")
                found = found or bool(where)
    raise SystemExit(int(found))


if __name__ == "__main__":
    main()
