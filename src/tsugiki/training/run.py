"""One training and everything that came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import RequestError
from tsugiki.core.methods import done_by
from tsugiki.data.samples import Samples
from tsugiki.evaluation.headline import headline
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.inspection.findings import Findings
from tsugiki.inspection.score import AnyPredictions
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True, repr=False)
class Run:
    """One training: the classifier, and what is known about it.

    Attributes:
        classifier: Trained, calibrated, on the device it was trained on.
        history: One row per epoch: ``epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds``; where photos may have
            several labels, ``train_map`` and ``val_map`` (mean average precision) instead of accuracies.
        evaluation: The numbers of the held-out photos (:func:`tsugiki.evaluation.predictions.evaluate_rows`), of several labels
            those of :func:`tsugiki.evaluation.multi_label.evaluate_sets.evaluate_sets`.
        predictions: One row per held-out photo.
        table: Photos and features that it was made from.
        out_of_fold: ``[N, K]`` logits of the training photos, each by a head that has learned its class, but not from it: NaN
            where there is no such head; ``None`` where there is none for any photo.
        findings: What was found about the photos: label issues, duplicates, shortcuts, the learning curve.
    """

    classifier: Classifier
    history: list[dict[str, float]]
    evaluation: dict[str, Any]
    predictions: AnyPredictions
    table: FeatureTable
    out_of_fold: Floats | None
    findings: Findings
    _head: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_head", _digest(self.classifier))

    def require_own_classifier(self) -> None:
        """Refuse a classifier that has learned something else since: the numbers of the run are not about it.

        Raises:
            RequestError: When its head is another one than when the run was made.
        """
        if self._head != _digest(self.classifier):
            raise RequestError(
                tr("The classifier of this run has been trained again since: the run's numbers are not about it any more."),
                allowed=tr("a run whose classifier is as it was"),
                cure=tr(
                    "save a run before its classifier is trained again, or train a copy: {example}",
                    example="tsugiki.fit(copy.deepcopy(model), data)",
                ),
            )

    @property
    def samples(self) -> Samples:
        """The photos that counted."""
        return self.table.samples

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything about the run into ``folder``, as :func:`tsugiki.save_run` does; returns the folder."""
        saved: Path = done_by("reporting.run_folder:save_run")(self, folder, overwrite=overwrite)
        return saved

    def report(self) -> Any:
        """The page about the run: a notebook shows it, ``.save("report.html")`` writes it, ``.open()`` asks the browser."""
        return done_by("reporting.shown_report:report_of")(self)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a run from its folder; nothing in it is executed.

        Its photos and their features are not in the folder: :attr:`table`, :attr:`samples`, :attr:`out_of_fold` and
        :attr:`findings` say so when they are asked for.

        Raises:
            RequestError: When there is no such folder.
            ArtefactError: When the folder holds something else, is damaged, or was made by a newer program.
        """
        run: Run = done_by("reporting.run_folder:load_run")(folder)
        return run

    def __repr__(self) -> str:
        backbone, classes = self.classifier.backbone.spec, first_few(self.classifier.classes)
        return visible(
            f"<Run: {backbone}, {len(self.classifier.classes)} classes ({classes}); {headline(self.evaluation)}>", one_line=True
        )

    def _repr_html_(self) -> str:
        """For a notebook: the score, and the classes one by one."""
        shown: str = done_by("reporting.shown_report:run_cell")(self)
        return shown


def _digest(classifier: Classifier) -> str:
    """Of the head: whatever trains a classifier changes it."""
    return hashlib.sha256(classifier.head.weight.detach().float().cpu().numpy().tobytes()).hexdigest()


class LoadedRun(Run):
    """A run that was read from its folder: what needs its photos cannot be asked.

    Args:
        classifier: As it was saved.
        history: One row per epoch.
        evaluation: The numbers of the held-out photos.
        predictions: One row per held-out photo.
        folder: Where it lies.
    """

    def __init__(
        self,
        classifier: Classifier,
        history: list[dict[str, float]],
        evaluation: dict[str, Any],
        predictions: AnyPredictions,
        folder: Path,
    ) -> None:
        parts = {"classifier": classifier, "history": history, "evaluation": evaluation, "predictions": predictions}
        for name, value in {**parts, "folder": folder}.items():
            object.__setattr__(self, name, value)

    folder: Path

    @property
    def table(self) -> FeatureTable:
        """Not in the folder.

        Raises:
            RequestError: Always.
        """
        raise self._not_here("table")

    @property
    def out_of_fold(self) -> Floats | None:
        """Not in the folder: would be ``[N, K]``.

        Raises:
            RequestError: Always.
        """
        raise self._not_here("out_of_fold")

    @property
    def findings(self) -> Findings:
        """Not in the folder, but for their counts in ``evaluation["findings"]``.

        Raises:
            RequestError: Always.
        """
        raise self._not_here("findings")

    def _not_here(self, name: str) -> RequestError:
        return RequestError(
            tr("The photos of this run are not in its folder, and {name} is about them.", name=name),
            got=str(self.folder),
            cure="tsugiki.fit(tsugiki.Classifier(...), tsugiki.load(...))",
        )
