"""Judge a trained classifier on labelled photos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError
from tsugiki.data.load import list_photos
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.data.sources.listing import LeftOut, Listing
from tsugiki.evaluation.predictions import Predictions, evaluate_rows, headline
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.seen_photos import EXCLUDED, LEARNED, NEW, VALIDATION, SeenPhotos, seen_before
from tsugiki.locale.messages import tr


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return visible(f"<Evaluation: {headline(self.document)}>", one_line=True)

    def _repr_html_(self) -> str:
        """For a notebook: the score, and the first answers."""
        return cell_html(headline(self.document)) + self.predictions._repr_html_()


def evaluate(model: Classifier, data: Samples | str | Path, *, store: FeatureStore | None = None) -> Evaluation:
    """Judge a classifier on the held-out photos of a data set.

    Where the data set has no splits of its own, every photo counts that the classifier has not learned from; photos are known
    by their content, wherever they lie. What a person's list decided in training holds here too.

    Args:
        model: A trained classifier.
        data: Samples, or what :func:`tsugiki.load` takes.
        store: Where features are kept.

    Raises:
        DataError: When no photo of a known class can be read.
    """
    store = store or FeatureStore()
    listing, contents = _candidates(data, store)
    samples = _to_judge(model, listing, contents)
    for entry in samples.left_out:
        say(tr("Left out: {name}: {reason}", name=visible(entry.name, one_line=True), reason=entry.reason))
    if not len(samples):
        raise DataError(tr("No held-out photo can be read."), got="; ".join(entry.reason for entry in samples.left_out[:3]))
    table = extract(samples, model.backbone, preprocess=model.preprocess, settings=FeatureSettings(store=store))
    samples = table.samples
    answers = model.answer_head.probabilities(table.held_out).astype(np.float64)
    predictions = Predictions(samples.names, samples.splits, samples.labels, answers, model.classes)
    document = evaluate_rows(predictions, split=samples.held_out, temperature=model.estimated_temperature)
    say(headline(document))
    return Evaluation(document, predictions, samples.left_out)


def _candidates(data: Samples | str | Path, store: FeatureStore) -> tuple[Listing, list[Content]]:
    if not isinstance(data, Samples):
        listing = list_photos(data)
        return listing, store.contents(listing.paths)
    # Splits that were drawn are not the data set's own: what counts then is what the classifier has learned from.
    splits = ("",) * len(data) if data.draw else data.splits
    listing = Listing(data.root, data.names, tuple(data.label_names()), splits, data.groups)
    return listing, [Content(digest) for digest in data.digests]


def _to_judge(model: Classifier, listing: Listing, contents: list[Content]) -> Samples:
    """The photos to judge, all of one split, their labels those of the model's classes."""
    seen = seen_before(model.notes, listing, contents)
    opened = {name for name, content in zip(listing.splits, contents, strict=True) if content.digest}
    split = next((name for name in ("test", "val") if name in opened), "")
    asked = [row for row, name in enumerate(listing.splits) if not split or name == split]
    rows = [row for row in asked if contents[row].digest]
    if seen is not None:
        rows = _as_corrected(rows, seen, listing)
    if not split:
        rows = _not_learned(rows, seen)
    names = listing.labels if seen is None else seen.labels
    unopened = (LeftOut(listing.names[row], contents[row].reason) for row in asked if not contents[row].digest)
    return Samples(
        root=listing.root,
        names=tuple(listing.names[row] for row in rows),
        labels=_labels(model, [names[row] for row in rows]),
        splits=(split or "test",) * len(rows),
        classes=model.classes,
        digests=tuple(contents[row].digest for row in rows),
        left_out=(*listing.left_out, *unopened),
    )


def _as_corrected(rows: list[int], seen: SeenPhotos, listing: Listing) -> list[int]:
    """The rows that no list has left out."""
    kept = [row for row in rows if seen.roles[row] != EXCLUDED]
    if len(kept) < len(rows):
        say(tr("Left out in training, so not judged either: {count}.", count=len(rows) - len(kept)))
    moved = sum(seen.labels[row] != listing.labels[row] for row in kept)
    if moved:
        say(tr("Another class because a list said so in training: {count}.", count=moved))
    return kept


def _not_learned(rows: list[int], seen: SeenPhotos | None) -> list[int]:
    """The rows that the classifier has not learned from, where that is known and leaves any."""
    if seen is None or not set(seen.roles) - {NEW}:  # other photos: copies of learned ones that were saved anew look new
        say(
            tr(
                "These photos have no split, so all of them are judged: "
                "if the classifier was trained on some, the score is too good."
            )
        )
        return rows
    others = [row for row in rows if seen.roles[row] not in {LEARNED, VALIDATION}]
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
