"""Machines that have little: the same command on each, which ends as anywhere, or says in a sentence what is missing."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from tools.attack.deaths import FIT, Scene, result_of
from tools.attack.forked import run
from tools.attack.outcome import Outcome
from tools.attack.workers import address_space
from tsugiki.core.console import quiet
from tsugiki.data.load import list_photos
from tsugiki.data.synthetic.sample import DISHES, draw_photo

_NEW_MOUNTS = 0x00020000  # of unshare(2)


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _little_memory() -> None:
    limit = address_space() + (512 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def _no_home() -> None:
    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ.pop(name, None)


def _mounted_read_only(place: str) -> Callable[[], None]:
    """An empty read-only disk in place of a folder, for this process alone; only the superuser may do that."""

    def mount() -> None:
        if ctypes.CDLL(None).unshare(_NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        Path(place).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", place], check=True)

    return mount


def conditions() -> dict[str, Callable[[], None]]:
    """By what there is little of: what takes it away from the process that calls it."""
    found: dict[str, Callable[[], None]] = {
        "one core": _one_core,
        "512 MB of memory": _little_memory,
        "32 open files": _few_files,
        "no home": _no_home,
    }
    if os.geteuid() == 0:
        found["no /dev/shm"] = _mounted_read_only("/dev/shm")  # noqa: S108
        found["a cache that is read-only"] = _mounted_read_only("cache")
    return found


def attack(place: Path, *, only: tuple[str, ...] = (), tell: Callable[[str], object] = str) -> Outcome:
    """A training under each condition, or under some of them."""
    outcome = Outcome(tell=tell)
    outcome.counts.update({"conditions": 0, "as anywhere": 0, "said what is missing": 0, "wrong results": 0, "tracebacks": 0})
    scene = Scene(place, FIT, warm=bool(only))
    for name, take_away in conditions().items():
        if only and name not in only:
            continue
        folder = scene.fresh()
        ended = run(FIT, folder, take_away)
        outcome.counts["conditions"] += 1
        if not ended.is_told:
            outcome.counts["tracebacks"] += 1
            outcome.fault(f"{name}: {ended.detail}")
        elif ended.status:
            outcome.counts["said what is missing"] += 1
            tell(f"{name}: {ended.err[-300:]}")
        elif result_of(folder / "run") == scene.calm.result:
            outcome.counts["as anywhere"] += 1
        else:
            outcome.counts["wrong results"] += 1
            outcome.fault(f"{name}: another result")
    return outcome


def list_many(place: Path, count: int = 100_000) -> tuple[float, float]:
    """Seconds of the processor and peak MB that it takes to list so many photos in class folders.

    They are links to one photo of each class.
    """
    for dish in DISHES:
        (place / dish).mkdir(parents=True)
        first = place / dish / "0.jpg"
        first.write_bytes(draw_photo(dish, 0))
        for number in range(1, count // 3 + 1):
            target = first if number % 20_000 else place / dish / f"{number - 1}.jpg"
            os.link(target, place / dish / f"{number}.jpg")
    with quiet():
        began = time.process_time()
        listing = list_photos(place)
        seconds = time.process_time() - began
        assert len(listing.paths) >= count  # noqa: S101
        tracemalloc.start()
        list_photos(place)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, peak / 1e6
