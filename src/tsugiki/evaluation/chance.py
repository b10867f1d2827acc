"""Is a classifier better than guessing? Where it hardly is, no other number about it or about its photos says anything.

Asked of balanced accuracy: who always answers the largest class is right about most photos and knows nothing. Letters: ``K``
classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tsugiki.evaluation.metrics import ClassScore, balanced_accuracy

_LITTLE = 0.25
"""Of the way from guessing to being always right: who has gone less of it knows too little to doubt anybody's label."""

_HALFWAY = 0.5
"""Few photos prove nothing; but who has gone further than this on them is no guesser either."""


def near_chance(scores: Sequence[ClassScore], num_classes: int) -> bool:
    """Whether nobody should rely on answers that scored like this.

    Args:
        scores: Of the ``K`` classes; those without photos have no say.
        num_classes: ``K``: guessing is right about one photo in so many, every class counting the same.
    """
    chance = 1 / num_classes
    balanced, (low, _) = balanced_accuracy(scores)
    way = (balanced - chance) / (1 - chance) if num_classes > 1 else 1.0
    return way < _LITTLE or (low <= chance and way < _HALFWAY)
