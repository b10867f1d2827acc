"""Which photos to label next: those that the classifier is least sure of, each unlike what it knows and unlike the others.

1. Of photos that were neither learned from nor held out, the most *uncertain* are candidates: four times as many as are asked
   for.
2. One after the other is chosen: the one whose uncertainty x *distance* x *density* is largest. The distance is that to the
   nearest training photo and to those chosen already (cosine, of features), so that no two tell the same; the density is how
   much a photo looks like its ten nearest neighbours among the unlabelled ones: a photo that is like no other comes late.
3. A photo is no choice that is nearly one of those: a fifth of the usual distance of these photos, or less.

Uncertainty is one minus the margin between the two most probable classes (Scheffer et al., 2001); with several labels per
photo, one minus the distance of the nearest probability to its threshold. That batches need diversity is the finding of Sener
and Savarese (2018) and of Ash et al. (2020). ``benchmarks/next_photos.py`` measures what it is worth against random choice.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.classifier.answer import AnswerHead, Prediction
from tsugiki.classifier.predict import Predictor
from tsugiki.core.console import say
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.files import write_atomically
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import Samples
from tsugiki.data.sources.folders import photos_in
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.lists import list_paths
from tsugiki.data.sources.manifest import MANIFEST_SUFFIXES, list_manifest
from tsugiki.evaluation.metrics import Floats, Ints, blocks, unit_rows
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.seen_photos import NEW, seen_before
from tsugiki.locale.messages import tr

COLUMNS = ("path", "label", "suggested", "probability", "known", "distance", "score")

_CANDIDATES = 4  # times as many photos as are asked for
_NEIGHBOURS = 10
_NEAR = 0.2  # of the usual distance
_RANDOM_PAIRS = 2_000
_MOST_COMPARED = 20_000  # photos that neighbours are looked for among


@dataclass(frozen=True)
class NextPhoto:
    """A photo to label.

    Attributes:
        path: That can be opened.
        answer: What the classifier says about it now.
        uncertainty: 0, where it is sure, to 1.
        score: What it was chosen by.
    """

    path: Path
    answer: Prediction
    uncertainty: float
    score: float


def next_photos(
    model: Predictor, data: Samples | Sequence[str | Path] | str | Path, *, count: int = 20, store: FeatureStore | None = None
) -> list[NextPhoto]:
    """The unlabelled photos that a classifier would learn most from, the first one first.

    Args:
        model: A trained classifier, or its engine.
        data: A folder of photos, a table that names them, their paths, or samples. Labels are not looked at. Photos that the
            classifier has learned from, or was judged on, are passed over; they are known by their content.
        count: How many, at most; fewer where all others are nearly the same photos.
        store: Where features are kept; what is there is not computed again.

    Raises:
        RequestError: When ``count`` is no number of photos, or there is no such folder.
        DataError: When no photo can be read, or none is new.
    """
    if count < 1:
        raise RequestError(tr("There must be a photo to choose."), allowed="count >= 1", got=f"count={count}")
    store = store or FeatureStore()
    samples = _unseen(model, _samples(data, store))
    table = extract(samples, model.network, preprocess=model.preprocess, settings=FeatureSettings(store=store))
    samples, features, head = table.samples, table.held_out, model.answer_head
    uncertain = uncertainty(head, head.probabilities(features))
    known = None if head.unknown is None else head.unknown.reference.astype(np.float32)
    rows, scores = choose_next(features, uncertain, known, count)
    paths = samples.paths
    answers = head.answer(features[rows], [str(paths[row]) for row in rows])
    return [
        NextPhoto(paths[row], answer, float(uncertain[row]), score)
        for row, answer, score in zip(rows, answers, scores, strict=True)
    ]


def _samples(data: Any, store: FeatureStore) -> Samples:
    if isinstance(data, Samples):
        return data
    listing = _listing(data)
    return Samples.unlabelled(listing, store.contents(listing.paths))


def _listing(data: Any) -> Listing:
    if not isinstance(data, str | os.PathLike):
        return list_paths(data)
    path = Path(data)
    if path.is_dir():
        return list_paths(photos_in(path)[0])
    if path.is_file() and path.suffix.lower() in MANIFEST_SUFFIXES:
        return list_manifest(path, labelled=False)
    raise RequestError(tr("There are no photos at {path}.", path=path), allowed=tr("a folder of photos, or a table of them"))


def _unseen(model: Predictor, samples: Samples) -> Samples:
    """Photos that were in no training, each content once, as photos without labels."""
    nobody = ("",) * len(samples)
    listing = Listing(samples.root, samples.names, nobody, nobody)
    contents = [Content(digest) for digest in samples.digests]
    seen = seen_before(model.notes, listing, contents)
    first = {digest: row for row, digest in reversed([*enumerate(samples.digests)])}
    new = [row for row in sorted(first.values()) if seen is None or seen.roles[row] == NEW]
    if passed := len(first) - len(new):
        say(tr("Passed over, as the classifier has learned from them or was judged on them: {count} photos.", count=passed))
    if not new:
        raise DataError(tr("Every one of these photos was in the training: there is none to label."))
    return Samples.unlabelled(
        Listing(samples.root, tuple(samples.names[row] for row in new), ("",) * len(new), ("",) * len(new)),
        [contents[row] for row in new],
    )


def uncertainty(head: AnswerHead, probabilities: Floats) -> Floats:
    """``[N]`` of probabilities ``[N, K]``: 0 where the classifier is sure, to 1."""
    if head.multi_label is not None:
        return np.asarray(1 - np.abs(probabilities - head.multi_label.thresholds).min(axis=1), np.float32)
    best = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(1 - (best[:, 1] - best[:, 0]), np.float32)


def choose_next(features: Floats, uncertain: Floats, known: Floats | None, count: int) -> tuple[list[int], list[float]]:
    """Which of ``N`` photos to label, the first one first, and what each was chosen by.

    Args:
        features: ``[N, D]``.
        uncertain: ``[N]``, 0..1.
        known: ``[M, D]`` of photos that are labelled, or ``None`` where nobody has them.
        count: At most how many; fewer where all others are near copies of chosen or of known ones.
    """
    unit, order = unit_rows(features), np.argsort(-uncertain, kind="stable")
    away = np.ones(len(unit), np.float32) if known is None else 1 - _nearest(unit, unit_rows(known))
    limit, density = _NEAR * _usual_distance(unit), np.full(len(unit), np.nan, np.float32)
    chosen: list[int] = []
    scores: list[float] = []
    while len(chosen) < count:
        window = order[away[order] > limit][: _CANDIDATES * count - len(chosen)]
        if not len(window):
            break
        new = window[np.isnan(density[window])]
        density[new] = _density(unit[new], unit)
        score = uncertain[window] * away[window] * density[window]
        best = int(window[score.argmax()])
        chosen.append(best)
        scores.append(float(score.max()))
        away = np.minimum(away, 1 - unit @ unit[best])
        away[best] = -1.0  # whatever rounding says
    return chosen, scores


def _nearest(rows: Floats, gallery: Floats) -> Floats:
    """``[B]`` cosine of ``rows`` ``[B, D]`` to the nearest of ``gallery``, both of length 1."""
    found = np.full(len(rows), -1.0, np.float32)
    for part in blocks(len(rows), len(gallery)):
        found[part] = (rows[part] @ gallery.T).max(axis=1, initial=-1.0)
    return found


def _density(rows: Floats, every: Floats) -> Floats:
    """``[B]`` mean cosine of ``rows`` ``[B, D]``, which are some of ``every``, to their nearest neighbours there."""
    step = -(-len(every) // _MOST_COMPARED)
    gallery = every[::step]
    most = min(_NEIGHBOURS + (step == 1), len(gallery))  # a photo is its own neighbour
    found = np.zeros(len(rows), np.float32)
    for part in blocks(len(rows), len(gallery)):
        alike = np.sort(rows[part] @ gallery.T, axis=1)[:, -most:]
        found[part] = alike[:, : most - 1 if step == 1 and most > 1 else most].mean(axis=1)
    return np.maximum(found, 0)


def _usual_distance(unit: Floats) -> float:
    """The median cosine distance of pairs of photos."""
    if len(unit) < 2:
        return 0.0
    pairs: Ints = np.random.default_rng(0).integers(0, len(unit), (2, _RANDOM_PAIRS))
    pairs = pairs[:, pairs[0] != pairs[1]]
    return float(np.median(1 - (unit[pairs[0]] * unit[pairs[1]]).sum(axis=1)))


def write_next(path: Path, chosen: Sequence[NextPhoto]) -> None:
    """Write the table to label in: ``label`` is empty, ``suggested`` is what the classifier says; paths are as seen from it."""
    folder = path.absolute().parent
    rows = []
    for one in chosen:
        answer = one.answer
        distance = "" if answer.distance is None else f"{answer.distance:.4f}"
        place = Path(os.path.relpath(one.path.absolute(), folder)).as_posix()
        rows.append([place, "", answer.suggested, f"{answer.probability:.4f}", answer.known, distance, f"{one.score:.4f}"])
    # The mark at the start tells spreadsheets that the letters are UTF-8.
    write_atomically(path, table_text([COLUMNS, *rows]).encode("utf-8-sig"))
