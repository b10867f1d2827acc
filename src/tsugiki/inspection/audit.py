"""Look at photos before anything is trained for good: what is unreadable, doubled, leaked, mislabelled, odd.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load import load_backbone
from tsugiki.core.console import say
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.load import settle
from tsugiki.data.samples import Listing, Look, Samples
from tsugiki.data.sources.listing import list_photos
from tsugiki.features.engines.choose import Engines
from tsugiki.features.executor import FAST, Photos
from tsugiki.features.extract import Extraction, extract, identify, weights_key
from tsugiki.features.store import FeatureStore
from tsugiki.features.table import Evidence, Looking
from tsugiki.features.vectors import FeatureRows, Floats, Ints
from tsugiki.heads.linear import HeadSettings, Labelled, fit_head, impossible_sentence, judged_rows
from tsugiki.inspection.findings import Findings, find, out_of_fold_probabilities

DEFAULT_BACKBONE = "bundled:nae"
"""Always at hand, and small: an audit is a look at the photos, not the choice of a network."""


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        samples: The photos that count, and those that do not (``samples.left_out``).
        evidence: Their features and facts.
        findings: Suspects, copies, leaks, shortcuts, odd ones; of all photos, held-out ones too.
        accuracy: Cross-validated accuracy of a head on all photos: says how much the suspects can be relied on. ``None`` where
            cross-validation is impossible, as too many photos belong together.
        backbone: What the photos were looked at with.
    """

    samples: Samples
    evidence: Evidence
    findings: Findings
    accuracy: float | None
    backbone: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; photos are named by path."""
        names, classes, found = self.samples.names, self.samples.classes, self.findings
        return {
            "photos": len(self.samples),
            "classes": list(classes),
            "counts": self.samples.counts(),
            "left_out": [{"path": one.name, "reason": one.reason} for one in self.samples.left_out],
            "decisions": list(self.samples.decisions),
            "backbone": self.backbone,
            "cross_validated_accuracy": self.accuracy,
            "labels_examined": found.examined,
            "suspects": [
                {
                    "path": names[one.row],
                    "label": classes[one.label],
                    "suggested": classes[one.suggested],
                    "score": one.score,
                    "confident": one.confident,
                }
                for one in found.suspects
            ],
            "copies": None
            if found.copies is None
            else [_pair(names, pair.first, pair.second, pair.kind) for pair in found.copies],
            "contradictions": [_pair(names, pair.first, pair.second, pair.kind) for pair in found.contradictions],
            "leaks": [{"path": names[row], "twin": names[twin]} for row, twin in found.leaks.items()],
            "odd": [{"path": names[one.row], "distance": one.distance} for one in found.odd],
            **{name: found.summary()[name] for name in ("shortcuts", "learning_curve")},
        }


def _pair(names: tuple[str, ...], first: int, second: int, kind: str) -> dict[str, str]:
    return {"first": names[first], "second": names[second], "kind": kind}


def audit(
    data: str | Path, *, backbone: str | Backbone = DEFAULT_BACKBONE, seed: int = DEFAULT_SEED, looking: Looking | None = None
) -> Audit:
    """Examine a data set; nothing in it is changed, nothing is kept but features.

    Args:
        data: What :func:`tsugiki.load` takes.
        backbone: To look at the photos with.
        seed: Of the held-out photos (where nobody chose them) and of the folds.
        looking: Engine and store.

    Raises:
        DataError: When the photos cannot be used at all.
    """
    looking = looking or Looking()
    if not isinstance(backbone, Backbone):
        backbone = load_backbone(backbone)
    evidence = _look(list_photos(data), backbone, looking, seed)
    samples = evidence.samples
    features = FeatureRows(evidence.every_feature, np.arange(len(samples)))
    everything = range(len(samples))
    labelled, groups = Labelled(features, samples.labels), evidence.together(everything)
    head = fit_head(labelled, len(samples.classes), groups=groups, settings=HeadSettings(seed=seed))
    if head.out_of_fold is None:
        say(impossible_sentence())
    findings = find(evidence, everything, out_of_fold_probabilities(head.out_of_fold, samples.labels))
    accuracy = None if head.out_of_fold is None else _accuracy(head.out_of_fold, samples.labels)
    return Audit(samples, evidence, findings, accuracy, str(backbone.spec))


def _accuracy(out_of_fold: Floats, labels: Ints) -> float:
    judged = judged_rows(out_of_fold)
    return float((out_of_fold[judged].argmax(axis=1) == labels[judged]).mean())


def _look(listing: Listing, backbone: Backbone, looking: Looking, seed: int) -> Evidence:
    """Features of every photo that can be read, held-out ones too; each is decoded once."""
    store = looking.store or FeatureStore()
    looks = identify(listing.paths, store)
    opened = [row for row, look in enumerate(looks) if look.digest]
    photos = Photos([listing.paths[row] for row in opened], [looks[row].digest for row in opened])
    engines = Engines(backbone, backbone.preprocess, name=looking.engine)
    found = extract(photos, engines, store, way=FAST, key=weights_key(backbone))
    for at, reason in found.problems.items():
        looks[opened[at]] = Look(reason=reason)
    samples = settle(listing, looks, seed=seed)
    place = {listing.names[row]: at for at, row in enumerate(opened)}
    return _evidence(samples, found, [place[name] for name in samples.names], store)


def _evidence(samples: Samples, found: Extraction, places: list[int], store: FeatureStore) -> Evidence:
    vectors, rows = found.space.vectors(), found.rows[places]
    parts = {split: samples.rows_of(split) for split in ("train", "val", "test")}
    validation = parts["val"] if samples.held_out == "test" else []
    held_out = parts[samples.held_out]
    return Evidence(
        samples,
        training=parts["train"],
        held_out=held_out,
        validation=validation,
        features=FeatureRows(vectors, rows[parts["train"]]),
        held_out_features=np.asarray(vectors[rows[held_out]], np.float32),
        validation_features=np.asarray(vectors[rows[validation]], np.float32),
        facts=store.facts(samples.digests),
        computed=found.computed,
    )
