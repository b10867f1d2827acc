"""Photos of a run have to be there, as they were, where this machine does not have their features."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import typed
from tsugiki.core.errors import DataError
from tsugiki.data.images.pixels import View
from tsugiki.data.joined_preprocess import rules_of
from tsugiki.data.photo_index import PhotoIndex
from tsugiki.data.samples import Samples
from tsugiki.features.executor import EXACT, FAST, Way
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.locale.messages import first_few, tr


def require_known(folder: Path, samples: Samples, known: Set[str], model: Classifier, features: FeatureSettings) -> None:
    """Refuse photos of the run that are not in the store, and not where they were, as they were.

    Args:
        folder: Of the run.
        samples: Its photos, and others.
        known: Digests of its photos.
        model: Whose features are wanted.
        features: How they are computed.

    Raises:
        DataError: When such photos are gone, or are others now.
    """
    rows = [row for row, digest in enumerate(samples.digests) if digest in known]
    lacking = sorted({rows[at] for at in _without_features(samples.take(rows), model, features)})
    gone = [row for row in lacking if not samples.paths[row].exists()]
    there = [row for row in lacking if samples.paths[row].exists()]
    contents = (features.store or PhotoIndex()).contents([samples.paths[row] for row in there])
    others = [row for row, content in zip(there, contents, strict=True) if content.digest != samples.digests[row]]
    if gone:
        raise DataError(
            tr(
                "Photos of {folder} are gone, and this machine does not have their features: {count}.",
                folder=folder,
                count=len(gone),
            ),
            got=_places(samples, gone),
            cure=tr(
                "put them back, or name the whole data set: {example}", example=f"tsugiki fit DATA --extend {typed(folder)}"
            ),
        )
    if others:
        raise DataError(
            tr(
                "Photos of {folder} are no longer those that it learned (edited or replaced since), and this machine does not "
                "have the features of then: {count}.",
                folder=folder,
                count=len(others),
            ),
            got=_places(samples, others),
            cure=tr("put back the files of then, or fit the whole data set anew"),
        )


def _places(samples: Samples, rows: Sequence[int]) -> str:
    """Where photos are; names lead from the new photos to those of the run, which is no way for a person."""
    return first_few([os.path.normpath(samples.paths[row]) for row in rows])


def _without_features(samples: Samples, model: Classifier, features: FeatureSettings) -> Iterator[int]:
    """Rows whose features some network would have to compute, in one way or another."""
    for network, rule in zip(model.backbone.parts, rules_of(model.preprocess), strict=True):
        extractor = Extractor(network, rule, features)
        learned = [EXACT if features.exact else FAST, *(Way(view=View(number)) for number in range(1, features.views + 1))]
        for ways, is_learned in ((learned, True), ([EXACT], False)):
            rows = [row for row, split in enumerate(samples.splits) if (split == "train") == is_learned]
            for way in ways:
                yield from (rows[at] for at in extractor.lacking(samples.take(rows), way))
