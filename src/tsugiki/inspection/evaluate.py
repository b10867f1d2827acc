"""Judge a trained classifier on labelled photos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.predict import Predictor
from tsugiki.classifier.require_task import require_task
from tsugiki.core.console import say, working
from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.label_sets import LabelSet, combinations, set_text, sets_of, target_matrix
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import UNKNOWN_CLASS, Samples, require_labels
from tsugiki.data.sources.listing import LeftOut, Listing
from tsugiki.evaluation.duplicates import copies_of
from tsugiki.evaluation.headline import headline, never_answered_sentence
from tsugiki.evaluation.levels.level_sentences import taxonomy_sentence
from tsugiki.evaluation.predictions import SEEN, UNCHECKED, VALIDATED
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore, Floats
from tsugiki.features.table import FeatureTable
from tsugiki.inspection.backbone_photos import learned_before, rows_learned
from tsugiki.inspection.score import Answers, AnyPredictions, Circumstances, score
from tsugiki.inspection.seen_photos import EXCLUDED, LEARNED, NEW, VALIDATION, SeenPhotos, photos_now, seen_before
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What a classifier said about labelled photos.

    Attributes:
        document: The numbers (:func:`tsugiki.evaluation.predictions.evaluate_rows`).
        predictions: One row per photo.
        left_out: Files that should have been judged and cannot be, with their reasons.
    """

    document: dict[str, Any]
    predictions: AnyPredictions
    left_out: tuple[LeftOut, ...]

    def __repr__(self) -> str:
        return visible(f"<Evaluation: {headline(self.document)}>", one_line=True)

    def _repr_html_(self) -> str:
        """For a notebook: the score, and the first answers."""
        return cell_html(headline(self.document)) + self.predictions._repr_html_()


def evaluate(
    model: Predictor,
    data: Samples | str | Path,
    *,
    store: FeatureStore | None = None,
    label_separator: str | None = None,
) -> Evaluation:
    """Judge a classifier on the held-out photos of a data set.

    Where the data set has no splits of its own, every photo counts that the classifier has not learned from; photos are known
    by their content, wherever they lie. What a person's list decided in training holds here too. Photos that the classifier
    was trained with are never part of a score, in whatever folder they lie, unless there are no others: the split is called
    ``seen`` then, and the score is none; or ``validation``, where all of them were validation photos.

    Args:
        model: A trained classifier, or its engine.
        data: Samples, or what :func:`tsugiki.load` takes.
        store: Where features are kept.
        label_separator: What stands between several labels of one photo, as for :func:`tsugiki.load`; what was said in training
            where it is left out.

    Raises:
        RequestError: When the samples have no labels, or others than the model gives, or the model is something else.
        DataError: When no photo of a known class can be read.
    """
    _require_predictor(model)
    store = store or FeatureStore()
    listing, contents = _candidates(model, data, store, label_separator)
    seen = seen_before(model.notes, listing, contents)
    choice = _to_judge(model, listing, contents, seen)
    for entry in choice.left_out:
        say(tr("Left out: {name}: {reason}", name=visible(entry.name, one_line=True), reason=entry.reason))
    samples = _samples(model, listing, contents, seen, choice)
    table = extract(samples, model.network, preprocess=model.preprocess, settings=FeatureSettings(store=store))
    samples, head = table.samples, model.answer_head
    answers = Answers.of(head, table.held_out)
    leaked = None if seen is None or choice.split == SEEN else _leaked(model, listing, seen, table)
    with working(tr("Looking at what the photos tell")):
        different = table.different(np.flatnonzero(samples.labels != UNKNOWN_CLASS).tolist())
        groups = None if head.multi_label is None else table.groups_of(range(len(samples)))
    learned = frozenset() if choice.split == SEEN else _learned(model, samples)
    about = Circumstances(choice.split, model.estimated_temperature, leaked, different, groups, learned)
    predictions, document = score(head, samples, answers, about, splits=(choice.split,) * len(samples))
    for sentence in (headline(document), never_answered_sentence(document), taxonomy_sentence(document)):
        if sentence:
            say(sentence)
    return Evaluation(document, predictions, samples.left_out)


