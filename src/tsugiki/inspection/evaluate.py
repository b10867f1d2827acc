"""Judge a trained classifier on labelled photos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.predict import predict_features, temperature_of
from tsugiki.core.console import say
from tsugiki.core.errors import DataError
from tsugiki.data.samples import UNKNOWN_CLASS, LeftOut, Listing, Look
from tsugiki.data.sources.listing import list_photos
from tsugiki.evaluation.predictions import Predictions, evaluate_rows, headline
from tsugiki.features.engines.choose import Engines
from tsugiki.features.executor import EXACT, Photos
from tsugiki.features.extract import extract, identify, weights_key
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.seen_photos import EXCLUDED, LEARNED, NEW, VALIDATION, Recalled, recall
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class Evaluation:
    """What a classifier said about labelled photos.

    Attributes:
        document: The numbers (:func:`tsugiki.evaluation.predictions.evaluate_rows`).
        predictions: One row per photo.
        left_out: Files that should have been judged and cannot be, with their reasons.
    """

    document: dict[str, Any]
    predictions: Predictions
    left_out: tuple[LeftOut, ...]


def evaluate(model: Classifier, data: str | Path, *, store: FeatureStore | None = None) -> Evaluation:
    """Judge a classifier on the held-out photos of a data set.

    Where the data set has no splits of its own, every photo counts that the classifier has not learned from; photos are known
    by their content, wherever they lie. What a person's list decided in training holds here too.

    Args:
        model: A trained classifier.
        data: What :func:`tsugiki.load` takes.
        store: Where features are kept.

    Raises:
        DataError: When no photo of a known class can be read.
    """
    store = store or FeatureStore()
    listing = list_photos(data)
    looks = identify(listing.paths, store)
    judged = _judged(model, listing, looks)
    rows = judged.rows
    photos = Photos([listing.paths[row] for row in rows], [looks[row].digest for row in rows])
    engines = Engines(model.backbone, model.preprocess)
    found = extract(photos, engines, store, way=EXACT, key=weights_key(model.backbone))
    good = [at for at in range(len(rows)) if at not in found.problems]
    undecoded = (LeftOut(listing.names[rows[at]], reason) for at, reason in sorted(found.problems.items()))
    left_out = (*listing.left_out, *judged.unopened, *undecoded)
    for entry in left_out:
        say(tr("Left out: {name}: {reason}", name=entry.name, reason=entry.reason))
    if not good:
        raise DataError(tr("No held-out photo can be read."), got="; ".join(entry.reason for entry in left_out[:3]))
    vectors = np.asarray(found.space.vectors()[found.rows[good]], np.float32)
    predictions = Predictions(
        tuple(listing.names[rows[at]] for at in good),
        (judged.split,) * len(good),
        _labels(model, [judged.labels[at] for at in good]),
        predict_features(model, vectors).astype(np.float64),
        model.classes,
    )
    document = evaluate_rows(predictions, split=judged.split, temperature=temperature_of(model))
    say(headline(document))
    return Evaluation(document, predictions, left_out)


@dataclass(frozen=True)
class _Judged:
    """The photos to judge.

    Attributes:
        rows: Where they stand in the listing.
        labels: The class of each.
        split: What their split is called.
        unopened: Files that would be among them and cannot be opened.
    """

    rows: list[int]
    labels: list[str]
    split: str
    unopened: tuple[LeftOut, ...]


def _judged(model: Classifier, listing: Listing, looks: list[Look]) -> _Judged:
    known = recall(model.notes, listing, looks)
    opened = {name for name, look in zip(listing.splits, looks, strict=True) if look.digest}
    split = next((name for name in ("test", "val") if name in opened), "")
    asked = [row for row, name in enumerate(listing.splits) if not split or name == split]
    rows = [row for row in asked if looks[row].digest]
    if known is not None:
        rows = _as_decided(rows, known, listing)
    if not split:
        rows = _not_learned(rows, known)
    labels = listing.labels if known is None else known.labels
    unopened = tuple(LeftOut(listing.names[row], looks[row].reason) for row in asked if not looks[row].digest)
    return _Judged(rows, [labels[row] for row in rows], split or "test", unopened)


def _as_decided(rows: list[int], known: Recalled, listing: Listing) -> list[int]:
    """The rows that no list has left out."""
    kept = [row for row in rows if known.roles[row] != EXCLUDED]
    if len(kept) < len(rows):
        say(tr("Left out in training, so not judged either: {count}.", count=len(rows) - len(kept)))
    moved = sum(known.labels[row] != listing.labels[row] for row in kept)
    if moved:
        say(tr("Another class because a list said so in training: {count}.", count=moved))
    return kept


def _not_learned(rows: list[int], known: Recalled | None) -> list[int]:
    """The rows that the classifier has not learned from, where that is known and leaves any."""
    if known is None or not set(known.roles) - {NEW}:  # other photos: copies of learned ones that were saved anew look new
        say(
            tr(
                "These photos have no split, so all of them are judged: "
                "if the classifier was trained on some, the score is too good."
            )
        )
        return rows
    others = [row for row in rows if known.roles[row] not in {LEARNED, VALIDATION}]
    if rows and not others:
        say(tr("The classifier was trained with all of these photos, so the score is too good."))
        return rows
    if len(others) < len(rows):
        say(
            tr(
                "The classifier was trained with {count} of these photos: only the other {judged} are judged.",
                count=len(rows) - len(others),
                judged=len(others),
            )
        )
    return others


def _labels(model: Classifier, names: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    strange = Counter(name for name in names if name not in model.classes)
    if strange:
        text = ", ".join(f"{name} ({count})" for name, count in strange.most_common(5))
        say(tr("The classifier does not know these classes; their photos are not scored: {names}", names=text))
    place = {name: label for label, name in enumerate(model.classes)}
    return np.array([place.get(name, UNKNOWN_CLASS) for name in names], np.int64)
