"""What leaves the studio: a run folder with its report, an export with its proof, and the words that repeat it elsewhere.

The run is what ``tsugiki fit`` makes of the table of decisions: the same photos, in the same order, with the same settings.
Where a person wants to know whether fine-tuning is better, both ways are gone, and what validation prefers is what leaves.
Held-out photos are looked at here, once: those that the folder holds out; else a fifth of each class where there are enough of
them; else none, and the score is out-of-fold.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.core.console import typed, working
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.locale.messages import said_again, tr
from tsugiki.serving.limits import Refusal
from tsugiki.serving.studio.background_work import BackgroundWork
from tsugiki.serving.studio.learner import Learner
from tsugiki.serving.studio.learning import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tsugiki.backbones.backbone import Backbone
    from tsugiki.data.samples import Samples
    from tsugiki.serving.studio.label_store import LabelStore
    from tsugiki.training.run import Run

ENOUGH = 20
"""Photos of each class, from where a fifth of them is held out: fewer tell less than all of them out-of-fold."""

_NAME = re.compile(r"[^\W_][\w .()+-]{0,79}")
_PROVEN_ON = 12  # photos of the studio, besides those that every proof has


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        run: The folder.
        sentence: What the classifier is worth.
        fine_tuning: Whether fine-tuning was better, and what was kept; empty where nobody asked.
        export: The folder of the export; empty where there is none.
        says: How the export was proven, or why there is none.
        command: What repeats the run.
    """

    run: Path
    sentence: str
    fine_tuning: tuple[str, ...]
    export: str
    says: str
    command: str

    def told(self) -> dict[str, Any]:
        """Plain values, in the language in use."""
        return {
            "run": str(self.run),
            "sentence": said_again(self.sentence),
            "fine_tuning": [said_again(line) for line in self.fine_tuning],
            "export": self.export,
            "says": said_again(self.says),
            "command": self.command,
            "python": python_lines(self.run),
        }


