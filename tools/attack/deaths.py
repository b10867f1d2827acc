"""Sudden death: the program is killed, interrupted, starved of disk, or its photos change, at one moment after the other.

After each, all of this must hold: no run and no store is corrupt, nothing of the person's has changed, the same command,
without cleaning up, ends as if nothing had happened, and after that nothing is left lying about.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.attack import writing_calls
from tools.attack.forked import Ended, Running, run
from tools.attack.material import draw
from tools.attack.outcome import Outcome
from tools.attack.small_disks import bytes_in, change, may_mount, small_disk

FIT = ("fit", "photos", "--backbone", "bundled:nae", "--engine", "torch", "--epochs", "5", "--out", "run")
TUNE = (*FIT[:-2], "--method", "fine-tune", "--out", "run")

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "shutil.rmtree", "sqlite3.connect")
_WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody has disturbed, to compare with.

    Attributes:
        result: What must be equal, see :func:`result_of`.
        names: Of all files, see :func:`names_in`.
        changes: How often it has changed something on the disk, as Python hears of it.
        size: Bytes of all files, on a disk that gives room by pages.
    """

    result: str
    names: frozenset[str]
    changes: int
    size: int


def result_of(run_folder: Path) -> str:
    """All that a command has computed, without times: weights, answers, scores, history."""
    description = json.loads((run_folder / "classifier.json").read_text(encoding="utf-8"))
    evaluation = json.loads((run_folder / "evaluation.json").read_text(encoding="utf-8"))
    with (run_folder / "history.csv").open(encoding="utf-8", newline="") as stream:
        history = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(stream)]
    predictions = (run_folder / "predictions.csv").read_text(encoding="utf-8")
    return json.dumps([description["weights_sha256"], evaluation, history, predictions], sort_keys=True)


