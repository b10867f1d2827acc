"""Memory does not grow with the number of photos: a million stored vectors, and a folder of 20,000 photos.

    python -m benchmarks.many_rows [--rows 1000000] [--photos-of DATA --photos 20000]

Vectors are synthetic (ten classes around ten centres). Peak memory is the process's own, beyond what its imports take.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.sections import table, write_section
from tsugiki.data.images.decode import open_photo

_WIDTH = 512
_CLASSES = 10


def main() -> None:
    """Each size in a process of its own, so that peaks do not mix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--photos-of", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, count = options.one
        sys.stdout.write(one_vectors(int(count)) if kind == "vectors" else one_photos(options.photos_of, int(count)))
        return
    rows = [measured("vectors", count, options) for count in (options.rows // 10, options.rows)]
    if options.photos_of:
        rows += [measured("photos", count, options) for count in (options.photos // 10, options.photos)]
    header = ("what", "time", "memory before", "peak beyond that")
    body = table(header, rows) + f"\n\n`python -m benchmarks.many_rows --rows {options.rows}`"
    write_section("many_rows", "Memory with many photos", body)


def measured(kind: str, count: int, options: argparse.Namespace) -> tuple[str, ...]:
    """One row of the table."""
    words = [sys.executable, "-m", "benchmarks.many_rows", "--one", kind, str(count)]
    if options.photos_of:
        words += ["--photos-of", str(options.photos_of)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    label = f"head on {count:,} vectors of {_WIDTH}" if kind == "vectors" else f"features of a folder of {count:,} photos"
    return (label, *done.stdout.strip().split("\t"))


def peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_vectors(count: int) -> str:
    """Put vectors into a store, train a head on them from disk."""
    from tsugiki.core.console import quiet
    from tsugiki.features.store import FeatureRows, FeatureStore
    from tsugiki.heads.linear import HeadSettings, Labelled, fit_linear_head

    dice = np.random.default_rng(0)
    centres = dice.normal(size=(_CLASSES, _WIDTH)).astype(np.float32)
    labels = dice.integers(0, _CLASSES, count)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder, quiet():
        space = FeatureStore(Path(folder)).space({"synthetic": True}, _WIDTH)
        for start in range(0, count, 10_000):
            part = labels[start : start + 10_000]
            noise = dice.normal(scale=8, size=(len(part), _WIDTH)).astype(np.float32)
            space.add([f"{row:064x}" for row in range(start, start + len(part))], centres[part] + noise)
        before, started = peak(), time.perf_counter()
        features = FeatureRows(space.vectors(), np.arange(count))
        fitted = fit_linear_head(Labelled(features, labels), _CLASSES, settings=HeadSettings(epochs=3))
        took = time.perf_counter() - started
    accuracy = fitted.history[-1]["val_acc"]
    return f"{took:.0f} s ({accuracy:.1%} out of fold)\t{before:.0f} MB\t{peak() - before:.0f} MB"


def one_photos(photos: Path, count: int) -> str:
    """Compute the features of a folder with many links, each to another content."""
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.core.console import quiet
    from tsugiki.data.samples import Samples
    from tsugiki.features.executor import FAST
    from tsugiki.features.extract import Extractor, FeatureSettings
    from tsugiki.features.store import FeatureStore

    with tempfile.TemporaryDirectory() as folder, quiet():
        files = many_files(photos, count, Path(folder))
        backbone = load_backbone("bundled:nae")
        store = FeatureStore(Path(folder) / "store")
        before, started = peak(), time.perf_counter()
        samples = Samples.from_lists(files, index=store)
        found = Extractor(backbone, settings=FeatureSettings(store=store))(samples, FAST)
        took = time.perf_counter() - started
        if found.computed != count:
            raise SystemExit(f"{found.computed} of {count} photos were computed")
    return f"{took:.0f} s\t{before:.0f} MB\t{peak() - before:.0f} MB"


def many_files(photos: Path, count: int, folder: Path) -> list[Path]:
    """As many small photos, each of another content: a number behind the end of the picture, which no decoder reads."""
    small = []
    for path in sorted(photos.rglob("*.jpg")):
        stream = io.BytesIO()
        photo = open_photo(path)
        photo.thumbnail((256, 256))
        photo.save(stream, "JPEG", quality=85)
        small.append(stream.getvalue())
    files = []
    for number, content in enumerate(islice(cycle(small), count)):
        path = folder / f"{number:07d}.jpg"
        path.write_bytes(content + number.to_bytes(8, "big"))
        files.append(path)
    return files


if __name__ == "__main__":
    main()
