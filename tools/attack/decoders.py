"""Damaged photos: each is decoded as two independent decoders decode it, or named and left out; nothing crashes or hangs.

Each file is read in a process with a limit of time and memory, by the reference path and, where there is one, by the fast path;
of what could be decoded OpenCV and imagecodecs have a say, in another process, where they agree with each other: what a broken
file shows is not always agreed upon.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch  # of which forks would take address space for themselves

from tools.attack.corpus import DECODERS, LOSSY, TURNED, VARIANTS, WITH_THE_EXTRA, Values, apart
from tools.attack.mutations import mutated
from tools.attack.outcome import Outcome
from tools.attack.workers import Died, Worker
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.decode import check_content, open_photo
from tsugiki.data.images.jpeg import JPEG_START
from tsugiki.data.images.pixels import View, read_pixels
from tsugiki.data.preprocess import Preprocess

SECONDS = 5.0
"""That a file may take."""

MEMORY = 1 << 31
"""Bytes that the process may grow by."""

_LARGE = 1 << 22  # pixels: larger pictures are not handed from process to process
_NEAR = {True: 2.0, False: 0.75}  # grey levels on average, by whether the format is lossy: decoders round in their own ways
_PATHS_NEAR = 2.5  # grey levels on average between the reference path and the fast one
_PREPROCESS = Preprocess(size=(24, 24), resize=28)
_VIEWS = (View(), View(2))

_WITHOUT_OPINION = {
    "tiff float": "what is white in floating-point values nobody says: others take 1, the program the range that fits"
}

Task = tuple[str, bytes]


@dataclass(frozen=True)
class Seen:
    """What the program made of a file: pixels or the reason why not, and faults."""

    pixels: Values | None = None
    reason: str = ""
    faults: tuple[str, ...] = ()


def damaged_file(number: int, seed: int) -> tuple[str, str, bytes]:
    """The kind of the ``number``-th file, what was done to it, and its content."""
    dice = random.Random(f"{seed}-{number}")  # noqa: S311
    sound = VARIANTS | WITH_THE_EXTRA
    name = dice.choice(tuple(sound))
    family = [other for other in sound if other.split()[0] == name.split()[0]]
    how, content = mutated(sound[name], sound[dice.choice(family)], dice)
    return name, how, content


def attack(files: int, *, first: int = 0, seed: int = 0, jobs: int = 1, tell: Callable[[str], object] = str) -> Outcome:
    """Try ``files`` files of a seed, from the ``first`` on.

    Counted are ``tried``, ``decoded``, ``named``, ``like two others`` (of the decoded), ``disagreements``, ``crashes``,
    ``hangs``, and ``paths apart``: what the fast path sees, which decodes a part of the size, differs from what the reference
    sees, where a part is cut out at whole pixels of the size that is decoded.
    """
    torch.set_num_threads(1)
    total = Outcome()
    kinds = ("tried", "decoded", "named", "like two others", "disagreements", "crashes", "hangs", "paths apart")
    total.counts.update(dict.fromkeys(kinds, 0))
    with ThreadPoolExecutor(jobs) as pool:
        parts = [range(first + job, first + files, jobs) for job in range(jobs)]
        for part in pool.map(lambda numbers: _attack(numbers, seed, tell), parts):
            total.add(part)
    return total


def _attack(numbers: range, seed: int, tell: Callable[[str], object]) -> Outcome:
    outcome = Outcome(tell=tell)
    ours: Worker[Task, Seen] = Worker(_by_tsugiki, seconds=SECONDS, more_memory=MEMORY)
    theirs: Worker[Task, list[Values | None]] = Worker(_by_others, seconds=SECONDS, more_memory=MEMORY)
    try:
        for number in numbers:
            name, how, content = damaged_file(number, seed)
            ours.begin((name, content))
            seen = ours.answer()
            others: list[Values | None] | Died = []
            if isinstance(seen, Seen) and seen.pixels is not None:  # else there is nothing to compare, and theirs may be huge
                theirs.begin((name, content))
                others = theirs.answer()
            kinds = [] if isinstance(others, Died) else others
            for kind, detail in _judged(name, seen, [values for values in kinds if values is not None]):
                outcome.counts[kind] += 1
                if detail:
                    outcome.fault(f"{number} ({name}, {how}): {kind}: {detail}")
    finally:
        ours.close()
        theirs.close()
    return outcome


def _judged(name: str, seen: Seen | Died, others: list[Values]) -> Iterator[tuple[str, str]]:
    """What a file adds to the counts, and for faults what went wrong."""
    yield "tried", ""
    if isinstance(seen, Died):
        yield {"crash": "crashes", "hang": "hangs"}[seen.kind], f"status {seen.status}"
        return
    for fault in seen.faults:
        yield fault.partition(": ")[0], fault.partition(": ")[2]
    yield ("decoded" if seen.pixels is not None or not seen.reason else "named"), ""
    if seen.pixels is None or len(others) < 2 or name in _WITHOUT_OPINION:
        return
    near = _NEAR[name.startswith(LOSSY)]
    if _like(others[0], others[1], near):
        turns = TURNED.values() if "held as" in name else ()  # which way up, a damaged note does not tell
        shown = [seen.pixels, *(turn(seen.pixels) for turn in turns)]  # type: ignore[no-untyped-call]
        like = any(_like(pixels, others[0], near) for pixels in shown)
        yield ("like two others", "") if like else ("disagreements", f"{seen.pixels.shape}, {others[0].shape}")


def _like(first: Values, second: Values, near: float) -> bool:
    return first.shape == second.shape and apart(first.astype(float), second.astype(float)) <= near


def _by_tsugiki(task: Task) -> Seen:
    _, content = task
    faults: list[str] = []
    pixels, reason = None, ""
    try:
        photo = open_photo(content)
        pixels = np.asarray(photo) if photo.width * photo.height <= _LARGE else None
    except UnreadablePhoto as fault:
        reason = str(fault)
    except Exception as fault:  # noqa: BLE001  whatever it is, it is counted
        faults.append(f"crashes: {type(fault).__name__}: {fault}")
    try:
        check_content(content)
    except UnreadablePhoto:
        pass
    except Exception as fault:  # noqa: BLE001
        faults.append(f"crashes: when checked: {type(fault).__name__}: {fault}")
    if content.startswith(JPEG_START) and not faults:
        faults += _between_the_paths(content, readable=not reason)
    return Seen(pixels, reason, tuple(faults))


def _between_the_paths(content: bytes, *, readable: bool) -> Iterator[str]:
    for view in _VIEWS:
        found: list[Values | None] = []
        for fast in (False, True):
            try:
                found.append(read_pixels(content, _PREPROCESS, fast=fast, view=view).array.astype(float))
            except UnreadablePhoto:
                found.append(None)
        reference, quick = found
        if (reference is None) or (quick is None):
            if readable or reference is not quick:
                yield "disagreements: one path reads it, the other does not"
        elif apart(reference, quick) > _PATHS_NEAR:
            yield f"paths apart: view {view.number}: {apart(reference, quick):.1f} grey levels"


def _by_others(task: Task) -> list[Values | None]:
    name, content = task
    found: list[Values | None] = []
    for decode in DECODERS.values() if name in VARIANTS else ():
        try:
            values = decode(name, content)
        except Exception:  # noqa: BLE001  of other people's decoders, on broken files
            values = None
        small = values is not None and values.size <= 3 * _LARGE
        found.append(np.rint(values).astype(np.uint8) if values is not None and small else None)
    return found
