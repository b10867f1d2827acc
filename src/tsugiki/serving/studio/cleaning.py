"""What looks wrong among the photos, each with what can be decided about it; what was decided already does not come again.

Everything is found by :mod:`tsugiki.inspection.findings`, as in every report. Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tsugiki.data.label_sets import PRESENT, parted
from tsugiki.evaluation.duplicates import Pair
from tsugiki.evaluation.multi_label.cell_issues import unexamined_sentence
from tsugiki.inspection.findings import Findings, find, out_of_fold_probabilities
from tsugiki.locale.messages import tr
from tsugiki.serving.studio.label_store import KEPT, OUT, RIGHT, Decided
from tsugiki.serving.studio.learning import Labels, Learned
from tsugiki.serving.studio.photo_features import PhotoFeatures

_MOST = 200  # of each kind


def findings_of(learned: Learned, features: PhotoFeatures) -> tuple[Findings, tuple[int, ...]]:
    """What the photos tell that were learned from, and which of them the folder holds out as well.

    Returns:
        The findings, and ``N`` numbers of the photos that their rows mean.
    """
    labels = learned.labels
    held_out = [at for at, row in enumerate(labels.held_out) if row in set(features.known(labels.held_out))]
    apart = tuple(labels.held_out[at] for at in held_out)
    names = [labels.held_out_names[at] for at in held_out]
    table = labels.table(features, apart=apart, apart_names=names)
    rows = range(len(labels.rows))
    probabilities = out_of_fold_probabilities(learned.out_of_fold, learned.table.samples, rows)
    return find(table, rows, probabilities, with_curve=False), (*labels.rows, *apart)


def doubts(
    found: Findings, numbers: Sequence[int], labels: Labels, decided: Sequence[Decided]
) -> dict[str, list[dict[str, Any]]]:
    """What a person is to decide, by kind, plain values; photos by their numbers.

    Args:
        found: What looks wrong.
        numbers: ``N`` numbers of the photos that its rows mean.
        labels: That were learned from.
        decided: About all photos of the studio, as it is now.
    """
    classes = labels.classes

    def is_open(row: int, mark: str) -> bool:
        return OUT not in decided[row][1] and mark not in decided[row][1]

    suspects = (
        {"rows": [numbers[one.row]], "label": classes[one.label], "suggested": classes[one.suggested], "score": one.score}
        for one in found.suspects
        if is_open(numbers[one.row], RIGHT) and decided[numbers[one.row]][0] == classes[one.label]
    )
    shown = {row: parted(decided[row][0]).present for row in numbers}
    cells = (
        {"rows": [numbers[one.row]], "label": classes[one.cls], "present": one.given == PRESENT, "score": one.score}
        for one in (() if found.cells is None else found.cells.suspects)
        if is_open(numbers[one.row], RIGHT) and decided[numbers[one.row]][0]
        if (classes[one.cls] in shown[numbers[one.row]]) == (one.given == PRESENT)
    )
    contradicting = {(pair.first, pair.second) for pair in found.contradictions}
    leaks = {tuple(sorted(pair)) for pair in found.leaks.items()}
    pairs = [pair for pair in found.copies or () if all(is_open(numbers[row], KEPT) for row in (pair.first, pair.second))]
    pairs.sort(key=lambda pair: ((pair.first, pair.second) not in contradicting, pair.kind))
    odd = ({"rows": [numbers[one.row]]} for one in found.odd if is_open(numbers[one.row], KEPT))
    return {
        "suspects": [*(suspects if found.cells is None else cells)][:_MOST],
        "leaks": [*_pairs(pairs, numbers, leaks, inside=True)][:_MOST],
        "copies": [*_pairs(pairs, numbers, leaks, inside=False)][:_MOST],
        "odd": [*odd][:_MOST],
    }


def _pairs(
    pairs: Sequence[Pair], numbers: Sequence[int], leaks: set[tuple[int, ...]], *, inside: bool
) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        if ((pair.first, pair.second) in leaks) == inside:
            yield {"rows": [numbers[pair.first], numbers[pair.second]], "exact": pair.kind == "exact"}


def what_is_not_known(found: Findings | None) -> str:
    """Why no label is doubted; empty where they are."""
    if found is None:
        return tr("Learn first: what looks wrong is told by what was learned.")
    if not found.examined:
        return tr("Labels cannot be doubted yet: give each class two photos or more.")
    if found.cells is not None:
        return unexamined_sentence(found.cells, found.cells.classes)
    if found.head_near_chance:
        return tr("What was learned is hardly better than guessing, so it doubts no label.")
    return ""
