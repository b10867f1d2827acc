"""What the stored features say about the photos themselves: wrong labels, copies, shortcuts, odd ones, whether more would help.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.data.samples import Samples
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.chance import near_chance
from tsugiki.evaluation.duplicates import Pair, contradictions, duplicate_groups, find_leaks
from tsugiki.evaluation.label_issues import Suspect, even_probabilities, find_suspects
from tsugiki.evaluation.learning_curve import LearningCurve, fit_discriminant, learning_curve, narrowed
from tsugiki.evaluation.metrics import Floats, Ints, balanced_accuracy, class_scores, confusion_matrix, softmax
from tsugiki.evaluation.multi_label.cell_issues import CellIssues, find_cell_suspects
from tsugiki.evaluation.multi_label.platt import fit_platt, sigmoid
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, mean_over_classes
from tsugiki.evaluation.out_of_distribution import training_distance
from tsugiki.evaluation.shortcuts import Shortcut, find_set_shortcuts, find_shortcuts
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import judged_rows

_MOST_FOR_A_CURVE = 20_000  # photos: ninety heads on more of them take too long
_MOST_FOR_SHORTCUTS = 1_000
_NEIGHBOURS = 3


@dataclass(frozen=True)
class OddOne:
    """A photo far from all others.

    Attributes:
        row: Which photo.
        distance: Mean cosine distance to its three nearest others.
    """

    row: int
    distance: float


@dataclass(frozen=True, repr=False)
class Findings:
    """What was found; rows are rows of the samples.

    Attributes:
        suspects: Photos whose label is doubted, the most suspicious first.
        copies: Pairs of photos that are one, or ``None`` where there are too many photos to compare.
        contradictions: Those of them that are labelled differently.
        leaks: Held-out photo to its twin in another split.
        shortcuts: How well size, shape and colour alone predict the class.
        odd: Photos unlike all others, the oddest first.
        curve: How accuracy grows with photos, or ``None`` where there are too few (or too many) to tell, or
            after fine-tuning.
        examined: How many labels could be examined.
        head_accuracy: Of the head that doubts them, on photos it has not learned from, every class counting the same; ``None``
            where there is no such head. Multi-label: the mean average precision of the heads.
        head_near_chance: Whether that is close to guessing; such a head doubts no label.
        failed: Why nothing of this is known, where the search ended with an error.
        cells: Multi-label: the doubted cells, a photo and a class each, instead of ``suspects``.
    """

    suspects: tuple[Suspect, ...]
    copies: tuple[Pair, ...] | None
    contradictions: tuple[Pair, ...]
    leaks: dict[int, int]
    shortcuts: tuple[Shortcut, ...]
    odd: tuple[OddOne, ...]
    curve: LearningCurve | None
    examined: int
    head_accuracy: float | None = None
    head_near_chance: bool = False
    failed: str = ""
    cells: CellIssues | None = None

    @classmethod
    def unknown(cls, reason: str) -> Findings:
        """Of a search that has failed: nothing is known, and why."""
        return cls((), None, (), {}, (), (), None, 0, failed=reason)

    def __repr__(self) -> str:
        counts = {name: count for name, count in self.summary().items() if isinstance(count, int)}
        return f"<Findings: {', '.join(f'{name} {count}' for name, count in counts.items())}>"

    def summary(self) -> dict[str, Any]:
        """Counts and curves as plain JSON values; ``None`` for what nobody knows."""
        doubted = self.examined and not self.head_near_chance
        suspects = self.suspects if self.cells is None else self.cells.suspects
        measure = "head_balanced_accuracy" if self.cells is None else "head_mean_average_precision"
        found: dict[str, Any] = {
            "labels_examined": self.examined if self.cells is None else self.cells.cells,
            measure: self.head_accuracy,
            "head_near_chance": self.head_near_chance,
            "suspects": len(suspects) if doubted else None,
            "suspects_confident": sum(one.confident for one in suspects) if doubted else None,
            "copies": None if self.copies is None else len(self.copies),
            "contradictions": len(self.contradictions),
            "leaks": None if self.copies is None else len(self.leaks),
            "odd": len(self.odd),
            "shortcuts": [_plain(one) for one in self.shortcuts],
            "learning_curve": None if self.curve is None else dataclasses.asdict(self.curve),
        }
        return dict.fromkeys(found) | {"failed": self.failed} if self.failed else found


def inspect(table: FeatureTable, out_of_fold: Floats | None, *, with_curve: bool = True, weighted: bool = False) -> Findings:
    """What the training photos, and the copies among all photos, tell.

    Args:
        table: Photos and features.
        out_of_fold: ``[N, K]`` logits of the training photos by heads that have not learned from them; NaN, or ``None``, where
            there is no such head.
        with_curve: Whether to look where accuracy is going with more photos.
        weighted: Whether those heads were trained with every class counting the same.
    """
    rows = table.samples.train_rows
    probabilities = out_of_fold_probabilities(out_of_fold, table.samples, rows)
    return find(table, rows, probabilities, with_curve=with_curve, weighted=weighted)


def out_of_fold_probabilities(out_of_fold: Floats | None, samples: Samples, rows: Sequence[int]) -> Floats | None:
    """``[N, K]`` of the logits of photos at ``rows``, calibrated by themselves, class by class where there are several labels.

    NaN and ``None`` stay. Out-of-fold logits are the frozen backbone's, also after fine-tuning: the classifier's temperature is
    not theirs.
    """
    if out_of_fold is None:
        return None
    judged = judged_rows(out_of_fold)
    if samples.targets is None:
        return softmax(out_of_fold, fit_temperature(out_of_fold[judged], samples.labels[rows][judged]))
    slope, offset = fit_platt(out_of_fold[judged], samples.targets[rows][judged])
    return sigmoid(out_of_fold * slope + offset)


def find(
    table: FeatureTable,
    rows: Sequence[int],
    probabilities: Floats | None,
    *,
    with_curve: bool = True,
    weighted: bool = False,
) -> Findings:
    """Everything at once.

    Args:
        table: Photos and features.
        rows: ``N`` rows of its samples: the photos whose labels are examined.
        probabilities: ``[N, K]`` out-of-fold, of these photos; NaN, or ``None``, where nobody could judge them.
        with_curve: Whether to look where accuracy is going with more photos.
        weighted: Whether the heads behind the probabilities were trained with every class counting the same.
    """
    samples, picked = table.samples, np.asarray(rows, np.int64)
    copies = table.duplicates
    doubts = _Doubts()
    several = samples.targets is not None
    if probabilities is not None and len(judged := judged_rows(probabilities)):
        if samples.targets is None:
            doubts = _Doubts.of(samples.labels, probabilities[judged], picked[judged], weighted=weighted)
        else:
            doubts = _Doubts.of_cells(samples, probabilities[judged], picked[judged])
    return Findings(
        suspects=doubts.suspects,
        copies=None if copies is None else tuple(copies),
        contradictions=tuple(contradictions(copies or [], samples.labels, samples.targets)),
        leaks=find_leaks(copies or [], samples.splits, samples.held_out) if samples.held_out else {},
        shortcuts=tuple(_shortcuts(table, picked)),
        odd=tuple(_odd_ones(table)),
        curve=_curve(table, picked) if with_curve and not several else None,
        examined=doubts.examined,
        head_accuracy=doubts.accuracy,
        head_near_chance=doubts.near_chance,
        cells=doubts.cells,
    )


def _plain(shortcut: Shortcut) -> dict[str, Any]:
    """As JSON; a label is in it only where photos may have several."""
    return {name: value for name, value in dataclasses.asdict(shortcut).items() if name != "label" or value}


@dataclass(frozen=True)
class _Doubts:
    """Suspects, by row of the samples, and what the head is worth that doubts them."""

    suspects: tuple[Suspect, ...] = ()
    examined: int = 0
    accuracy: float | None = None
    near_chance: bool = False
    cells: CellIssues | None = None

    @classmethod
    def of(cls, labels: Ints, probabilities: Floats, rows: Ints, *, weighted: bool) -> _Doubts:
        own = labels[rows]
        fair = probabilities if weighted else even_probabilities(own, probabilities)
        classes = probabilities.shape[1]
        scores = class_scores(confusion_matrix(own, fair.argmax(axis=1), classes))
        near = near_chance(scores, classes)
        found = [] if near else find_suspects(own, fair)
        suspects = tuple(dataclasses.replace(one, row=int(rows[one.row])) for one in found)
        return cls(suspects, len(rows), balanced_accuracy(scores)[0], near)

    @classmethod
    def of_cells(cls, samples: Samples, probabilities: Floats, rows: Ints) -> _Doubts:
        """Of photos that may have several labels; instead of accuracy, the mean average precision of the heads that doubt."""
        targets = np.asarray(samples.targets)[rows]
        found = find_cell_suspects(targets, probabilities)
        suspects = tuple(dataclasses.replace(one, row=int(rows[one.row])) for one in found.suspects)
        precision = mean_over_classes(average_precisions(targets, probabilities))
        cells = dataclasses.replace(found, suspects=suspects, classes=samples.classes)
        return cls((), len(rows), precision, not found.examined, cells)


def _shortcuts(table: FeatureTable, rows: npt.NDArray[np.int64]) -> list[Shortcut]:
    step = -(-len(rows) // _MOST_FOR_SHORTCUTS)
    known = [int(row) for row in rows[::step] if table.facts[row] is not None]
    facts = [fact for row in known if (fact := table.facts[row]) is not None]
    if not facts:
        return []
    size = np.array([(fact.width, fact.height) for fact in facts], np.float64)
    measured = {
        "size": size,
        "shape": size[:, :1] / size[:, 1:],
        "colour": np.array([fact.colour for fact in facts], np.float64),
    }
    if table.samples.targets is not None:
        return find_set_shortcuts(measured, table.samples.targets[known], table.samples.classes)
    return find_shortcuts(measured, table.samples.labels[known])


def _odd_ones(table: FeatureTable) -> list[OddOne]:
    """Photos beyond Tukey's fence: farther from the others than the third quartile by 1.5 times the quartiles' distance."""
    if table.duplicates is None or len(table.samples) <= 2 * _NEIGHBOURS:
        return []
    # Copies only: photos of one subject that is unlike all others are not odd, there are several.
    groups = duplicate_groups(table.duplicates, len(table.samples))

    def distances() -> list[float]:
        found: list[float] = training_distance(table.every, k=_NEIGHBOURS, groups=groups).tolist()
        return found

    distance = np.array(table.remembered("odd-2", distances))
    first, third = np.quantile(distance, [0.25, 0.75])
    beyond = np.flatnonzero(distance > third + 1.5 * (third - first))
    order = beyond[np.argsort(-distance[beyond], kind="stable")]
    return [OddOne(row, float(distance[row])) for row in order.tolist()]


def _curve(table: FeatureTable, rows: Ints) -> LearningCurve | None:
    if len(rows) > _MOST_FOR_A_CURVE:
        return None
    features = narrowed(table.every[rows])
    groups = table.groups_of(rows.tolist())
    return learning_curve(features, table.samples.labels[rows], fit_discriminant, groups=groups)
