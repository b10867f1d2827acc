"""The training photos that look most like a photo: "because it looks like these"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import DataError
from tsugiki.data.load import settle
from tsugiki.data.sources.listing import list_photos
from tsugiki.evaluation.out_of_distribution import nearest
from tsugiki.features.engines.choose import Engines
from tsugiki.features.executor import FAST, Photos
from tsugiki.features.extract import extract, features_of_files, identify, weights_key
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.seen_photos import LEARNED, recall
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class NearPhoto:
    """A training photo.

    Attributes:
        path: That can be opened.
        label: Its class.
        similarity: Cosine of the features, -1 to 1.
    """

    path: Path
    label: str
    similarity: float


def nearest_photos(
    classifier: Classifier, photo: Path, data: str | Path, *, count: int = 5, store: FeatureStore | None = None
) -> list[NearPhoto]:
    """The ``count`` training photos whose features are nearest, nearest first; ``photo`` itself is not among them.

    Args:
        classifier: Whose backbone looks.
        photo: To compare with.
        data: What the classifier was trained on; features that are stored are not computed again.
        count: How many.
        store: Where features are kept.

    Raises:
        DataError: When the photos cannot be used, or the classifier was trained on others.
    """
    store = store or FeatureStore()
    photos, labels = _training_photos(classifier, data, store)
    engines = Engines(classifier.backbone, classifier.preprocess)
    found = extract(photos, engines, store, way=FAST, key=weights_key(classifier.backbone))
    own = identify([photo], store)[0].digest
    rows = [row for row, digest in enumerate(photos.digests) if row not in found.problems and digest != own]
    vectors, _ = features_of_files(classifier.backbone, classifier.preprocess, [photo])
    gallery = np.asarray(found.space.vectors()[found.rows[rows]], np.float32)
    near = nearest(vectors, gallery, k=count)
    pairs = zip(near.rows[0].tolist(), near.similarity[0].tolist(), strict=True)
    return [NearPhoto(photos.paths[rows[at]], labels[rows[at]], similarity) for at, similarity in pairs if at >= 0]


def _training_photos(classifier: Classifier, data: str | Path, store: FeatureStore) -> tuple[Photos, list[str]]:
    """The photos that the classifier learned from, and the class that each had then."""
    listing = list_photos(data)
    looks = identify(listing.paths, store)
    known = recall(classifier.notes, listing, looks)
    if known is None:  # notes that do not tell
        samples = settle(listing, looks).of("train")
        return Photos(samples.paths, samples.digests), [samples.classes[label] for label in samples.labels]
    rows = [row for row, role in enumerate(known.roles) if role == LEARNED]
    if not rows:
        raise DataError(
            tr("None of these photos trained the classifier."),
            got=str(data),
            cure=tr("name the photos that it was trained with"),
        )
    paths = listing.paths
    return Photos([paths[row] for row in rows], [looks[row].digest for row in rows]), [known.labels[row] for row in rows]
