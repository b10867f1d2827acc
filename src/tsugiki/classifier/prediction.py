"""The answer for one photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """What the classifier answers for one photo.

    Attributes:
        label: The most probable class, or ``""`` when the photo could not be read.
        probability: Its probability, calibrated, in [0, 1].
        top: The most probable classes with their probabilities, best first.
        known: False when the photo is unlike every training photo: then ``label`` is a guess that should not be used.
        name: The photo's path as it was given, or ``""`` for pictures that have none.
        problem: Why the photo could not be read, or ``""``.
        distance: How far the photo is from the nearest training photo (cosine distance), where that is known.
        probabilities: One per class, in the order of the classifier's classes.
    """

    label: str
    probability: float
    top: tuple[tuple[str, float], ...] = ()
    known: bool = True
    name: str = ""
    problem: str = ""
    distance: float | None = None
    probabilities: tuple[float, ...] = field(default=(), repr=False)

    def to_dict(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Plain values, for JSON.

        Args:
            classes: The classifier's classes, the keys of ``probabilities``.
        """
        if self.problem:
            return {"path": self.name, "problem": self.problem}
        return {
            "path": self.name,
            "label": self.label,
            "probability": self.probability,
            "known": self.known,
            "distance": self.distance,
            "top": [{"label": label, "probability": probability} for label, probability in self.top],
            "probabilities": dict(zip(classes, self.probabilities, strict=True)),
        }
