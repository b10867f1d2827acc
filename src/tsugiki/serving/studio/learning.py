"""What the studio has learned from the labels as they are: a classifier, what it is worth, and what it says about the rest.

``fit_head`` -> ``calibrate`` -> ``judge``, as in every fit, and on the same rows in the same order as ``tsugiki fit`` reads
them from the table: the number on the page is the number that the command tells with ``--held-out 0``. Nothing is learned from
held-out photos here, nor judged by them, however often labels change: they are for the run that is written in the end.

Letters: ``N`` photos, ``M`` without a class, ``K`` classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tsugiki.classifier.answer import NOT_ESTIMATED
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet
from tsugiki.data.label_sets import Task, parted, set_text
from tsugiki.data.natural_order import natural
from tsugiki.evaluation.duplicates import Pair
from tsugiki.evaluation.headline import headline
from tsugiki.evaluation.metrics import Bools
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import Floats, Ints
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import HeadFit, Labelled, fit_head
from tsugiki.heads.refit import folds_of_more, refit_head
from tsugiki.inspection.next_photos import choose_next, uncertainty
from tsugiki.serving.studio.label_store import OUT, Decided
from tsugiki.serving.studio.label_texts import table_place
from tsugiki.serving.studio.photo_features import PhotoFeatures
from tsugiki.training.fit import notes_on, take_head
from tsugiki.training.judge import calibrate, judge

WORTH_A_REFIT = 200
"""Photos: with fewer, a fit from nothing takes no longer."""

_MOST_NEXT = 200


@dataclass(frozen=True)
class Labels:
    """Labels at one moment.

    Attributes:
        revision: Of the decisions.
        rows: Numbers of the photos to learn from: class by class, as in the table of decisions.
        names: The class of each; several labels as ``a|b``.
        held_out: Numbers of the photos that the folder holds out; ``val`` beside ``test`` is in neither.
        held_out_names: Likewise.
        task: ``multi`` where a photo may have several labels.
    """

    revision: int
    rows: tuple[int, ...]
    names: tuple[str, ...]
    held_out: tuple[int, ...] = ()
    held_out_names: tuple[str, ...] = ()
    task: Task = "single"

    @classmethod
    def of(
        cls,
        revision: int,
        decided: Sequence[Decided],
        splits: Sequence[str],
        classes: Sequence[str],
        *,
        several: bool = False,
    ) -> Labels:
        """Of what was decided, without photos that are left out."""
        held_out = next((split for split in ("test", "val") if split in splits), "-")
        order = {name: place for place, name in enumerate(classes)}
        rows = [row for row, (label, mark) in enumerate(decided) if label and mark != OUT]
        rows.sort(key=lambda row: table_place(decided[row][0], order))
        parts = [[row for row in rows if splits[row] in those] for those in (("", "train"), (held_out,))]
        learned, judged = ((tuple(part), tuple(decided[row][0] for row in part)) for part in parts)
        return cls(revision, *learned, *judged, "multi" if several else "single")

    @property
    def classes(self) -> tuple[str, ...]:
        """In natural order, as every fit has them."""
        return tuple(sorted(self.counts(), key=natural))

    @property
    def several(self) -> bool:
        """Whether a photo may have several labels."""
        return self.task == "multi"

    def counts(self) -> Counter[str]:
        """How many photos to learn from show each class."""
        return Counter(name for label in self.names for name in (parted(label).present if self.several else (label,)))

    def table(
        self,
        features: PhotoFeatures,
        *,
        pairs: tuple[Pair, ...] | None = None,
        apart: Sequence[int] = (),
        apart_names: Sequence[str] = (),
    ) -> FeatureTable:
        """The photos and their features, those that are held out (``apart``) last."""
        names = (*self.names, *apart_names)
        return features.table(self.rows, names, self.classes, apart, pairs, several=self.several)

    def among(self, rows: Sequence[int]) -> Labels:
        """Of some of the photos."""
        wanted = set(rows)
        kept = [at for at, row in enumerate(self.rows) if row in wanted]
        return replace(self, rows=tuple(self.rows[at] for at in kept), names=tuple(self.names[at] for at in kept))


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes:
        labels: From which.
        head: The fit.
        classifier: Calibrated.
        table: ``N`` photos and their features.
        evaluation: What the answers to the photos themselves are worth, each by a head that has not learned from it; empty
            where cross-validation is impossible.
        quick: Whether the heads were only brought up to date.
    """

    labels: Labels
    head: HeadFit
    classifier: Classifier
    table: FeatureTable
    evaluation: dict[str, Any]
    quick: bool

    @property
    def out_of_fold(self) -> Floats | None:
        """``[N, K]`` logits of the photos, each by a head that has not learned from it."""
        return self.head.out_of_fold

    def told(self) -> dict[str, Any]:
        """What the page shows of it, plain values; of several labels the mean average precision stands for the accuracy."""
        found: dict[str, Any] = {"photos": len(self.labels.rows), "quick": self.quick}
        if self.evaluation:
            score = "mean_average_precision" if self.labels.several else "accuracy"
            low, high = self.evaluation[f"{score}_interval"]
            found |= {"accuracy": self.evaluation[score], "low": low, "high": high, "sentence": headline(self.evaluation)}
        return found


