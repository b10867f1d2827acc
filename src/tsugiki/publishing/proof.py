"""The proof of an export: the written files answer photos in a process of their own, and their answers are compared.

Asked is what a stranger runs, ``predict.py``, which resizes with Pillow. Where the files take photos of any size, the same
photos go into them a second time, as they were decoded.

Letters: ``N`` photos, ``H`` x ``W`` a photo's own size, ``h`` x ``w`` the network's input.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tsugiki.classifier.answer import AnswerHead, Prediction
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.engine_writer import reference_answers
from tsugiki.classifier.parity import TOLERANCE, Parity, compare
from tsugiki.classifier.predict import unreadable
from tsugiki.core.console import quiet
from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.samples import Samples
from tsugiki.evaluation.metrics import Comparison, mcnemar
from tsugiki.locale.messages import tr

SCRIPT, PROOF = "predict.py", "parity.json"

TOLERANCES = {"fp32": TOLERANCE, "fp16": 0.05, "bf16": 0.2}
"""How far a probability, or the distance to the training photos, may be from the reference's; of ``int8`` accuracy counts."""

MOST_LOSS = 0.01
"""The share of held-out photos that 8-bit numbers may get wrong more than the reference does."""

_AT_ONCE = 500  # photos on one command line

_WHOLE = """
import json, pathlib, runpy, sys
import numpy
program, folder = map(pathlib.Path, sys.argv[1:])
about = json.loads((program.parent / "model.json").read_text(encoding="utf-8"))
model = runpy.run_path(str(program))["load_model"](about | {"model": about["photo_model"]})
photos = sorted(folder.iterdir())
found = [model(numpy.load(photo)[None]) for photo in photos]
print(json.dumps([{name: numpy.asarray(values)[0].tolist() for name, values in each.items()} for each in found]))
"""


def reference(classifier: Classifier, head: AnswerHead, photos: list[Path]) -> list[Prediction]:
    """What float32 PyTorch answers, photos resized by Pillow; the head says whether distances are told."""
    with quiet():
        return reference_answers(classifier.backbone, classifier.preprocess, head, photos)


def prove(folder: Path, classifier: Classifier, expected: list[Prediction], photos: list[Path], tolerance: float) -> Parity:
    """Compare the answers of what lies in ``folder`` with the reference's, given in the order of ``photos``."""
    names = [path.name for path in photos]
    return compare(expected, answers_of(folder, photos), names, classes=classifier.classes, tolerance=tolerance)


def prove_whole(
    folder: Path, classifier: Classifier, expected: list[Prediction], photos: list[Path], tolerance: float
) -> Parity:
    """The same for photos ``[H, W, 3]`` that the files resize themselves; those that cannot be read are no question to them."""
    rows = [row for row, answer in enumerate(expected) if not answer.problem]
    with TemporaryDirectory() as place:
        for row in rows:
            np.save(Path(place) / f"{row:06}.npy", np.asarray(open_photo(photos[row])))
        told = _told([sys.executable, "-I", "-c", _WHOLE, folder / SCRIPT, place])
    answers = [_as_answer(classifier, each) for each in told]
    names = [photos[row].name for row in rows]
    return compare([expected[row] for row in rows], answers, names, classes=classifier.classes, tolerance=tolerance)


def _as_answer(classifier: Classifier, told: dict[str, Any]) -> Prediction:
    row, sets = told["probabilities"], classifier.multi_label
    label = classifier.classes[int(np.argmax(row))]
    labels = None
    if sets is not None:
        labels = tuple(classifier.classes[at] for at in np.flatnonzero(np.float32(row) >= sets.thresholds).tolist())
    return Prediction(label, max(row), distance=told.get("distance"), probabilities=tuple(row), labels=labels)


def frames_of(classifier: Classifier, photos: Sequence[Path]) -> tuple[Any, list[int]]:
    """Photos as the network sees them, uint8 ``[N, 3, h, w]``, and the positions of those that can be read."""
    frames, rows = [], []
    for row, path in enumerate(photos):
        try:
            frames.append(classifier.preprocess.array(open_photo(path)))
        except UnreadablePhoto:
            continue
        rows.append(row)
    return np.stack(frames), rows


def worse(first: Parity, second: Parity | None) -> Parity:
    """Two comparisons of the same photos as one: what either found that is worse."""
    if second is None or not first.holds:
        return first
    if not second.holds:
        return second
    largest = max(first.largest_difference, second.largest_difference)
    return dataclasses.replace(
        first,
        same_answer=min(first.same_answer, first.photos - second.photos + second.same_answer),
        largest_difference=largest,
        largest_distance_difference=max(first.largest_distance_difference, second.largest_distance_difference),
        tolerance=max(first.tolerance, second.tolerance),
        worst=first.worst if largest == first.largest_difference else second.worst,
    )


def accuracy_lost(folder: Path, classifier: Classifier, samples: Samples, judged: Sequence[int]) -> Comparison:
    """The reference and the written files on the held-out photos: both shares, their difference and its interval.

    Args:
        folder: With the written files.
        classifier: The reference.
        samples: What it was trained on.
        judged: The rows that were held out then.

    Raises:
        TsugikiError: When no held-out photo with a class of the classifier can be read.
    """
    several = classifier.multi_label is not None
    truth = [one if several else next(iter(one), "") for one in samples.label_sets()]
    rows = [row for row in judged if several or truth[row] in classifier.classes]
    photos = [samples.paths[row] for row in rows]
    expected = reference(classifier, dataclasses.replace(classifier.answer_head, unknown=None), photos) if rows else []
    answers = answers_of(folder, photos)
    right = [
        (_said(one) == truth[row], _said(other) == truth[row])
        for row, one, other in zip(rows, expected, answers, strict=True)
        if not one.problem and not other.problem
    ]
    if not right:
        raise TsugikiError(
            tr("No held-out photo of the classifier's classes can be read: nothing says what 8-bit numbers lose."),
            cure=tr("name the photos that the classifier was trained on"),
        )
    first, second = (np.array(flags, np.bool_) for flags in zip(*right, strict=True))
    return mcnemar(first, second)


def _said(answer: Prediction) -> str | frozenset[str]:
    """The class that was answered; where a photo may have several, all of them: an answer is right when it is all right."""
    return answer.label if answer.labels is None else frozenset(answer.labels)


def answers_of(folder: Path, photos: Sequence[Path]) -> list[Prediction]:
    """What the program in ``folder`` answers, in a process that knows nothing of this one."""
    told: list[dict[str, Any]] = []
    for start in range(0, len(photos), _AT_ONCE):
        told += _told([sys.executable, "-I", folder / SCRIPT, "--json", *photos[start : start + _AT_ONCE]])
    return [_as_prediction(each) for each in told]


def _told(command: list[Any]) -> Any:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, env=plain)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        lines = done.stderr.strip().splitlines()
        raise TsugikiError(tr("The exported program does not run here."), got=lines[-1] if lines else str(error)) from error


def _as_prediction(told: dict[str, Any]) -> Prediction:
    if "problem" in told:
        return unreadable(told["path"], told["problem"])
    return Prediction(
        told["label"],
        told["probability"],
        known=told["known"],
        distance=told["distance"],
        probabilities=tuple(told["probabilities"].values()),
        labels=None if "labels" not in told else tuple(told["labels"]),
    )
