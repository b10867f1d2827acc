"""The answer: feature vectors -> logits -> calibrated probabilities, and whether the photo is like any that was learned from.

Everything here is NumPy: it is the same whoever computed the features, and reading and using it needs no PyTorch. Logits are
added up in double precision and the probabilities rounded to float32, so that a photo has one answer, alone or among others.

The distance of a photo is the cosine distance of its feature vector to the nearest training photo's (Sun et al., 2022, "Out-of-
Distribution Detection with Deep Nearest Neighbors"). A photo farther away than the threshold is unknown: "not sure" instead of
a confident wrong answer.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``M`` reference photos.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.display.cell_html import cell_html
from tsugiki.data.label_sets import SEPARATOR, Task, joined, spoken
from tsugiki.data.taxonomy import Taxonomy
from tsugiki.evaluation.levels.parent_probabilities import NOBODY, deepest_sure, parent_probabilities
from tsugiki.evaluation.metrics import softmax, unit_rows
from tsugiki.evaluation.multi_label.platt import sigmoid
from tsugiki.locale.messages import tr

Floats = npt.NDArray[np.float32]

NOT_ESTIMATED = "not estimated"
"""What a run's notes say of its calibration where there were no photos to estimate it on."""

MOST_REFERENCES = 5_000
"""Training photos that "unlike anything seen" is measured against."""

_BLOCK = 65_536  # reference photos that are compared at once


@dataclass(frozen=True)
class Prediction:
    """What the classifier answers for one photo.

    Attributes:
        label: The most probable class, or ``""`` when the photo could not be read. Multi-label: all labels as ``a|b``, ``""``
            where the photo shows none of the classes.
        probability: Its probability, calibrated, in [0, 1]. Multi-label: that of the most probable class, shown or not.
        top: The most probable classes with their probabilities, best first.
        known: False when the photo is less like the training photos than 95% of them are: then ``label`` is a guess that should
            not be used.
        name: The photo's path as it was given, or ``""`` for pictures that have none.
        problem: Why the photo could not be read, or ``""``.
        distance: How far the photo is from the nearest training photo (cosine distance), where that is known.
        probabilities: One per class, in the order of the classifier's classes.
        labels: Multi-label: the classes that the photo shows, the most probable first; ``None`` where it is of one class.
        ancestors: With a taxonomy: what the answer is a kind of, with the probability of that, the nearest first; of several
            labels, of all that are shown. ``None`` without a taxonomy.
        at_least: With a taxonomy: where no class is sure, the nearest thing to one that is, with its probability: "at least a
            bird". ``None`` where a class is sure, nothing is, or the photo is not known; and of several labels, whose parents
            are never surer than they.
    """

    label: str
    probability: float
    top: tuple[tuple[str, float], ...] = ()
    known: bool = True
    name: str = ""
    problem: str = ""
    distance: float | None = None
    probabilities: tuple[float, ...] = field(default=(), repr=False)
    labels: tuple[str, ...] | None = None
    ancestors: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)
    at_least: tuple[str, float] | None = field(default=None, repr=False)

    @property
    def suggested(self) -> str:
        """The label as tables to label in have it: never empty, ``|`` alone for none of the classes."""
        return self.label if self.labels is None else self.label or SEPARATOR

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
            **({} if self.labels is None else {"labels": [*self.labels]}),
            "probability": self.probability,
            "known": self.known,
            "distance": self.distance,
            "top": [{"label": label, "probability": probability} for label, probability in self.top],
            **self._above(),
            "probabilities": dict(zip(classes, self.probabilities, strict=True)),
        }

    def _repr_html_(self) -> str:
        """For a notebook: the answer, the most probable classes, and what to know before it is used."""
        if self.problem:
            return cell_html(tr("{path} cannot be read: {reason}", path=self.name or tr("the photo"), reason=self.problem))
        answer = self.label if self.labels is None else spoken(self.labels)
        notes = [] if self.known else [tr("Less like the training photos than 95% of them are: the answer is a guess.")]
        if self.at_least is not None:
            notes.append(tr("At least {name}: {probability}", name=self.at_least[0], probability=f"{self.at_least[1]:.1%}"))
        rows = [(tr("class"), tr("probability")), *((label, f"{probability:.1%}") for label, probability in self.top)]
        return cell_html(f"{self.name}: {answer}" if self.name else answer, rows, notes)

    def _above(self) -> dict[str, Any]:
        """What a taxonomy adds to the answer."""
        if self.ancestors is None:
            return {}
        ancestors = [{"name": name, "probability": probability} for name, probability in self.ancestors]
        named = None if self.at_least is None else {"name": self.at_least[0], "probability": self.at_least[1]}
        return {"ancestors": ancestors, "at_least": named}


@dataclass(frozen=True)
class Unknown:
    """The training photos' features and the distance beyond which a photo is unknown.

    Attributes:
        reference: ``[M, D]`` float16, each row of length 1.
        threshold: Cosine distance, in [0, 2].
        false_reject_rate: The share of photos like the training photos that is called unknown by mistake.
    """

    reference: npt.NDArray[np.float16]
    threshold: float
    false_reject_rate: float

    @classmethod
    def from_features(cls, features: npt.NDArray[Any], threshold: float, *, false_reject_rate: float = 0.05) -> Unknown:
        """Build the reference from training features ``[M, D]`` of any length."""
        # Half the bytes on disk; the distance moves by less than 0.001.
        return cls(unit_rows(np.asarray(features)).astype(np.float16), threshold, false_reject_rate)

    def _blocks(self) -> Iterable[Floats]:
        """The reference in float32, a bounded part at a time; kept where it is small, for those who ask photo by photo."""
        if len(self.reference) <= MOST_REFERENCES:
            return (self._whole,)
        return (self.reference[at : at + _BLOCK].astype(np.float32) for at in range(0, len(self.reference), _BLOCK))

    @functools.cached_property
    def _whole(self) -> Floats:
        return self.reference.astype(np.float32)

    def distance(self, features: npt.NDArray[Any]) -> Floats:
        """Cosine distance ``[B]`` of ``features`` ``[B, D]`` to the nearest reference photo."""
        rows = unit_rows(np.asarray(features))
        nearest = np.full(len(rows), -1.0, np.float32)
        for block in self._blocks():
            nearest = np.maximum(nearest, (rows @ block.T).max(axis=1))
        return np.asarray(1 - nearest, np.float32)


