"""Are the photos that come in like those that the classifier learned from? Counts and a test; no photo is kept for it.

Two things are watched, each by a test that may be looked at after every photo (:mod:`tsugiki.evaluation.drift`):

- the share of *unknown* photos, against the share among the run's held-out photos;
- the share of each *class* among the answers, against its share there.

What was seen on ``n`` held-out photos is not the truth: the limits are the upper ends of exact intervals. In the life of a
server whose photos are like the held-out ones and come independently of each other, the chance that the first ever gives a
false alarm is at most 1 in 100, and so is that of the second: half of it for the interval, half for the test.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.answer import AnswerHead, Prediction
from tsugiki.core.errors import DataError
from tsugiki.evaluation.drift import RateWatch, highest_rate
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions
from tsugiki.locale.messages import tr

FALSE_ALARM_RATE = 0.01
"""The chance that the unknown photos, and that the classes, ever give a false alarm."""

DISTANCE_EDGES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Upper edges of the counts of distances, as multiples of the distance beyond which a photo is unknown."""

_RECENT = 200  # photos whose share is told beside an alarm


@dataclass(frozen=True)
class Expected:
    """What a run knows of photos like its training photos.

    Attributes:
        photos: Held-out photos that were looked at; 0 where there were none.
        unknown: The share of them that is unknown; where there were none, the share that the threshold was set for.
        most_unknown: What this share may be in truth, or ``None`` where nobody can tell unknown photos.
        shares: Class to its share among the answers; none where there were no held-out photos.
        most_shares: Class to what this share may be at most in truth.
        least_shares: Class to what it may be at least.
    """

    photos: int
    unknown: float
    most_unknown: float | None
    shares: dict[str, float]
    most_shares: dict[str, float]
    least_shares: dict[str, float]

    @classmethod
    def of_run(cls, run: Path, head: AnswerHead) -> Expected:
        """Read ``predictions.csv`` of a run folder, if it is there."""
        found = _judged(run, several=head.multi_label is not None)
        count = 0 if found is None else len(found)
        shares = _shares(found, head.classes) if found is not None else {}
        counts = {name: round(share * count) for name, share in shares.items()}
        miss = FALSE_ALARM_RATE / 2 / (2 * max(len(shares), 1))
        unknown, most = _unknown(found, head)
        return cls(
            count,
            unknown,
            most,
            shares,
            {name: highest_rate(seen, count, miss=miss) for name, seen in counts.items()},
            {name: 1 - highest_rate(count - seen, count, miss=miss) for name, seen in counts.items()},
        )


def _judged(run: Path, *, several: bool) -> Predictions | MultiLabelPredictions | None:
    """What the run answered about its held-out photos, if that is there."""
    try:
        return (MultiLabelPredictions if several else Predictions).from_csv(run / "predictions.csv")
    except (OSError, DataError):
        return None


def _shares(found: Predictions | MultiLabelPredictions, classes: Sequence[str]) -> dict[str, float]:
    """Class to the share of the photos that it is answered for; with several labels per photo they add up to another sum."""
    if not len(found) or tuple(found.classes) != tuple(classes):
        return {}
    if isinstance(found, MultiLabelPredictions):
        told = found.shown.mean(axis=0)
    else:
        told = np.bincount(found.predicted, minlength=len(classes)) / len(found)
    return dict(zip(classes, told.tolist(), strict=True))


def _unknown(found: Predictions | MultiLabelPredictions | None, head: AnswerHead) -> tuple[float, float | None]:
    """The share of unknown photos that is expected, and the most that it may be."""
    if head.unknown is None:
        return 0.0, None
    if found is not None and found.known is not None and len(found):
        unknown = int(np.count_nonzero(~found.known))
        return unknown / len(found), highest_rate(unknown, len(found), miss=FALSE_ALARM_RATE / 2)
    rate, count = head.unknown.false_reject_rate, len(head.unknown.reference)
    return rate, highest_rate(round(rate * count), count, miss=FALSE_ALARM_RATE / 2)


@dataclass(frozen=True)
class Alarm:
    """A change that was found.

    Attributes:
        kind: ``unknown``, ``more`` or ``less``: of a class.
        label: The class; ``""`` for unknown photos.
        since: When it seems to have begun, in seconds since 1970.
        photo: Which photo it seems to have begun with, counted from 1.
    """

    kind: str
    label: str
    since: float
    photo: int