class RunWriter:
    """Writes a run in a thread of its own, one at a time.

    Args:
        labels: The decisions.
        learner: Of whose backbone a copy is used.
        splits: Of the photos.
        ring: Called when there is something new to tell.
    """

    def __init__(self, labels: LabelStore, learner: Learner, splits: Sequence[str], ring: Callable[[], None]) -> None:
        self._labels, self._learner, self._splits = labels, learner, splits
        self._work = BackgroundWork(ring)
        self._is_fine_tuning = False
        self.written: Written | None = None

    def told(self) -> dict[str, Any]:
        """What the page shows, plain values, in the language in use."""
        return {
            **self._work.told(),
            "command": self.command("NAME"),
            "command_fine_tuning": self.command("NAME", fine_tune=True),
            "written": None if self.written is None else self.written.told(),
        }

    def command(self, name: str, *, fine_tune: bool = False) -> str:
        """What does the same without the studio."""
        words = [
            *self._learner.words,
            *(["--method", "auto"] if fine_tune else []),
            *(["--multi-label"] if self._labels.several else []),
            *([] if self._held_out() is None else ["--held-out", "0"]),
        ]
        table, target = typed(_from_here(self._labels.table)), typed(_from_here(self.folder / name))
        return " ".join(["tsugiki", "fit", table, *map(typed, words), "--out", target])

    @property
    def folder(self) -> Path:
        """Where runs are written: ``runs`` beside the decisions."""
        return self._labels.table.absolute().parent / "runs"

    def start(self, name: str, *, fine_tune: bool = False) -> None:
        """Begin.

        Args:
            name: Of the folder. A fine-tuning that was stopped goes on where it was, under the same name.
            fine_tune: Whether to fine-tune, too, and keep what validation prefers.

        Raises:
            RequestError: When that is no name for a folder, or something lacks.
            Refusal: When another run is being written.
        """
        if not _NAME.fullmatch(name) or name.rstrip(" .") != name:
            raise RequestError(
                tr("This is no name for a run."), allowed=tr("letters, digits, spaces and .()+-"), got=repr(name[:80])
            )
        busy = Refusal(409, tr("A run is being written already."), cure=tr("wait until it is there"))
        if self._work.is_busy:
            raise busy
        if self._learner.features is None or len(self._counts()) < 2:
            raise Refusal(409, tr("There is nothing to write yet."), cure=tr("give photos their class, and learn"))
        if not self._work.begin(lambda: self._write(name, fine_tune=fine_tune), tr("The run could not be written.")):
            raise busy
        self._is_fine_tuning = fine_tune

    def stop(self) -> None:
        """End it, and write nothing; a fine-tuning has its checkpoints."""
        self._work.stop()

    def close(self) -> None:
        """Wait for a run that is being written, and not for a fine-tuning: it is whole or absent."""
        if self._is_fine_tuning:
            self._work.stop()
        self._work.join(60)

    def _counts(self) -> Counter[str]:
        store = self._labels
        return Labels.of(0, [*store.decided], self._splits, store.classes, several=store.several).counts()

    def _held_out(self) -> float | None:
        """The share to hold out, where it is not the usual one: none where there are too few photos."""
        if {"val", "test"} & set(self._splits):
            return None
        return 0.0 if min(self._counts().values(), default=0) < ENOUGH else None

    def _write(self, name: str, *, fine_tune: bool) -> None:
        from tsugiki.evaluation.headline import headline
        from tsugiki.fine_tuning.checkpoints import forget
        from tsugiki.reporting.run_folder import free_folder, save_run

        self.written = None
        target = self.folder / name
        target = free_folder(target) if target.exists() else target
        unfinished = target.with_name(f"{target.name}.unfinished")
        with self._learner.backbone_lock:
            command, backbone = self.command(target.name, fine_tune=fine_tune), self._copied_backbone()
        run = self._fit(backbone, unfinished if fine_tune else None)
        with working(tr("Writing the run and its report")):
            saved = save_run(run, target)
        forget(unfinished)
        exported, says = _exported(saved, run)
        self.written = Written(saved, headline(run.evaluation), _fine_tuning_sentences(run), exported, says, command)

    def _copied_backbone(self) -> Backbone:
        """The backbone in use, for this run alone: fine-tuning would change the one that the page goes on to ask."""
        features = self._learner.features
        if features is None:
            raise TsugikiError(tr("There is nothing to write yet."))
        return copy.deepcopy(features.backbone)

    def _fit(self, backbone: Backbone, checkpoints: Path | None) -> Run:
        """The run; by both methods where there is a folder for checkpoints."""
        from tsugiki.classifier.classifier import Classifier
        from tsugiki.training.fit import FineTuning, fit

        samples = self.samples()
        model = Classifier(backbone, classes=samples.classes, task=samples.task)
        if checkpoints is None:
            return fit(model, samples)
        return fit(model, samples, method="auto", fine_tuning=FineTuning(folder=checkpoints))

    def samples(self) -> Samples:
        """The photos as ``tsugiki fit`` reads them from the table, which is written first.

        Raises:
            DataError: When they cannot be used.
        """
        from tsugiki.data.label_sets import LabelReading
        from tsugiki.data.load import read_samples
        from tsugiki.data.samples import DEFAULT_HELD_OUT

        self._labels.save()
        share = self._held_out()
        return read_samples(
            self._labels.table,
            held_out=DEFAULT_HELD_OUT if share is None else share,
            reading=LabelReading(multi_label=self._labels.several),
        )


def _fine_tuning_sentences(run: Run) -> tuple[str, ...]:
    """Whether fine-tuning was better on the held-out photos, and what validation has kept; nothing where it was not tried."""
    from tsugiki.fine_tuning.comparison import verdict_sentence
    from tsugiki.fine_tuning.model_selection import choice_sentence

    comparison, notes = run.evaluation.get("fine_tuning"), run.classifier.notes
    if comparison is None:
        return ()
    return verdict_sentence(comparison), choice_sentence(notes if notes["method"] == "fine-tune" else notes["fine_tuning"])


def _exported(saved: Path, run: Run) -> tuple[str, str]:
    """The export of a run, and how it was proven; why there is none, where there is none."""
    from tsugiki.publishing.export import export

    step = max(1, len(run.samples) // _PROVEN_ON)
    try:
        with working(tr("Writing the export, and proving it")):
            made = export(saved, "onnx", photos=[path.absolute() for path in run.samples.paths[::step]])
    except TsugikiError as error:
        return "", str(error)
    parity = made.parity
    return str(made.folder), tr(
        "Proven on {count} photos: every answer is PyTorch's, largest difference of a probability {difference}.",
        count=parity.photos,
        difference=f"{parity.largest_difference:.1g}",
    )


def python_lines(run: Path) -> str:
    """What asks the classifier from Python."""
    name = json.dumps(str(_from_here(run)), ensure_ascii=False)
    return f'import tsugiki as tg\nclassifier = tg.Classifier.load({name})\nprint(classifier.predict("photo.jpg"))'


def _from_here(path: Path) -> Path:
    """A path as a person types it who stands where the studio was started."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path.absolute()
