"""A hundred million photos, on paper: what is measured with a quarter and half a million rows foretells a million, and more.

    python -m benchmarks.at_scale [--width 512] [--save]

Synthetic vectors are put into a store and a head is trained on them, for 300,000 and 600,000 rows, each in a process of its
own. From these two follow, for any number of photos, the bytes of the store, the memory of the list of photos, and the time of
the head: all three are so much at the beginning and so much per photo. The same is then measured for 1,000,000 rows, beside
what was foretold. Last, the sums for 100,000,000 photos: looking at them takes photos / (cores x photos per second of a core),
whatever the cluster, and costs so many core hours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.many_rows import peak
from benchmarks.sections import table, write_section

CLASSES = 10
SMALL, LARGER, CHECKED = 300_000, 600_000, 1_000_000
PAPER = 100_000_000
_RATES = (50, 200)
"""Photos per second of one core: of a large network, and of a small one ("Looking at the photos" in RESULTS.md)."""

_CORES = (2, 64, 1024)
_PER_GB_AND_SECOND = 1.0
"""Gigabytes that a disk reads per second."""


@dataclass(frozen=True)
class Needs:
    """What so many photos need.

    Attributes:
        vectors: Bytes of the file of vectors.
        index: Bytes of the index.
        memory: Megabytes that the list of photos takes.
        head: Seconds of training the head, penalty included.
        peak: Megabytes of memory that training it takes beyond the list.
    """

    vectors: float
    index: float
    memory: float
    head: float
    peak: float


def main() -> None:
    """Print, or save, the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--save", action="store_true", help="write the section of RESULTS.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        sys.stdout.write(json.dumps(asdict(measured(asked.one, asked.width))))
        return
    found = {count: _in_process(count, asked.width) for count in (SMALL, LARGER, CHECKED)}
    foretold = foretell(CHECKED, (SMALL, found[SMALL]), (LARGER, found[LARGER]))
    rows = [(f"{count:,} rows, measured", *_cells(one)) for count, one in found.items()]
    rows.insert(2, (f"{CHECKED:,} rows, foretold", *_cells(foretold)))
    paper = foretell(PAPER, (SMALL, found[SMALL]), (LARGER, found[LARGER]))
    rows.append((f"**{PAPER:,} photos, on paper**", *_cells(paper)))
    header = (
        f"vectors of {asked.width}, {CLASSES} classes",
        "vectors",
        "index",
        "list of photos",
        "head",
        "memory of the head",
    )
    body = "\n\n".join([f"`python -m benchmarks.at_scale --width {asked.width}`", _about(), table(header, rows), _looking()])
    read = PASSES * paper.vectors / 1e9 / _PER_GB_AND_SECOND
    body += (
        f"\n\nThe head reads all vectors {PASSES} times: on paper {PASSES * paper.vectors / 1e12:.1f} TB. Where they do not "
        f"fit into memory, that is {read / 60:.0f} minutes from a disk of {_PER_GB_AND_SECOND:g} GB per second; "
        "the larger of the two times counts."
    )
    if asked.save:
        write_section("at_scale", "A hundred million photos, on paper", body)
    else:
        print(body)


PASSES = 6
"""How often the vectors of very many photos are read: once for their scale, in three epochs, for curves, and for answers."""


def _about() -> str:
    return (__doc__ or "").partition("--save]")[2].strip()


def foretell(count: int, first: tuple[int, Needs], second: tuple[int, Needs]) -> Needs:
    """So much at the beginning and so much per photo: the line through two measurements."""
    (small, one), (large, other) = first, second

    def line(name: str) -> float:
        low, high = getattr(one, name), getattr(other, name)
        return float(low + (high - low) / (large - small) * (count - small))

    return Needs(**{name: line(name) for name in asdict(one)})


def _cells(one: Needs) -> tuple[str, ...]:
    return (_size(one.vectors), _size(one.index), _size(one.memory * 1e6), _time(one.head), _size(one.peak * 1e6))


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _looking() -> str:
    rows = []
    for rate in _RATES:
        hours = PAPER / rate / 3600
        rows.append((f"{rate} photos per second and core", f"{hours:,.0f}", *(f"{hours / cores:,.1f} h" for cores in _CORES)))
    header = (f"looking at {PAPER:,} photos", "core hours", *(f"{cores} cores" for cores in _CORES))
    return table(header, rows)


def _in_process(count: int, width: int) -> Needs:
    words = [sys.executable, "-m", "benchmarks.at_scale", "--one", str(count), "--width", str(width)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    needs = Needs(**json.loads(done.stdout))
    print(count, needs, flush=True)
    return needs


def measured(count: int, width: int) -> Needs:
    """What so many rows need, in this process."""
    from tsugiki.core.console import quiet
    from tsugiki.data.samples import Samples
    from tsugiki.features.store import FeatureRows, FeatureStore
    from tsugiki.heads.linear import Labelled, fit_linear_head

    dice = np.random.default_rng(0)
    centres = dice.normal(size=(CLASSES, width)).astype(np.float32)
    labels = dice.integers(0, CLASSES, count)
    with tempfile.TemporaryDirectory() as folder, quiet():
        space = FeatureStore(Path(folder)).space({"synthetic": True}, width)
        for start in range(0, count, 10_000):
            part = labels[start : start + 10_000]
            noise = dice.normal(scale=8, size=(len(part), width)).astype(np.float32)
            space.add([f"{row:064x}" for row in range(start, start + len(part))], centres[part] + noise)
        before = _now()
        samples = Samples(
            root=Path("photos"),
            names=tuple(f"train/class {label}/photo-{row:09}.jpg" for row, label in enumerate(labels)),
            labels=labels,
            splits=("train",) * count,
            classes=tuple(f"class {label}" for label in range(CLASSES)),
            digests=tuple(f"{row:064x}" for row in range(count)),
        )
        listed, top = _now(), peak()
        started = time.perf_counter()
        fit_linear_head(Labelled(FeatureRows(space.vectors(), np.arange(count)), samples.labels), CLASSES)
        took = time.perf_counter() - started
        sizes = {path.suffix: path.stat().st_size for path in Path(folder).iterdir()}
    return Needs(sizes[".f32"], sizes[".sqlite"], listed - before, took, max(0.0, peak() - max(top, listed)))


def _now() -> float:
    """Megabytes that this process has in memory now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split(maxsplit=1)[0]) / 1024


if __name__ == "__main__":
    main()