def names_in(folder: Path) -> frozenset[str]:
    """Every file and folder, but for what SQLite puts beside its files while it works."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return frozenset(name for name in names if not name.endswith(("-wal", "-shm")))


def digest_of(folder: Path) -> str:
    """Names, content and times of all files."""
    seal = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        state = path.stat()
        seal.update(f"{path.relative_to(folder)} {state.st_mtime_ns} {state.st_mode}".encode())
        seal.update(path.read_bytes() if path.is_file() else b"")
    return seal.hexdigest()


def at_change(number: int | None, act: Callable[[], object], counted: Path | None = None) -> None:
    """In this process, from now on: ``act`` just before the ``number``-th change of the disk; ``counted`` gets their count."""
    seen = 0
    busy = False

    def hear(event: str, values: tuple[Any, ...]) -> None:
        nonlocal seen, busy
        writes = event == "open" and isinstance(values[2], int) and values[2] & _WRITING
        if busy or not (writes or event in _CHANGES):
            return
        seen += 1
        busy = True
        if counted is not None:
            counted.write_text(str(seen), encoding="utf-8")
        if seen == number:
            act()
        busy = False

    sys.addaudithook(hear)


def die() -> None:
    """As when the power fails, for this process."""
    os.kill(os.getpid(), signal.SIGKILL)


class Scene:
    """A command, an undisturbed run of it, and folders in which it can be disturbed.

    Args:
        place: Where all of this happens.
        command: As it is typed.
        before: Whether there is a run of other settings in its ``--out``, which it replaces.
        warm: Whether the cache holds compiled networks already, which saves half of the time.
    """

    def __init__(self, place: Path, command: tuple[str, ...], *, before: bool = False, warm: bool = False) -> None:
        self.place = place
        self.command = (*command, "--force") if before else command
        self.before = place / "before"
        _draw_old(self.before / "photos")
        if before:
            _must(run((*command, "--seed", "7"), self.before))
        folder = self.fresh()
        counted = place / "changes"
        _must(run(self.command, folder, lambda: at_change(None, die, counted)))
        if warm:
            shutil.copytree(folder / "cache" / "engines", self.before / "cache" / "engines", dirs_exist_ok=True)
            shutil.rmtree(folder)
            folder = self.fresh()
            _must(run(self.command, folder, lambda: at_change(None, die, counted)))
        changes = int(counted.read_text(encoding="utf-8"))
        self.calm = Undisturbed(result_of(folder / "run"), names_in(folder), changes, bytes_in(folder))
        self.photos = digest_of(folder / "photos")
        self.old_result = result_of(self.before / "run") if before else ""

    def fresh(self) -> Path:
        """A folder as it is before the command."""
        folder = Path(tempfile.mkdtemp(dir=self.place))
        shutil.copytree(self.before, folder, dirs_exist_ok=True)
        return folder

    def faults_after(self, folder: Path, ended: Ended, *, told: bool) -> Iterator[tuple[str, str]]:
        """What is wrong after a disturbance, in the words that are counted, and in detail.

        Args:
            folder: Where it was.
            ended: How it ended.
            told: Whether the process could still say something.
        """
        if told and not ended.is_told:
            yield "tracebacks", ended.detail
        if digest_of(folder / "photos") != self.photos:
            yield "lost", "the photos have changed"
        yield from self._faults_of_run(folder)
        _let_time_pass(folder)
        is_there = (folder / "run").exists() and "--force" not in self.command
        again = run((*self.command, "--force") if is_there else self.command, folder)
        if again.status:
            yield "corrupt", f"the next run ends with {again.status}: {again.err[-400:]}"
            return
        if result_of(folder / "run") != self.calm.result:
            yield "corrupt", "the next run has another result"
        left = names_in(folder) - self.calm.names
        if left:
            yield "left behind", ", ".join(sorted(left)[:8])
        shutil.rmtree(folder, ignore_errors=True)  # what is mounted stays

    def _faults_of_run(self, folder: Path) -> Iterator[tuple[str, str]]:
        """A run that is there is whole: the new one, or the old one."""
        if not (folder / "run").exists():
            aside = [path for path in folder.glob(".run.old.*/run") if path.is_dir()]
            if self.old_result and not aside:
                yield "lost", "the old run is gone and no new one is there"
            return
        try:
            whole = result_of(folder / "run") in {self.calm.result, self.old_result}
        except (OSError, ValueError, KeyError) as error:
            yield "corrupt", f"the run: {error!r}"
            return
        if not whole:
            yield "corrupt", "the run is neither the old one nor the new one"


def _draw_old(photos: Path) -> None:
    draw(photos, train=4, test=2)
    for path in photos.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def _must(ended: Ended) -> None:
    if ended.status:
        raise RuntimeError(ended.err)


def _let_time_pass(folder: Path) -> None:
    """What was left behind is some minutes old when a person types the command again."""
    for path in folder.rglob(".*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def kills(scene: Scene, count: int, *, seed: int = 0) -> Outcome:
    """Killed just before changes of the disk, evenly from the first to the last, and each fourth time at any moment."""
    dice, outcome = random.Random(seed), Outcome()  # noqa: S311
    for number in range(count):
        folder = scene.fresh()
        if number % 4 == 3:
            how = f"SIGKILL after {(wait := dice.uniform(0.02, 1.0)):.2f} s"
            ended = _signalled(scene, folder, signal.SIGKILL, wait)
        else:
            change = 1 + (scene.calm.changes * number) // count
            how = f"SIGKILL before change {change} of {scene.calm.changes}"
            ended = run(scene.command, folder, lambda change=change: at_change(change, die))  # type: ignore[misc]
        _judge(outcome, "kills", how, scene.faults_after(folder, ended, told=False))
    return outcome


def kills_at_calls(scene: Scene, count: int, *, seed: int = 0) -> Outcome:
    """Killed at system calls that change the disk, see :mod:`tools.attack.writing_calls`; nothing where strace is not there."""
    outcome = Outcome()
    if not writing_calls.may_trace():
        return outcome
    calls = writing_calls.writing_calls(scene.command, scene.fresh())
    for call in writing_calls.chosen(calls, count, seed):
        folder = scene.fresh()
        ended = writing_calls.killed_at(scene.command, folder, call)
        what = "kills at calls" if ended.status == -signal.SIGKILL else "calls not met again"
        _judge(
            outcome,
            what,
            f"SIGKILL at {call[0]} {call[1]}, of {len(calls)} calls",
            scene.faults_after(folder, ended, told=False),
        )
    return outcome


def signals(scene: Scene, count: int, *, seed: int = 0) -> Outcome:
    """Interrupted and terminated, by turns, at any moment."""
    dice, outcome = random.Random(seed), Outcome()  # noqa: S311
    for number in range(count):
        folder, wait = scene.fresh(), dice.uniform(0.02, 1.0)
        sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
        ended = _signalled(scene, folder, sent, wait)
        told = sent == signal.SIGINT  # the other ends it as SIGKILL does
        _judge(outcome, "signals", f"{sent.name} after {wait:.2f} s", scene.faults_after(folder, ended, told=told))
    return outcome


def _signalled(scene: Scene, folder: Path, number: int, wait: float) -> Ended:
    process = Running(scene.command, folder)
    time.sleep(wait)
    process.kill(number)
    return process.ended()


def full_disks(scene: Scene, count: int) -> Outcome:
    """No file may become larger than so much: from nothing to all that is needed."""
    outcome = Outcome()
    largest = max(path.stat().st_size for path in scene.place.rglob("*") if path.is_file())
    for number in range(count):
        limit = int(largest ** (number / max(1, count - 1)))
        folder = scene.fresh()
        ended = run(scene.command, folder, lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))  # type: ignore[misc]
        _judge(outcome, "full disks", f"files of at most {limit} bytes", scene.faults_after(folder, ended, told=True))
    return outcome


def small_disks(scene: Scene, count: int) -> Outcome:
    """Disks of their own that are full, from at once to never; the last can only be read. Nothing where none can be made."""
    outcome = Outcome()
    if not may_mount():
        return outcome
    needed = scene.calm.size
    for number in range(count):
        folder = Path(tempfile.mkdtemp(dir=scene.place))
        with small_disk(folder, 1 << 28):
            shutil.copytree(scene.before, folder, dirs_exist_ok=True)
            room = bytes_in(folder)
            room += (needed - room) * number // max(1, count - 2)
            is_read_only = count > 1 and number == count - 1
            change(folder, "ro" if is_read_only else f"size={room}")
            ended = run(scene.command, folder)
            change(folder, "rw" if is_read_only else f"size={1 << 28}")
            how = "read only" if is_read_only else f"{room} bytes of {needed}"
            _judge(outcome, "small disks", how, scene.faults_after(folder, ended, told=True))
        folder.rmdir()
    return outcome


def _judge(outcome: Outcome, what: str, how: str, faults: Iterator[tuple[str, str]]) -> None:
    outcome.counts[what] += 1
    for kind in ("corrupt", "lost", "left behind", "tracebacks"):
        outcome.counts[kind] += 0
    for kind, detail in faults:
        outcome.counts[kind] += 1
        outcome.fault(f"{what}: {how}: {kind}: {detail}")


def changing_photos(scene: Scene, count: int) -> Outcome:
    """Photos that are replaced, cut short or deleted while the command runs: named, left out or noticed, and never a traceback.

    The same command afterwards gives what it gives where the photos were so from the beginning.
    """
    outcome = Outcome()
    for number in range(count):
        folder = scene.fresh()
        victim = sorted((folder / "photos").rglob("*.jpg"))[number % 18]
        change = _PHOTO_CHANGES[number % len(_PHOTO_CHANGES)]
        at = 1 + (scene.calm.changes * number) // count
        ended = run(scene.command, folder, lambda act=change, at=at, path=victim: at_change(at, lambda: act(path)))  # type: ignore[misc]
        faults = [] if ended.is_told else [("tracebacks", ended.detail)]
        shutil.rmtree(folder / "run", ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(dir=scene.place))
        shutil.copytree(folder / "photos", fresh / "photos")
        again, alone = run(scene.command, folder), run(scene.command, fresh)
        if again.status != alone.status or (not again.status and result_of(folder / "run") != result_of(fresh / "run")):
            faults.append(("corrupt", f"the next run has another result: {again.err[-200:]} {alone.err[-200:]}"))
        _judge(outcome, "changed photos", f"{change.__name__} {victim.name} at change {at}", iter(faults))
    return outcome


def _replace(path: Path) -> None:
    path.write_bytes(path.parent.parent.joinpath(path.parent.name, "00.jpg").read_bytes()[::-1])


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def _delete(path: Path) -> None:
    path.unlink()


_PHOTO_CHANGES = (_replace, _cut_short, _delete)


def together(scene: Scene, processes: int) -> Outcome:
    """So many processes with one store and one ``--out`` at once: each ends well or is refused in a sentence."""
    outcome = Outcome()
    folder = scene.fresh()
    ended = [process.ended() for process in [Running(scene.command, folder) for _ in range(processes)]]
    faults = [("tracebacks", one.detail) for one in ended if not one.is_told]
    if all(one.status for one in ended):
        faults.append(("lost", "no process has saved its run"))
    faults += scene.faults_after(folder, ended[0], told=True)
    _judge(outcome, "together", f"{processes} processes", iter(faults))
    return outcome


def clock_set_back(scene: Scene) -> Outcome:
    """All files of the cache and the run are of tomorrow, as when the clock was set back."""
    outcome = Outcome()
    folder = scene.fresh()
    ended = run(scene.command, folder)
    tomorrow = time.time() + 86_400
    for path in (*(folder / "cache").rglob("*"), *(folder / "run").rglob("*")):
        os.utime(path, (tomorrow, tomorrow))
    shutil.rmtree(folder / "run")
    _judge(outcome, "clock set back", "a day", scene.faults_after(folder, ended, told=True))
    return outcome


KINDS = (
    "kills",
    "kills over a run",
    "kills at calls",
    "signals",
    "full disks",
    "small disks",
    "changed photos",
    "together",
    "clock set back",
)


def attack(
    place: Path,
    count: int,
    *,
    seed: int = 0,
    only: tuple[str, ...] = (),
    warm: bool = False,
    tell: Callable[[str], object] = str,
) -> Outcome:
    """All of :data:`KINDS`, or ``only`` some, ``count`` times each; together and with another clock fewer times."""
    total = Outcome(tell=tell)
    asked = only or KINDS
    for name, over in (("new", False), ("old", True)):
        (place / name).mkdir()
        kinds = [kind for kind in asked if (kind == "kills over a run") == over]
        scene = Scene(place / name, FIT, before=over, warm=warm) if kinds else None
        for kind in kinds:
            outcome = _of_kind(kind, scene, count, seed) if scene else Outcome()
            if not outcome.counts:
                tell(f"{kind}: left out, because strace is not there, or no disk may be mounted")
            for fault in outcome.faults:
                tell(fault)
            tell(f"{kind}: " + " / ".join(f"{name} {number}" for name, number in outcome.counts.items()))
            total.add(outcome)
    return total


def _of_kind(kind: str, scene: Scene, count: int, seed: int) -> Outcome:
    if kind == "together":
        outcome = Outcome()
        for _ in range(max(1, count // 20)):
            outcome.add(together(scene, 2))
            outcome.add(together(scene, 4))
        return outcome
    disturbed: dict[str, Callable[[], Outcome]] = {
        "kills at calls": lambda: kills_at_calls(scene, count, seed=seed),
        "signals": lambda: signals(scene, count, seed=seed),
        "full disks": lambda: full_disks(scene, count),
        "small disks": lambda: small_disks(scene, count),
        "changed photos": lambda: changing_photos(scene, count),
        "clock set back": lambda: clock_set_back(scene),
    }
    return disturbed.get(kind, lambda: kills(scene, count, seed=seed))()