def learn(features: PhotoFeatures, labels: Labels, before: Learned | None = None) -> Learned:
    """Learn from photos that have been looked at.

    Args:
        features: Of the photos.
        labels: Of two classes or more.
        before: What was learned earlier, to go on from.
    """
    pairs = None if before is None else _known_pairs(labels, before)
    table = labels.table(features, pairs=pairs)
    head = None if before is None else _refitted(table, labels, before)
    quick = head is not None
    if head is None:
        # What a fit from nothing gives does not depend on what was learned before.
        table = table if pairs is None else labels.table(features)
        head = fit_head(table, len(labels.classes))
    classifier = Classifier(features.backbone, classes=labels.classes, task=labels.task)
    with quiet():
        out_of_fold = take_head(classifier, head, table)
    classifier.notes = notes_on(table, head, FeatureSettings(), classifier.backbone)
    evaluation: dict[str, Any] = {}
    if out_of_fold is not None and (~np.isnan(out_of_fold).any(axis=1)).any():
        calibrate(classifier, table, out_of_fold)
        _, evaluation = judge(classifier, table, out_of_fold)
    else:
        classifier.notes["calibration"] = NOT_ESTIMATED
    return Learned(labels, head, classifier, table, evaluation, quick)


def _known_pairs(labels: Labels, before: Learned) -> tuple[Pair, ...] | None:
    """Copies, where the very same photos were compared before and have only changed their places."""
    if before.table.duplicates is None or set(labels.rows) != set(before.labels.rows):
        return None
    place = {row: at for at, row in enumerate(labels.rows)}
    now = [place[row] for row in before.labels.rows]

    def moved(pair: Pair) -> Pair:
        first, second = sorted((now[pair.first], now[pair.second]))
        return replace(pair, first=first, second=second)

    return tuple(moved(pair) for pair in before.table.duplicates)


def _refitted(table: FeatureTable, labels: Labels, before: Learned) -> HeadFit | None:
    """The heads brought up to date, where that is worth it and possible."""
    if labels.several or labels.classes != before.labels.classes or len(labels.rows) < WORTH_A_REFIT:
        return None
    fold_of = dict(zip(before.labels.rows, before.head.folds.tolist(), strict=True))
    known: Ints = np.array([row in fold_of for row in labels.rows])
    if known.mean() < 0.9:
        return None
    old: Ints = np.array([fold_of[row] for row in labels.rows if row in fold_of], np.int64)
    folds = old if known.all() else folds_of_more(table.groups_of(range(len(labels.rows))), known, old)
    return refit_head(before.head, Labelled.of(table.train, table.samples, table.samples.train_rows), folds)


@dataclass(frozen=True)
class Proposals:
    """What is said about ``M`` photos that have no class yet.

    Attributes:
        rows: Their numbers.
        names: The most probable class of each; several labels as ``a|b``.
        probabilities: ``[M]`` of it; of several labels, how sure the least sure class is, shown or not.
        known: ``[M]`` whether the photo is like those that were learned from.
        next: Which of them are worth labelling next, the first one first.
        chances: Several labels: those of each photo with their probabilities, the most probable one first.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: Floats
    known: Bools
    next: tuple[int, ...] = ()
    chances: tuple[tuple[tuple[str, float], ...], ...] | None = None


def propose(learned: Learned, features: PhotoFeatures, rows: Sequence[int], *, in_order: bool) -> Proposals:
    """Answers for photos that have been looked at.

    Args:
        learned: Who answers.
        features: Of the photos.
        rows: Their numbers.
        in_order: Whether to find out which are worth labelling next.
    """
    vectors, head = features.take(rows), learned.classifier.answer_head
    probabilities = head.probabilities(vectors)
    told = head.known(vectors)
    known = np.ones(len(rows), np.bool_) if told is None else told
    if head.multi_label is None:
        best = probabilities.argmax(axis=1)
        names = tuple(head.classes[place] for place in best.tolist())
        answers = Proposals(tuple(rows), names, probabilities[np.arange(len(rows)), best], known)
    else:
        chances = _shown(head.classes, probabilities, probabilities >= head.multi_label.thresholds)
        names = tuple(set_text(name for name, _ in one) for one in chances)
        sure = np.maximum(probabilities, 1 - probabilities).min(axis=1)
        answers = Proposals(tuple(rows), names, sure, known, chances=chances)
    if not in_order or not rows:
        return answers
    reference = None if head.unknown is None else head.unknown.reference.astype(np.float32)
    chosen, _ = choose_next(vectors, uncertainty(head, probabilities), reference, min(_MOST_NEXT, len(rows)))
    return replace(answers, next=tuple(rows[at] for at in chosen))


def _shown(classes: Sequence[str], probabilities: Floats, shown: Bools) -> tuple[tuple[tuple[str, float], ...], ...]:
    """``M`` sets of labels with their probabilities, of ``[M, K]``."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return tuple(
        tuple((classes[at], float(probabilities[row, at])) for at in order[row].tolist() if shown[row, at])
        for row in range(len(probabilities))
    )


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy with so many labels; where photos may have several, the mean average precision.

    Attributes:
        photos: How many labels.
        accuracy: What it was then.
        low: Lower end of its 95% interval.
        high: Upper end.
    """

    photos: int
    accuracy: float
    low: float
    high: float


def with_point(curve: Sequence[CurvePoint], told: dict[str, Any]) -> list[CurvePoint]:
    """A curve with what was just found out: the last word counts for every number of labels."""
    if "accuracy" not in told:
        return [*curve]
    point = CurvePoint(told["photos"], told["accuracy"], told["low"], told["high"])
    return sorted([*(one for one in curve if one.photos != point.photos), point], key=lambda one: one.photos)
