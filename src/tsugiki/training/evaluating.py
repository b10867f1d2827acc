"""Judge a trained classifier on labelled photos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.errors import DataError, TsugikiError
from tsugiki.core.messages import tr
from tsugiki.data.listing import list_photos
from tsugiki.data.samples import UNKNOWN_CLASS, LeftOut, Listing, Look
from tsugiki.data.settling import settle
from tsugiki.evaluation.document import evaluate_rows, headline
from tsugiki.evaluation.rows import Predictions
from tsugiki.features.engines import Engines
from tsugiki.features.extraction import extract
from tsugiki.features.identity import identify, weights_key
from tsugiki.features.pipeline import EXACT, Photos
from tsugiki.features.store import FeatureStore
from tsugiki.training.fit import fingerprint
from tsugiki.training.scoring import predict_features


@dataclass(frozen=True)
class Evaluation:
    """What a classifier said about labelled photos.

    Attributes:
        document: The numbers (:func:`tsugiki.evaluation.document.evaluate_rows`).
        predictions: One row per photo.
        left_out: Photos that cannot be read, with their reasons.
    """

    document: dict[str, Any]
    predictions: Predictions
    left_out: tuple[LeftOut, ...]


def evaluate(model: Classifier, data: str | Path, *, store: FeatureStore | None = None) -> Evaluation:
    """Judge a classifier on the held-out photos of a data set.

    Where the data set has no splits of its own, every photo counts, unless these are the very photos that the classifier was
    trained on: then the ones that were held out then are held out again.

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
    rows, split = _judged(model, listing, looks)
    photos = Photos([listing.paths[row] for row in rows], [looks[row].digest for row in rows])
    engines = Engines(model.backbone, model.preprocess)
    found = extract(photos, engines, store, way=EXACT, key=weights_key(model.backbone))
    good = [at for at in range(len(rows)) if at not in found.problems]
    left_out = tuple(LeftOut(listing.names[rows[at]], reason) for at, reason in sorted(found.problems.items()))
    for entry in left_out:
        say(tr("Left out: {name}: {reason}", name=entry.name, reason=entry.reason))
    if not good:
        raise DataError(tr("No held-out photo can be read."), got="; ".join(entry.reason for entry in left_out[:3]))
    vectors = np.asarray(found.space.vectors()[found.rows[good]], np.float32)
    predictions = Predictions(
        tuple(listing.names[rows[at]] for at in good),
        (split,) * len(good),
        _labels(model, [listing.labels[rows[at]] for at in good]),
        predict_features(model, vectors).astype(np.float64),
        model.classes,
    )
    document = evaluate_rows(predictions, split=split, temperature=model.temperature)
    say(headline(document))
    return Evaluation(document, predictions, left_out)


def _judged(model: Classifier, listing: Listing, looks: list[Look]) -> tuple[list[int], str]:
    """Rows of the photos to judge, and what their split is called."""
    for split in ("test", "val"):
        rows = [row for row, name in enumerate(listing.splits) if name == split and looks[row].digest]
        if rows:
            return rows, split
    held_out = _held_out_then(model, listing, looks)
    if held_out is not None:
        say(tr("These photos trained the classifier: the ones that were held out then are judged."))
        return held_out, "test"
    say(
        tr(
            "These photos have no split, so all of them are judged: "
            "if the classifier was trained on some, the score is too good."
        )
    )
    return [row for row in range(len(listing)) if looks[row].digest], "test"


def _held_out_then(model: Classifier, listing: Listing, looks: list[Look]) -> list[int] | None:
    """Rows that were held out in training, when these are the same photos."""
    split = model.notes.get("split")
    if not split:
        return None
    try:
        absent = set(split["left_out"])
        then = [Look(reason="-") if name in absent else look for name, look in zip(listing.names, looks, strict=True)]
        samples = settle(listing, then, seed=int(split["seed"]), held_out=float(split["held_out"]))
        drawn = str(split["fingerprint"])
    except (TsugikiError, KeyError, TypeError, ValueError):  # other photos, or notes that somebody else wrote
        return None
    # Photos that turned out unreadable only when they were computed took part in the draw.
    if fingerprint(samples) != drawn:
        return None
    chosen = set(samples.of("test").names)
    return [row for row, name in enumerate(listing.names) if name in chosen]


def _labels(model: Classifier, names: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    strange = Counter(name for name in names if name not in model.classes)
    if strange:
        text = ", ".join(f"{name} ({count})" for name, count in strange.most_common(5))
        say(tr("The classifier does not know these classes; their photos are not scored: {names}", names=text))
    place = {name: label for label, name in enumerate(model.classes)}
    return np.array([place.get(name, UNKNOWN_CLASS) for name in names], np.int64)
