"""The training photos that look most like a photo: "because it looks like these"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import target_matrix
from tsugiki.data.load import list_photos
from tsugiki.data.photo_index import content_of
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.evaluation.out_of_distribution import nearest
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.file_features import features_of_files
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.seen_photos import LEARNED, label_sets_then, reading_of, seen_before, with_contents
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class NearPhoto:
    """A training photo.

    Attributes:
        path: That can be opened.
        label: Its class; several as ``a|b``, empty where it shows none of the classes.
        similarity: Cosine of the features, -1 to 1.
    """

    path: Path
    label: str
    similarity: float


def nearest_photos(
    classifier: Classifier,
    photo: Path,
    data: Samples | str | Path,
    *,
    count: int = 5,
    store: FeatureStore | None = None,
    label_separator: str | None = None,
) -> list[NearPhoto]:
    """The ``count`` training photos whose features are nearest, nearest first; ``photo`` itself is not among them.

    Args:
        classifier: Whose backbone looks.
        photo: To compare with.
        data: What the classifier was trained on; features that are stored are not computed again.
        count: How many.
        store: Where features are kept.
        label_separator: What stands between several labels of one photo in ``data``; left out: what was said in training.

    Raises:
        DataError: When the photos cannot be used, or the classifier was trained on others.
    """
    store = store or FeatureStore()
    training = _training_photos(classifier, data, store, label_separator)
    settings = FeatureSettings(store=store)
    table = extract(training, classifier.backbone, preprocess=classifier.preprocess, settings=settings)
    own = content_of(photo).digest
    rows = [row for row, digest in enumerate(table.samples.digests) if digest != own]
    vectors, _ = features_of_files(classifier.backbone, classifier.preprocess, [photo])
    near = nearest(vectors, table.train.take(np.array(rows, np.int64)), k=count)
    pairs = zip(near.rows[0].tolist(), near.similarity[0].tolist(), strict=True)
    paths, labels = table.samples.paths, table.samples.label_names()
    return [NearPhoto(paths[rows[at]], labels[rows[at]], similarity) for at, similarity in pairs if at >= 0]


def _training_photos(
    classifier: Classifier, data: Samples | str | Path, store: FeatureStore, label_separator: str | None
) -> Samples:
    """The photos that the classifier learned from, with the class that each had then."""
    if isinstance(data, Samples):
        return data.of("train")
    listing, contents = with_contents(list_photos(data, reading_of(classifier, label_separator)), store)
    seen = seen_before(classifier.notes, listing, contents)
    if seen is None:  # notes that do not tell
        return Samples.from_listing(listing, contents).of("train")
    rows = [row for row, role in enumerate(seen.roles) if role == LEARNED]
    if not rows:
        raise DataError(
            tr("None of these photos trained the classifier."),
            got=str(data),
            cure=tr("name the photos that it was trained with"),
        )
    targets = None
    if classifier.task == "multi":
        targets = target_matrix(label_sets_then(listing, seen.labels, rows), classifier.classes)
    place = {name: label for label, name in enumerate(classifier.classes)}
    return Samples(
        root=listing.root,
        names=tuple(listing.names[row] for row in rows),
        labels=np.array([place.get(seen.labels[row], UNKNOWN_CLASS) for row in rows], np.int64),
        splits=("train",) * len(rows),
        classes=classifier.classes,
        digests=tuple(contents[row].digest for row in rows),
        targets=targets,
    )