class DriftWatch:
    """Counts what one classifier answers; may be called from any thread.

    Args:
        classes: Of the classifier.
        expected: What its run knows.
        threshold: The distance beyond which a photo is unknown, where that is known.
    """

    def __init__(self, classes: Sequence[str], expected: Expected, threshold: float | None) -> None:
        self.expected, self.threshold = expected, threshold
        self.begun = time.time()
        self.count = 0
        """Photos that were answered."""
        self.answered: Counter[str] = Counter(dict.fromkeys(classes, 0))
        self.unknown = 0
        self.distances = [0] * (len(DISTANCE_EDGES) + 1)
        self.distance_sum = 0.0
        self.alarms: list[Alarm] = []
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._lock = threading.Lock()
        self._times: list[tuple[int, float]] = []
        self._classes = tuple(expected.shares)
        self._far = None if expected.most_unknown is None else RateWatch([expected.most_unknown], FALSE_ALARM_RATE / 2)
        self._shares = None
        if self._classes:
            most = [expected.most_shares[name] for name in self._classes]
            most += [1 - expected.least_shares[name] for name in self._classes]
            self._shares = RateWatch(most, FALSE_ALARM_RATE / 2 / len(most))

    def note(self, answers: Sequence[Prediction]) -> None:
        """Count answers; what could not be read does not count."""
        now = time.time()
        with self._lock:
            for answer in answers:
                if not answer.problem:
                    self._note(answer, now)

    def _note(self, answer: Prediction, now: float) -> None:
        labels = (answer.label,) if answer.labels is None else answer.labels
        self.count += 1
        self.answered.update(labels)
        self.unknown += not answer.known
        self._remember_time(now)
        self._recent.append(not answer.known)
        if answer.distance is not None and self.threshold is not None:
            far = answer.distance / max(self.threshold, 1e-9)
            self.distances[int(np.searchsorted(DISTANCE_EDGES, far))] += 1
            self.distance_sum += answer.distance
        if self._far is not None and self._far.update([not answer.known])[0]:
            self._alarm("unknown", "", int(self._far.since[0]))
        if self._shares is not None:
            told = [name in labels for name in self._classes]
            new = self._shares.update([*told, *(not one for one in told)])
            for event in np.flatnonzero(new).tolist():
                kind = "more" if event < len(told) else "less"
                self._alarm(kind, self._classes[event % len(told)], int(self._shares.since[event]))

    def _remember_time(self, now: float) -> None:
        """Keep when which photo came, more coarsely the longer ago: half of the times go whenever they are many."""
        if len(self._times) >= 4096:
            self._times = self._times[::2]
        self._times.append((self.count, now))

    def _alarm(self, kind: str, label: str, photo: int) -> None:
        since = next((when for number, when in self._times if number >= photo), time.time())
        self.alarms.append(Alarm(kind, label, since, photo))

    def recently_unknown(self) -> float | None:
        """The share of unknown photos among the last ones; ``None`` before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else None

    def alarm_level(self) -> float:
        """How strongly the unknown photos speak for a change, 0..1: 1 is an alarm."""
        if self._far is None:
            return 0.0
        if any(alarm.kind == "unknown" for alarm in self.alarms):
            return 1.0
        return float(np.clip(self._far.log_wealth()[0] / -np.log(FALSE_ALARM_RATE / 2), 0, 1))

    def sentences(self) -> list[str]:
        """What a person should know, in the language in use: the state first, and then every change."""
        with self._lock:
            return [_state(self), *(_alarm_sentence(self, alarm) for alarm in self.alarms)]

    def to_dict(self) -> dict[str, Any]:
        """The same in plain values, for JSON."""
        told = self.sentences()
        return {
            "answered": self.count,
            "unknown": self.unknown,
            "since": _when(self.begun),
            "expected_unknown": self.expected.unknown,
            "recently_unknown": self.recently_unknown(),
            "alarms": [
                {"kind": alarm.kind, "class": alarm.label, "since": _when(alarm.since), "photo": alarm.photo}
                for alarm in self.alarms
            ],
            "said": told,
        }


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")


def _state(watch: DriftWatch) -> str:
    if not watch.count:
        return tr("No photo has been answered yet.")
    if watch._far is None:  # noqa: SLF001 (its own module)
        return tr(
            "{count} photos were answered. This run cannot tell unknown photos: only the shares of the classes are watched.",
            count=f"{watch.count:,}",
        )
    if any(alarm.kind == "unknown" for alarm in watch.alarms):
        return tr("{count} photos were answered.", count=f"{watch.count:,}")
    return tr(
        "{count} photos were answered, {unknown} of them unlike the training photos; {expected} are expected. A change "
        "is not certain.",
        count=f"{watch.count:,}",
        unknown=f"{watch.unknown / watch.count:.1%}",
        expected=f"{watch.expected.unknown:.1%}",
    )


def _alarm_sentence(watch: DriftWatch, alarm: Alarm) -> str:
    since = datetime.fromtimestamp(alarm.since).astimezone().strftime("%Y-%m-%d %H:%M")
    if alarm.kind == "unknown":
        return tr(
            "The photos are unlike the training photos since {since} (photo {photo}): of the last {recent}, {share} are "
            "unknown; {expected} are expected.",
            since=since,
            photo=f"{alarm.photo:,}",
            recent=len(watch._recent),  # noqa: SLF001
            share=f"{watch.recently_unknown() or 0:.1%}",
            expected=f"{watch.expected.unknown:.1%}",
        )
    values = {
        "label": alarm.label,
        "since": since,
        "photo": f"{alarm.photo:,}",
        "share": f"{watch.answered[alarm.label] / max(watch.count, 1):.1%}",
        "expected": f"{watch.expected.shares[alarm.label]:.1%}",
    }
    if alarm.kind == "more":
        return tr(
            "{label} is answered more often than among the held-out photos, since {since} (photo {photo}): {share} of all "
            "answers, and {expected} there.",
            **values,
        )
    return tr(
        "{label} is answered less often than among the held-out photos, since {since} (photo {photo}): {share} of all "
        "answers, and {expected} there.",
        **values,
    )