def _require_predictor(model: object) -> None:
    if hasattr(model, "answer_head"):
        return
    cure = "tsugiki.evaluate(tsugiki.load_predictor(run), data)"
    raise RequestError(
        tr("{name} is something else than was expected.", name="model"),
        allowed=tr("a trained classifier, or its engine"),
        got=type(model).__name__,
        cure="tsugiki.evaluate(run.classifier, data)" if hasattr(model, "classifier") else cure,
    )


@dataclass(frozen=True)
class _Choice:
    """Which photos are judged.

    Attributes:
        rows: Rows of the listing.
        split: What they are: ``test`` or ``val`` where they are held out, :data:`SEEN`, :data:`VALIDATED` or
            :data:`UNCHECKED`.
        left_out: Files that should be judged and cannot be.
    """

    rows: list[int]
    split: str
    left_out: tuple[LeftOut, ...]


def _candidates(
    model: Predictor, data: Samples | str | Path, store: FeatureStore, label_separator: str | None
) -> tuple[Listing, list[Content]]:
    if not isinstance(data, Samples):
        listing, contents = photos_now(model, data, store, label_separator)
        require_task(model.answer_head, listing)
        return listing, contents
    require_labels(data)
    require_task(model.answer_head, data)
    # Splits that were drawn are not the data set's own: what counts then is what the classifier has learned from. Where its
    # notes do not tell, the draw is all there is.
    splits = ("",) * len(data) if data.draw and "seen" in model.notes else data.splits
    sets = None if data.targets is None else tuple(sets_of(data.targets, data.classes))
    labels = tuple(data.label_names()) if sets is None else tuple(set_text(one.present) for one in sets)
    listing = Listing(data.root, data.names, labels, splits, data.groups, data.left_out, label_sets=sets)
    return listing, [Content(digest) for digest in data.digests]


def _to_judge(model: Predictor, listing: Listing, contents: list[Content], seen: SeenPhotos | None) -> _Choice:
    opened = {name for name, content in zip(listing.splits, contents, strict=True) if content.digest}
    split = next((name for name in ("test", "val") if name in opened), "")
    asked = [row for row, name in enumerate(listing.splits) if not split or name == split]
    rows = [row for row in asked if contents[row].digest]
    unopened = (LeftOut(listing.names[row], contents[row].reason) for row in asked if not contents[row].digest)
    left_out = (*listing.left_out, *unopened)
    if not rows:
        raise DataError(tr("No held-out photo can be read."), got="; ".join(entry.reason for entry in left_out[:3]))
    if seen is None:
        if not split:
            say(
                tr(
                    "These photos have no split, so all of them are judged: "
                    "if the classifier was trained on some, the score is too good."
                )
            )
        return _Choice(rows, split or UNCHECKED, left_out)
    rows = _as_corrected(rows, seen, listing)
    others = _not_learned(rows, seen, listing)
    if not others:
        validated = all(seen.roles[row] == VALIDATION for row in rows)
        return _Choice(rows, VALIDATED if validated else SEEN, left_out)
    if not split and _looks_new(model, others, seen):
        say(
            tr(
                "None of these photos is known from training, file by file; copies of training photos that were saved anew "
                "would not be noticed."
            )
        )
    return _Choice(others, split or "test", left_out)


def _samples(model: Predictor, listing: Listing, contents: list[Content], seen: SeenPhotos | None, choice: _Choice) -> Samples:
    """The photos to judge, all of one split, their labels those of the model's classes."""
    rows = choice.rows
    names = listing.labels if seen is None else seen.labels
    targets = None
    if listing.label_sets is None:
        labels = _labels(model, [names[row] for row in rows])
    else:
        targets = _targets(model, [listing.label_sets[row] for row in rows] if seen is None else seen.label_sets(listing, rows))
        labels = combinations(targets)
    return Samples(
        root=listing.root,
        names=tuple(listing.names[row] for row in rows),
        labels=labels,
        targets=targets,
        splits=("test",) * len(rows),  # computed exactly, whatever they are called
        classes=model.classes,
        digests=tuple(contents[row].digest for row in rows),
        left_out=choice.left_out,
    )