@dataclass(frozen=True)
class MultiLabel:
    """How logits become several labels: each class has a probability of its own and is shown from a threshold on.

    Attributes:
        slope: ``[K]`` by which a logit is multiplied before it becomes a probability.
        offset: ``[K]`` what is added then.
        thresholds: ``[K]`` probabilities, float32: a class is shown that reaches its own.
    """

    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    thresholds: Floats

    @classmethod
    def fresh(cls, num_classes: int) -> MultiLabel:
        """Before anything is learned."""
        return cls(np.ones(num_classes), np.zeros(num_classes), np.full(num_classes, 0.5, np.float32))

    def probabilities(self, logits: npt.NDArray[Any]) -> Floats:
        """``[B, K]`` of logits ``[B, K]``."""
        return sigmoid(np.asarray(logits, np.float64) * self.slope + self.offset).astype(np.float32)


@dataclass(frozen=True)
class AnswerHead:
    """What turns features into answers.

    Attributes:
        classes: Names of the ``K`` classes, in the order of the logits.
        weight: ``[K, D]`` float32.
        bias: ``[K]`` float32.
        temperature: Logits are divided by it before they become probabilities.
        unknown: How far is too far from the training photos, or ``None`` where that is not known.
        multi_label: How logits become several labels; ``None`` where each photo is of one class.
        taxonomy: What is above the classes, where that is known.
    """

    classes: tuple[str, ...]
    weight: Floats
    bias: Floats
    temperature: float = 1.0
    unknown: Unknown | None = None
    multi_label: MultiLabel | None = None
    taxonomy: Taxonomy | None = None

    @property
    def task(self) -> Task:
        """``multi`` where a photo may have several labels."""
        return "single" if self.multi_label is None else "multi"

    def logits(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """``[B, K]`` of features ``[B, D]``."""
        return np.asarray(features, np.float64) @ self.weight.T.astype(np.float64) + self.bias

    def probabilities(self, features: npt.NDArray[Any]) -> Floats:
        """Calibrated probabilities ``[B, K]`` of features ``[B, D]``."""
        if self.multi_label is not None:
            return self.multi_label.probabilities(self.logits(features))
        return calibrated(self.logits(features), self.temperature)

    def known(self, features: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
        """``[B]`` whether photos of features ``[B, D]`` are like the training photos; ``None`` where nobody can tell."""
        return None if self.unknown is None else np.asarray(self.unknown.distance(features) <= self.unknown.threshold, np.bool_)

    def answer(self, features: npt.NDArray[Any], names: Sequence[str], *, top: int = 3) -> list[Prediction]:
        """Answers for ``B`` photos whose features ``[B, D]`` are known, named as in ``names``; ``top`` classes are ranked."""
        probabilities = self.probabilities(features)
        distances = None if self.unknown is None else self.unknown.distance(features)
        rows = []
        for row, name in enumerate(names):
            distance = None if distances is None else float(distances[row])
            rows.append(self._prediction(probabilities[row], distance, name, top))
        return rows if self.taxonomy is None else self._placed(self.taxonomy, rows, probabilities)

    def _placed(self, taxonomy: Taxonomy, answers: list[Prediction], probabilities: Floats) -> list[Prediction]:
        """The ``B`` answers with what a taxonomy adds to them."""
        parents = parent_probabilities(taxonomy, probabilities, self.task)
        known = np.array([answer.known for answer in answers], np.bool_)
        nobody = np.full(len(answers), NOBODY)
        named = deepest_sure(taxonomy, probabilities, parents, known) if self.multi_label is None else nobody
        placed = []
        for answer, chances, at in zip(answers, parents.tolist(), named.tolist(), strict=True):
            labels = (answer.label,) if answer.labels is None else answer.labels
            above = dict.fromkeys(one for label in labels for one in taxonomy.above(label))
            ancestors = tuple((one, chances[taxonomy.row[one]]) for one in above)
            at_least = None if at == NOBODY else (taxonomy.inner[at], chances[at])
            placed.append(replace(answer, ancestors=ancestors, at_least=at_least))
        return placed

    def _prediction(self, probabilities: Floats, distance: float | None, name: str, top: int) -> Prediction:
        order = np.argsort(-probabilities, kind="stable").tolist()
        ranked = tuple((self.classes[index], float(probabilities[index])) for index in order[: max(top, 1)])
        known = distance is None or self.unknown is None or distance <= self.unknown.threshold
        label, probability = ranked[0]
        every = tuple(probabilities.tolist())
        if self.multi_label is not None:
            shown = probabilities >= self.multi_label.thresholds
            labels = tuple(self.classes[at] for at in order if shown[at])
            label = joined(labels)
            return Prediction(label, probability, ranked, known, name, distance=distance, probabilities=every, labels=labels)
        return Prediction(label, probability, ranked, known=known, name=name, distance=distance, probabilities=every)


def calibrated(logits: npt.NDArray[Any], temperature: float) -> Floats:
    """Probabilities ``[B, K]`` of logits ``[B, K]``."""
    return softmax(logits, temperature).astype(np.float32)
