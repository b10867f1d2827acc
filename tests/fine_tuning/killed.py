"""Run by test_resume: fine-tune again and again, killed at random moments, until it ends; then compare with a run left alone.

    python killed.py PHOTOS FOLDER KILLS

Everything heavy is imported once; each attempt is a fork that dies by SIGKILL, some of them inside a checkpoint's write.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.fine_tuning.conftest import tiny_classifier
from tsugiki.core import files
from tsugiki.core.console import quiet
from tsugiki.data.augmentation.augment import Augmentation
from tsugiki.data.load import load
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.settings import FineTuneSettings

SETTINGS = FineTuneSettings(
    epochs=7,
    batch_size=8,
    precision="float32",
    patience=0,
    batch_norm="update",
    lr=3e-3,
    unfreeze_every=2,
    unfreeze="3",
    checkpoint_steps=1,
    augmentation=Augmentation(trivial=True, mixup=0.2),
)


def run(photos: Path, folder: Path) -> dict[str, Any]:
    samples = load(photos)
    result = fine_tune(tiny_classifier(dropout=0.5), samples, SETTINGS, folder=folder, device="cpu")
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]
    return {"weights": result.classifier.state_dict(), "history": history}


def die_while_writing(after: int) -> None:
    """Let this process die in the middle of one of its next checkpoints: half a file, or between a file and its index."""
    write, replace, countdown = torch.save, files.write_atomically, [after]

    def half(state: Any, stream: Any) -> None:
        if countdown[0] == 0:
            stream.write(b"PK\x03\x04 half of a state")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        countdown[0] -= 1
        write(state, stream)

    def before_index(path: Path, content: str | bytes) -> None:
        if countdown[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(path, content)

    if after % 2:
        setattr(torch, "save", half)  # noqa: B010 (a stand-in for a typed function)
    else:
        files.write_atomically = before_index  # the index is written through it


def attempt(work: Callable[[], object], wait: float, dying: int | None) -> bool:
    """Fork, work, and be killed after ``wait`` seconds; whether the work was done before."""
    child = os.fork()
    if child == 0:
        if dying is not None:
            die_while_writing(dying)
        work()
        os._exit(0)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return status == 0
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def main(photos: Path, folder: Path, kills: int) -> None:
    torch.set_num_threads(1)
    dice = random.Random(0)  # noqa: S311
    alone = run(photos, folder / "alone")
    done = killed = ended = 0
    while killed < kills:
        place = folder / f"killed-{ended}"
        dying = dice.randrange(1, 7) if dice.random() < 0.4 else None
        if attempt(lambda place=place: run(photos, place), dice.uniform(0.05, 0.35), dying):  # type: ignore[misc]
            ended += 1  # it came to its end: begin anew elsewhere
        else:
            killed += 1
        done = killed + ended
    faults = []
    for number in range(ended + 1):
        place = folder / f"killed-{number}"
        result = run(photos, place)
        if result["history"] != alone["history"]:
            faults.append(f"{number}: another history")
        faults += [
            f"{number}: {name}" for name, one in alone["weights"].items() if not torch.equal(one, result["weights"][name])
        ]
    print(json.dumps({"kills": killed, "attempts": done, "ended": ended, "faults": faults[:10]}))  # noqa: T201


if __name__ == "__main__":
    with quiet():
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
