"""What processes of a cluster cost against threads, and what is lost when one of them dies.

    python -m benchmarks.cluster DATA [--photos 20000] [--runs 2] [--save]

Features of so many small photos, made of those of a folder, by the bundled network, which is so fast that what is passed
between processes weighs the most. Each line is a program of its own with an empty store; lines take turns. Photos per second
from the first vectors that arrive to the last, so without the start of engine, processes and Ray, which is counted beside it.
One thread against one process: this program has one core. The others have all cores that there are; more processes than cores
are counted too. Memory is the peak of the process that keeps the vectors, beyond what it took before; of the processes of the
cluster the largest. All vectors have to be those of threads, bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.many_rows import many_files
from benchmarks.sections import table, write_section

KINDS = ("1 thread", "1 process", "threads", "2 processes", "4 processes", "2 processes, one killed")
_AGAINST = {"1 process": "1 thread", "2 processes": "threads", "4 processes": "threads", "2 processes, one killed": "threads"}


def main() -> None:
    """Print, or save, a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write the section of RESULTS.md")
    parser.add_argument("--one", choices=KINDS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        sys.stdout.write(json.dumps(one(asked.one, asked.data)))
        return
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        files = many_files(asked.data, asked.photos, Path(folder))
        few = files[:: max(1, len(files) // (asked.photos // 10))]
        (Path(folder) / "few").mkdir()
        for path in few:
            (Path(folder) / "few" / path.name).hardlink_to(path)
        for run in range(asked.runs):
            for kind in KINDS:
                found[kind].append(_measured(kind, Path(folder)))
                print(f"{run + 1} of {asked.runs}: {kind}: {found[kind][-1]}", flush=True)
        small = {kind: _measured(kind, Path(folder) / "few") for kind in ("threads", "2 processes")}
    body = f"`python -m benchmarks.cluster {asked.data.name} --photos {asked.photos} --runs {asked.runs}`\n\n"
    body += f"{__doc__.partition('--save]')[2].strip()}\n\n{_told(found, small, len(few))}"
    if asked.save:
        write_section("cluster", "Processes of a cluster", body)
    else:
        print(body)


def _measured(kind: str, photos: Path) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.cluster", str(photos), "--one", kind]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
    return told


def _told(found: dict[str, list[dict[str, Any]]], small: dict[str, dict[str, Any]], few: int) -> str:
    digests = {run["digest"] for runs in found.values() for run in runs}
    rates = {kind: statistics.median(run["rate"] for run in runs) for kind, runs in found.items()}
    rows = []
    for kind, runs in found.items():
        ratios = [run["rate"] / other["rate"] for run, other in zip(runs, found[_AGAINST.get(kind, kind)], strict=True)]
        rows.append(
            (
                kind,
                f"{rates[kind]:.0f}",
                f"{statistics.median(ratios):.2f} x {_AGAINST[kind]}" if kind in _AGAINST else "",
                f"{statistics.median(run['start'] for run in runs):.1f} s",
                f"{max(run['memory'] for run in runs):.0f} MB",
                f"{max(run['largest'] for run in runs):.0f} MB" if "process" in kind else "",
                "all, once" if all(run["once"] for run in runs) else "**NOT all once**",
            )
        )
    header = (
        "",
        "photos per second",
        "against",
        "before the first vectors",
        "memory beyond",
        "largest process",
        "photos that came",
    )
    same = "the same, bit for bit" if len(digests) == 1 else "**NOT the same**"
    lines = [table(header, rows), "", f"Vectors of all lines and runs: {same}."]
    lines.append(
        f"With {few:,} of these photos the memory beyond is "
        + ", ".join(f"{told['memory']:.0f} MB ({kind})" for kind, told in small.items())
        + "."
    )
    return "\n".join(lines)


# One line, in a process of its own.


def one(kind: str, photos: Path) -> dict[str, Any]:
    """Look at every photo in one way; what it took, as plain values."""
    from tsugiki.features.cluster import InRay
    from tsugiki.features.executor import in_threads

    alone = kind.startswith("1 ")
    if alone:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if "process" not in kind:
        return _looked_at(photos, in_threads)
    count = int(kind.split(maxsplit=1)[0])
    if alone:
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))  # Ray has servers of its own: they may have the other cores
    import ray

    ray.init(address="local", num_cpus=count, include_dashboard=False, log_to_driver=False)
    if kind.endswith("killed"):
        threading.Thread(target=_kill_one, daemon=True).start()
    try:
        return _looked_at(photos, InRay("auto", workers=count))
    finally:
        ray.shutdown()


class _Watched:
    """An executor that notes when chunks come, and of which photos."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.times: list[tuple[float, int]] = []
        self.positions: list[int] = []
        self.largest = 0.0

    def __call__(self, positions: Sequence[int], worker: Any) -> Generator[Any, None, None]:
        for number, chunk in enumerate(self.executor(positions, worker)):
            self.times.append((time.perf_counter(), len(chunk.positions)))
            self.positions += [*chunk.positions, *chunk.problems]
            if number % 100 == 0:
                self.largest = max([self.largest, *(_memory(entry) for entry in _processes())])
            yield chunk


def _looked_at(photos: Path, executor: Any) -> dict[str, Any]:
    import hashlib

    import numpy as np

    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.core.console import quiet
    from tsugiki.data.samples import Samples
    from tsugiki.features.executor import FAST
    from tsugiki.features.extract import Extractor, FeatureSettings
    from tsugiki.features.store import FeatureStore

    with tempfile.TemporaryDirectory() as folder, quiet():
        backbone = load_backbone("bundled:nae")
        store = FeatureStore(Path(folder))
        files = sorted(photos.glob("*.jpg"))
        samples = Samples.from_lists(files, index=store)
        watched = _Watched(executor)
        before, started = _peak(), time.perf_counter()
        found = Extractor(backbone, settings=FeatureSettings(store=store, executor=watched))(samples, FAST)
        vectors = np.asarray(found.space.vectors()[found.rows])
    first, done = watched.times[0][0], sum(count for _, count in watched.times[1:])
    return {
        "rate": done / (watched.times[-1][0] - first),
        "start": first - started,
        "memory": _peak() - before,
        "largest": watched.largest,
        "once": sorted(watched.positions) == sorted(set(watched.positions)) and found.computed == len(files),
        "digest": hashlib.sha256(vectors.tobytes()).hexdigest(),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _processes() -> list[Path]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes().startswith(b"ray::_Looker"):
                found.append(entry)
    return found


def _memory(entry: Path) -> float:
    with contextlib.suppress(OSError):
        for line in (entry / "status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def _kill_one() -> None:
    while True:
        for entry in _processes():
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes().startswith(b"ray::_Looker.look"):
                    time.sleep(5)  # it is in the middle of its work
                    os.kill(int(entry.name), signal.SIGKILL)
                    return
        time.sleep(0.01)


if __name__ == "__main__":
    main()
