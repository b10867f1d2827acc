"""Look at photos before anything is trained for good: what is unreadable, doubled, leaked, mislabelled, odd.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import say, working
from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.methods import done_by
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.label_sets import PRESENT
from tsugiki.data.load import load
from tsugiki.data.samples import Samples, require_labels
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureRows, Floats, Ints
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import HeadSettings, Labelled, fit_linear_head, impossible_sentence, judged_rows
from tsugiki.inspection.backbone_photos import audit_sentence, learned_by, rows_learned
from tsugiki.inspection.findings import Findings, find, out_of_fold_probabilities
from tsugiki.locale.messages import tr


@dataclass(frozen=True, repr=False)
class Audit:
    """What was found.

    Attributes:
        samples: The photos that count, and those that do not (``samples.left_out``).
        table: Their features and facts.
        findings: Suspects, copies, leaks, shortcuts, odd ones; of all photos, held-out ones too.
        accuracy: Cross-validated accuracy of a head on all photos: says how much the suspects can be relied on. ``None`` where
            cross-validation is impossible, as too many photos belong together; multi-label, too:
            ``findings.head_accuracy`` is the mean average precision then.
        backbone: What the photos were looked at with.
        learned: How many of the photos it had learned the labels of.
    """

    samples: Samples
    table: FeatureTable
    findings: Findings
    accuracy: float | None
    backbone: str
    learned: int = 0

    def __repr__(self) -> str:
        return f"<Audit: {self.samples!r}, looked at with {self.backbone}; {self.findings!r}>"

    def _repr_html_(self) -> str:
        """For a notebook: a line per question, as ``tsugiki audit`` prints them."""
        rows = done_by("reporting.audit_page:audit_table")(self)
        return cell_html(repr(self.samples)[1:-1], [("", ""), *rows])

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the page with the photos in question, ``audit.json`` and ``suspects.csv`` into ``folder``; returns it.

        Args:
            folder: A new folder or an empty one.
            overwrite: Whether an older audit may be there and is replaced; nothing else ever is.
        """
        saved: Path = done_by("reporting.audit_page:save_audit")(self, folder, overwrite=overwrite)
        return saved

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; photos are named by path."""
        names, classes, found = self.samples.names, self.samples.classes, self.findings
        return {
            "photos": len(self.samples),
            "classes": list(classes),
            "counts": self.samples.counts(),
            "left_out": [{"path": one.name, "reason": one.reason} for one in self.samples.left_out],
            "decisions": [*self.samples.decisions, *self.samples.warnings],
            "backbone": self.backbone,
            **({"learned_by_backbone": self.learned} if self.learned else {}),
            "cross_validated_accuracy": self.accuracy,
            **({} if found.cells is None else {"cross_validated_mean_average_precision": found.head_accuracy}),
            "labels_examined": found.summary()["labels_examined"],
            "suspects": self._suspects(),
            "copies": None
            if found.copies is None
            else [_pair(names, pair.first, pair.second, pair.kind) for pair in found.copies],
            "contradictions": [_pair(names, pair.first, pair.second, pair.kind) for pair in found.contradictions],
            "leaks": [{"path": names[row], "twin": names[twin]} for row, twin in found.leaks.items()],
            "odd": [{"path": names[one.row], "distance": one.distance} for one in found.odd],
            **{name: found.summary()[name] for name in ("shortcuts", "learning_curve")},
        }

    def _suspects(self) -> list[dict[str, Any]]:
        names, classes, found = self.samples.names, self.samples.classes, self.findings
        if found.cells is None:
            return [
                {
                    "path": names[one.row],
                    "label": classes[one.label],
                    "suggested": classes[one.suggested],
                    "score": one.score,
                    "confident": one.confident,
                }
                for one in found.suspects
            ]
        return [
            {
                "path": names[one.row],
                "class": classes[one.cls],
                "given": "present" if one.given == PRESENT else "absent",
                "score": one.score,
                "confident": one.confident,
            }
            for one in found.cells.suspects
        ]


def best_name(zoo: str | Path | None = None) -> str:
    """The name of the best network whose weights are on this machine, which only the networks' libraries know."""
    from tsugiki.backbones.catalog import best_at_hand

    return best_at_hand(zoo)


def _pair(names: tuple[str, ...], first: int, second: int, kind: str) -> dict[str, str]:
    return {"first": names[first], "second": names[second], "kind": kind}


def audit(
    data: Samples | str | Path,
    *,
    backbone: str | Backbone | None = None,
    seed: int = DEFAULT_SEED,
    features: FeatureSettings | None = None,
) -> Audit:
    """Examine a data set; nothing in it is changed, nothing is kept but features.

    Args:
        data: Samples, or what :func:`tsugiki.load` takes.
        backbone: To look at the photos with; ``None``: the best one whose weights are on this machine, as its doubts are worth
            as much as it knows.
        seed: Of the held-out photos (where nobody chose them) and of the folds.
        features: Engine and store.

    Raises:
        RequestError: When the photos have no labels.
        DataError: When the photos cannot be used at all.
    """
    features = features or FeatureSettings()
    samples = data if isinstance(data, Samples) else load(data, seed=seed, index=features.store)
    require_labels(samples)
    if not isinstance(backbone, Backbone):
        backbone = load_backbone(backbone or best_name())
    table = extract(samples, backbone, settings=features)
    samples, everything = table.samples, range(len(table.samples))
    learned = len(rows_learned(learned_by(backbone), samples.digests))
    if learned:
        say(audit_sentence(str(backbone.spec), learned, len(samples)))
    labelled = Labelled.of(FeatureRows(table.every, np.arange(len(samples))), samples, list(everything))
    groups = table.groups_of(everything)
    head = fit_linear_head(labelled, len(samples.classes), groups=groups, settings=HeadSettings(seed=seed))
    if head.out_of_fold is None:
        say(impossible_sentence())
    with working(tr("Looking at what the photos tell")):
        findings = find(table, everything, out_of_fold_probabilities(head.out_of_fold, samples, everything))
    accuracy = None if head.out_of_fold is None or samples.task == "multi" else _accuracy(head.out_of_fold, samples.labels)
    return Audit(samples, table, findings, accuracy, str(backbone.spec), learned)


def _accuracy(out_of_fold: Floats, labels: Ints) -> float:
    judged = judged_rows(out_of_fold)
    return float((out_of_fold[judged].argmax(axis=1) == labels[judged]).mean())
