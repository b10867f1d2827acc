"""The table behind every number: one row per photo, with its class and the probability of each class.

``predictions.csv`` is this table. It keeps every digit, so a stranger with a spreadsheet computes the same metrics from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError
from tsugiki.core.files import write_atomically
from tsugiki.data.samples import UNKNOWN_CLASS
from tsugiki.evaluation import metrics
from tsugiki.evaluation.answer_tables import PROBABILITY, SHOWN_ROWS, AnswerTable, columns_before, pandas_here
from tsugiki.evaluation.calibration import at_temperature, calibration_error, error_by_chance, reliability
from tsugiki.evaluation.chance import near_chance
from tsugiki.evaluation.metrics import CONFIDENCE, Bools, Floats, Ints, mcnemar, share_of, verdict, wilson
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True, repr=False)
class Predictions:
    """What a classifier said about photos whose class is known.

    Letters: ``N`` photos, ``K`` classes.

    Attributes:
        names: ``N`` paths, relative to the folder of photos.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or one of :data:`OUT_OF_FOLD`, :data:`SEEN`, :data:`VALIDATED`,
            :data:`UNCHECKED`.
        labels: ``[N]`` int64, index into ``classes``; :data:`tsugiki.data.samples.UNKNOWN_CLASS` where the photo's class is
            none of them.
        probabilities: ``[N, K]``, each row adds up to one.
        classes: ``K`` class names.
        known: ``[N]`` whether the photo is like the training photos: where not, it is answered with "not sure", whatever its
            probabilities; ``None`` where nobody has looked.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    known: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        if self.known is not None:
            object.__setattr__(self, "known", np.asarray(self.known, dtype=np.bool_))
        count = len(self.names)
        if (len(self.splits), self.labels.shape, self.probabilities.shape) != (count, (count,), (count, len(self.classes))):
            raise ValueError(
                f"names {count}, splits {len(self.splits)}, labels {self.labels.shape}, classes {len(self.classes)} "
                f"and probabilities {self.probabilities.shape} do not belong together"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """``[N]`` the most probable class; the first of them where several are equally probable."""
        most: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return most

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """``[N]`` whether the most probable class is the photo's."""
        return np.equal(self.predicted, self.labels, dtype=np.bool_)

    def take(self, rows: Iterable[int]) -> Predictions:
        """The photos at ``rows``, in that order."""
        picked = list(rows)
        return Predictions(
            tuple(self.names[row] for row in picked),
            tuple(self.splits[row] for row in picked),
            self.labels[picked],
            self.probabilities[picked],
            self.classes,
            None if self.known is None else self.known[picked],
        )

    def of(self, split: str) -> Predictions:
        """The photos of one split."""
        return self.take(row for row, name in enumerate(self.splits) if name == split)

    def scored(self) -> Predictions:
        """The photos whose class is one that the classifier knows: only they can be right or wrong."""
        return self.take(np.flatnonzero(self.labels != UNKNOWN_CLASS).tolist())

    def __repr__(self) -> str:
        known = self.labels != UNKNOWN_CLASS
        right = f"{int(self.correct.sum())} of {int(known.sum())} right"
        return visible(
            f"<Predictions: {len(self)} photos, {len(self.classes)} classes ({first_few(self.classes)}); {right}>",
            one_line=True,
        )

    def _repr_html_(self) -> str:
        """For a notebook: the first rows."""
        columns = self._columns
        rows = [columns, *(row[: len(columns)] for row in self._rows(range(min(len(self), SHOWN_ROWS))))]
        more = [tr("... and {count} more", count=len(self) - SHOWN_ROWS)] if len(self) > SHOWN_ROWS else []
        return cell_html(repr(self)[1:-1], rows, more)

    def to_pandas(self) -> Any:
        """The table of :meth:`to_csv` as a pandas ``DataFrame``, one row per photo.

        Raises:
            RequestError: When pandas is not installed.
        """
        columns = [*self._columns]
        frame = pandas_here().DataFrame([row[: len(columns)] for row in self._rows(range(len(self)))], columns=columns)
        for place, name in enumerate(self.classes):
            frame[PROBABILITY + name] = self.probabilities[:, place]
        return frame

    @property
    def _columns(self) -> tuple[str, ...]:
        """Of the table, before the probabilities."""
        return columns_before(self.known)

    def _rows(self, rows: Iterable[int]) -> Iterator[list[Any]]:
        """The columns and the probability of each class; the label of an unknown class is empty."""
        names, predicted = [*self.classes, ""], self.predicted  # UNKNOWN_CLASS is -1: the last one
        for row in rows:
            label, answer = names[self.labels[row]], names[predicted[row]]
            known = [] if self.known is None else [bool(self.known[row])]
            yield [self.names[row], self.splits[row], label, answer, *known, *self.probabilities[row].tolist()]

    def to_csv(self, path: Path) -> None:
        """Write ``path, split, label, predicted, known, probability:<class>...``; the label of an unknown class is empty.

        Without the column ``known`` where nobody has looked.
        """
        header = [*self._columns, *(PROBABILITY + name for name in self.classes)]
        write_atomically(path, table_text([header, *self._rows(range(len(self)))]))

    @classmethod
    def from_csv(cls, path: Path) -> Predictions:
        """The opposite of :meth:`to_csv`: equal to what was written, to the last bit.

        Raises:
            DataError: When the file is no such table.
        """
        table = AnswerTable.read(path, [PROBABILITY])
        headings = table.header[table.first :]
        if not all(name.startswith(PROBABILITY) for name in headings):
            raise table.refusal(",".join(table.header)[:200])
        classes = tuple(name.removeprefix(PROBABILITY) for name in headings)
        index = {name: position for position, name in enumerate(classes)} | {"": UNKNOWN_CLASS}
        try:
            labels = [index[row[2]] for row in table.rows]
            chances = [[float(value) for value in row[table.first :]] for row in table.rows]
            known = table.known()
        except (KeyError, ValueError) as error:
            raise table.refusal(str(error)) from error
        return cls(
            tuple(row[0] for row in table.rows),
            tuple(row[1] for row in table.rows),
            np.array(labels, dtype=np.int64),
            np.array(chances, dtype=np.float64).reshape(len(table.rows), len(classes)),
            classes,
            known,
        )


SCHEMA = 1

OUT_OF_FOLD = "out-of-fold"
"""What stands in the place of a split where nothing is held out: each photo was answered by a head that had not seen it."""

SEEN = "seen"
"""What stands there where the classifier was trained with every one of the photos: such a score is none."""

VALIDATED = "validation"
"""What stands there where all photos were validation photos: not learned from, but choices may have been made on them."""

UNCHECKED = "unchecked"
"""What stands there where nobody knows whether the classifier was trained with some of the photos."""

_TOP = (1, 2, 3, 5, 10)

Document = dict[str, Any]


def evaluate_rows(
    predictions: Predictions,
    *,
    split: str,
    temperature: float | None = 1.0,
    leaked: Mapping[str, str] | None = None,
    different: int | None = None,
) -> Document:
    """Everything that the rows of one split say about a classifier.

    Args:
        predictions: Rows of any splits; their probabilities are the calibrated ones.
        split: The split to judge.
        temperature: The temperature that the probabilities were made with; "before" calibration is computed with it undone.
            ``None`` where none could be estimated, so that nothing was changed.
        leaked: Path of each photo that has a twin in another split, to the twin's path; ``None`` where nobody has looked.
        different: How many different photos the split has, near copies counted once; ``None`` where nobody has looked.

    Returns:
        Plain JSON values. Shares are floats in 0..1, intervals are ``[low, high]`` at ``confidence``, a share of nothing is
        ``None``::

            schema                      1
            split                       the split that was judged
            n, correct                  photos with a known class, and how many of them were answered right
            n_different                 photos, near copies of one another counted once, as far as the photos that they
                                        were compared with show them; None where nobody has looked
            n_unknown_class             photos left out of every number here: their class is none of the classifier's
            classes                     [name, ...]
            accuracy                    correct / n
            accuracy_interval           [low, high]
            confidence                  0.95
            interval_method             "Wilson score"
            balanced_accuracy           mean recall of the classes that have photos
            balanced_accuracy_interval  [low, high]
            macro_f1                    mean F1
            log_loss                    natural logarithm
            majority_guess              {class, accuracy, accuracy_interval, p_value, verdict}: always answering the largest
                                        class of this split; verdict "helped" | "hurt" | "cannot tell" is the classifier's
                                        against it
            per_class                   [{class, n, answered, hits, precision, precision_interval, recall, recall_interval,
                                        f1, f1_interval}, ...]
            confusion                   {classes, counts: [[row = the photo's class, column = the answer]]}
            top_k                       {"1": {accuracy, interval}, "2": ..., ...}, each k below the number of classes
            calibration                 {temperature, bins, by_chance, before, after}, the last two {ece, ece_equal_mass,
                                        log_loss, reliability: [{lower, upper, n, confidence, accuracy, interval}, ...]}; the
                                        temperature is None where it was not estimated; by_chance: the ece that so many
                                        photos have by chance, 1 time out of 20 more, where every percentage is true
            near_chance                 whether the answers are hardly better than guessing, every class counting the same;
                                        photos that leaked have no say in it, unless there are no others
            refused                     None where nobody has looked, or {n, correct}: photos answered with "not sure" because
                                        they are unlike the training photos, and for how many of them the most probable class
                                        is right all the same; the numbers above count every photo, refused or not
            leaks                       None, or {n, photos: [{path, twin}, ...] (the twin is "" where only its features are
                                        known: one of the photos that the classifier was trained with; and where there is
                                        learned: true, the backbone has learned from the photo itself), n_clean,
                                        accuracy_without, accuracy_without_interval, balanced_accuracy_without,
                                        majority_guess_without}, the last two of the photos that did not leak

    Raises:
        DataError: When the split has no photo of a known class.
    """
    chosen = predictions.of(split)
    known = chosen.scored()
    if not len(known):
        raise DataError(
            tr("There is no photo to evaluate.")
            if len(chosen)
            else tr("There is no photo to evaluate in the split {split}.", split=split),
            allowed=tr("photos of these classes: {classes}", classes=first_few(chosen.classes)),
            got=tr("{count} photos, none of a class that the classifier knows", count=len(chosen)),
        )
    clean = known.take(row for row, name in enumerate(known.names) if name not in (leaked or {}))
    return {
        "schema": SCHEMA,
        "split": split,
        "n_different": different,
        "n_unknown_class": len(chosen) - len(known),
        "classes": list(known.classes),
        **_overall(known),
        "majority_guess": _majority_guess(known),
        **_by_class(known),
        "near_chance": near_chance(_class_scores(clean if len(clean) else known), len(known.classes)),
        "refused": _refused(known),
        "top_k": _top_k(known),
        "calibration": _calibration(known, temperature),
        "leaks": None if leaked is None else score_without_leaks(known, leaked),
    }


def _overall(known: Predictions) -> Document:
    correct = int(known.correct.sum())
    return {
        "n": len(known),
        "correct": correct,
        "accuracy": correct / len(known),
        "accuracy_interval": list(wilson(correct, len(known))),
        "confidence": CONFIDENCE,
        "interval_method": "Wilson score",
        "log_loss": metrics.log_loss(known.labels, known.probabilities),
    }


def _by_class(known: Predictions) -> Document:
    confusion, scores = _confusion(known), _class_scores(known)
    balanced, interval = metrics.balanced_accuracy(scores)
    table = [{"class": name, **_plain(score)} for name, score in zip(known.classes, scores, strict=True)]
    return {
        "balanced_accuracy": balanced,
        "balanced_accuracy_interval": list(interval),
        "macro_f1": metrics.macro_f1(scores),
        "per_class": table,
        "confusion": {"classes": list(known.classes), "counts": confusion.tolist()},
    }


def _confusion(known: Predictions) -> Ints:
    return metrics.confusion_matrix(known.labels, known.predicted, len(known.classes))


def _class_scores(known: Predictions) -> list[metrics.ClassScore]:
    return metrics.class_scores(_confusion(known))


def _majority_guess(known: Predictions) -> Document:
    largest = metrics.majority_class(known.labels, len(known.classes))
    guess = known.labels == largest
    comparison = mcnemar(guess, known.correct)
    return {
        "class": known.classes[largest],
        **_share(guess, "accuracy"),
        "p_value": comparison.p_value,
        "verdict": verdict(comparison),
    }


def _refused(known: Predictions) -> Document | None:
    if known.known is None:
        return None
    return {"n": int((~known.known).sum()), "correct": int((known.correct & ~known.known).sum())}


def _top_k(known: Predictions) -> Document:
    ranks = metrics.true_class_rank(known.labels, known.probabilities)
    sizes = [k for k in _TOP if k == 1 or k < len(known.classes)]
    shares = {k: share_of(ranks < k) for k in sizes}
    return {str(k): {"accuracy": share, "interval": list(interval)} for k, (share, interval) in shares.items()}


def _calibration(known: Predictions, temperature: float | None) -> Document:
    # At temperature one nothing was changed; a round trip through logarithms would change the last digits.
    before = (
        known.probabilities if temperature is None or temperature == 1 else at_temperature(known.probabilities, 1 / temperature)
    )
    return {
        "temperature": None if temperature is None else float(temperature),
        "bins": 15,
        "by_chance": error_by_chance(known.probabilities, bins=15),
        "before": _calibrated(known.labels, before),
        "after": _calibrated(known.labels, known.probabilities),
    }


def _calibrated(labels: Ints, probabilities: Floats) -> Document:
    bars = reliability(labels, probabilities, bins=15)
    return {
        "ece": calibration_error(bars),
        "ece_equal_mass": calibration_error(reliability(labels, probabilities, bins=15, binning="mass")),
        "log_loss": metrics.log_loss(labels, probabilities),
        "reliability": [_plain(bar) for bar in bars],
    }


def score_without_leaks(known: Predictions, leaked: Mapping[str, str]) -> Document:
    """The score of the photos that have no twin in another split.

    Args:
        known: Photos of known classes.
        leaked: Path of each photo that has a twin, to the twin's path; paths that are not among ``known`` do not matter.

    Returns:
        ``{n, photos, n_clean, accuracy_without, accuracy_without_interval, balanced_accuracy_without,
        majority_guess_without}``; what is said of the others is ``None`` where every photo leaked.
    """
    lost = np.array([name in leaked for name in known.names], dtype=np.bool_)
    clean = known.take(np.flatnonzero(~lost).tolist())
    share, interval = share_of(clean.correct)
    return {
        "n": int(lost.sum()),
        "photos": [{"path": name, "twin": leaked[name]} for name in known.names if name in leaked],
        "n_clean": len(clean),
        "accuracy_without": share if len(clean) else None,
        "accuracy_without_interval": list(interval),
        "balanced_accuracy_without": metrics.balanced_accuracy(_class_scores(clean))[0] if len(clean) else None,
        "majority_guess_without": _majority_guess(clean) if len(clean) else None,
    }


def _share(flags: Bools, name: str) -> Document:
    share, interval = share_of(flags)
    return {name: share, f"{name}_interval": list(interval)}


def _plain(record: Any) -> Document:
    values = dataclasses.asdict(record)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