def _as_corrected(rows: list[int], seen: SeenPhotos, listing: Listing) -> list[int]:
    """The rows that no list has left out.

    Raises:
        DataError: When there is none.
    """
    kept = [row for row in rows if seen.roles[row] != EXCLUDED]
    if len(kept) < len(rows):
        say(tr("Left out in training, so not judged either: {count}.", count=len(rows) - len(kept)))
    if not kept:
        raise DataError(
            tr("Every one of these photos was left out in training, so none of them is judged."),
            got=first_few([listing.names[row] for row in rows]),
            cure=tr("name other photos"),
        )
    moved = sum(seen.labels[row] != listing.labels[row] for row in kept)
    if moved and listing.label_sets is None:
        say(tr("Another class because a list said so in training: {count}.", count=moved))
    elif moved:
        say(tr("Other labels because a list said so in training: {count}.", count=moved))
    return kept


def _not_learned(rows: list[int], seen: SeenPhotos, listing: Listing) -> list[int]:
    """The rows that the classifier was not trained with; the others are counted and named."""
    known = [row for row in rows if seen.roles[row] in {LEARNED, VALIDATION}]
    validated = sum(seen.roles[row] == VALIDATION for row in known)
    told = {
        "names": first_few([listing.names[row] for row in known], 3),
        "count": len(known),
        "judged": len(rows) - len(known),
    }
    if known and len(known) == len(rows) == validated:
        say(
            tr("All of these photos were validation photos of the training ({names}): no weight was learned from them.", **told)
        )
    elif known and len(known) == len(rows):
        say(tr("The classifier was trained with all of these photos ({names}), so the score is too good.", **told))
    elif validated:
        say(
            tr(
                "The classifier was trained or validated with {count} of these photos ({names}): only the other {judged} are "
                "judged.",
                **told,
            )
        )
    elif known:
        say(
            tr("The classifier was trained with {count} of these photos ({names}): only the other {judged} are judged.", **told)
        )
    return [row for row in rows if seen.roles[row] not in {LEARNED, VALIDATION}]


def _looks_new(model: Predictor, rows: list[int], seen: SeenPhotos) -> bool:
    """Whether none of the photos is known by content, and nobody can tell by their features whether they are copies."""
    return _reference(model) is None and all(seen.roles[row] == NEW for row in rows)


def _reference(model: Predictor) -> Floats | None:
    """``[M, D]`` features of training photos by which copies are known; ``None`` where nobody has them.

    Fine-tuning draws the photos of a class together: near is no copy any more.
    """
    if model.answer_head.unknown is None or model.notes.get("method") == "fine-tune":
        return None
    return model.answer_head.unknown.reference.astype(np.float32)


def _leaked(model: Predictor, listing: Listing, seen: SeenPhotos, table: FeatureTable) -> dict[str, str]:
    """Photos that have a twin among those that the classifier was trained with: as training noted it, or by their features."""
    noted = {name for name, leaked in zip(listing.names, seen.leaked, strict=True) if leaked}
    new = {name for name, role in zip(listing.names, seen.roles, strict=True) if role == NEW}
    reference, names = _reference(model), table.samples.names
    copied = [] if reference is None else copies_of(table.held_out, reference).tolist()
    looks_copied = {names[row] for row in copied} & new
    return {name: "" for name in names if name in noted or name in looks_copied}


def _learned(model: Predictor, samples: Samples) -> frozenset[str]:
    """Photos that the classifier's backbone had learned from before the classifier was trained; they are counted and named."""
    names = [samples.names[row] for row in rows_learned(learned_before(model.notes), samples.digests)]
    if names:
        say(
            tr(
                "The backbone of this classifier was fine-tuned on {count} of these photos ({names}): the score is told "
                "without them.",
                count=len(names),
                names=first_few(names, 3),
            )
        )
    return frozenset(names)


def _targets(model: Predictor, sets: list[LabelSet]) -> np.ndarray[Any, np.dtype[np.int8]]:
    strange = Counter(name for one in sets for name in one.present if name not in model.classes)
    if strange:
        text = ", ".join(f"{name} ({count})" for name, count in strange.most_common(5))
        say(tr("The classifier does not know these classes, so their labels are not scored: {names}", names=text))
    return target_matrix(sets, model.classes)


def _labels(model: Predictor, names: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    strange = Counter(name for name in names if name not in model.classes)
    if strange:
        text = ", ".join(f"{name} ({count})" for name, count in strange.most_common(5))
        say(tr("The classifier does not know these classes; their photos are not scored: {names}", names=text))
    place = {name: label for label, name in enumerate(model.classes)}
    return np.array([place.get(name, UNKNOWN_CLASS) for name in names], np.int64)
