"""What leaves the studio: a run folder with its report, an export with its proof, and the words that repeat it elsewhere.

The run is what ``tsugiki fit`` makes of the table of decisions: the same photos, in the same order, with the same settings.
Held-out photos are looked at here, once: those that the folder holds out; else a fifth of each class where there are enough of
them; else none, and the score is out-of-fold.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.core.console import typed, working
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressEnded, ProgressStarted, subscribe
from tsugiki.core.threads import in_context
from tsugiki.locale.messages import said_again, tr
from tsugiki.serving.limits import Refusal
from tsugiki.serving.studio.learner import Learner, Patience
from tsugiki.serving.studio.learning import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        export: The folder of the export; empty where there is none.
        says: How the export was proven, or why there is none.
        command: What repeats the run.
    """

    run: Path
    sentence: str
    export: str
    says: str
    command: str

    def told(self) -> dict[str, Any]:
        """Plain values, in the language in use."""
        return {
            "run": str(self.run),
            "sentence": said_again(self.sentence),
            "export": self.export,
            "says": said_again(self.says),
            "command": self.command,
            "python": python_lines(self.run),
        }


class RunWriter:
    """Writes a run in a thread of its own, one at a time.

    Args:
        labels: The decisions.
        learner: Whose backbone is used; nobody else uses it meanwhile.
        splits: Of the photos.
        words: What names the weights of the backbone on the command line.
        ring: Called when there is something new to tell.
    """

    def __init__(
        self, labels: LabelStore, learner: Learner, splits: Sequence[str], words: Sequence[str], ring: Callable[[], None]
    ) -> None:
        self._labels, self._learner, self._splits, self._words, self._ring = labels, learner, splits, words, ring
        self._thread: threading.Thread | None = None
        self._label = ""
        self._patience: Patience | None = None
        self._problem: TsugikiError | None = None
        self.written: Written | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a run is being written."""
        return self._thread is not None and self._thread.is_alive()

    def told(self) -> dict[str, Any]:
        """What the page shows, plain values, in the language in use."""
        patience, problem = self._patience, self._problem
        return {
            "busy": self.is_busy,
            "label": said_again(self._label),
            "done": 0 if patience is None else patience.done,
            "total": None if patience is None else patience.total,
            "problem": "" if problem is None else " ".join(filter(None, map(said_again, (problem.what, problem.got)))),
            "command": self.command("NAME"),
            "written": None if self.written is None else self.written.told(),
        }

    def command(self, name: str) -> str:
        """What does the same without the studio."""
        features = self._learner.features
        spec = None if features is None else features.backbone.spec
        backbone = "" if spec is None else spec.name if spec.source == "zoo" else str(spec)
        parts = ["tsugiki", "fit", typed(_from_here(self._labels.table)), *(("--backbone", backbone) if backbone else ())]
        several = ["--multi-label"] if self._labels.several else []
        held_out = [] if self._held_out() is None else ["--held-out", "0"]
        return " ".join([*parts, *map(typed, self._words), *several, *held_out, "--out", typed(_from_here(self.folder / name))])

    @property
    def folder(self) -> Path:
        """Where runs are written: ``runs`` beside the decisions."""
        return self._labels.table.absolute().parent / "runs"

    def start(self, name: str) -> None:
        """Begin.

        Raises:
            RequestError: When that is no name for a folder, or something lacks.
            Refusal: When another run is being written.
        """
        if not _NAME.fullmatch(name) or name.rstrip(" .") != name:
            raise RequestError(
                tr("This is no name for a run."), allowed=tr("letters, digits, spaces and .()+-"), got=repr(name[:80])
            )
        if self.is_busy:
            raise Refusal(409, tr("A run is being written already."), cure=tr("wait until it is there"))
        if self._learner.features is None or len(self._counts()) < 2:
            raise Refusal(409, tr("There is nothing to write yet."), cure=tr("give photos their class, and learn"))
        self._problem = self.written = None
        self._thread = threading.Thread(target=in_context(self._work), args=(name,), name="run writer", daemon=True)
        self._thread.start()
        self._ring()

    def close(self) -> None:
        """Wait for a run that is being written: it is whole or absent."""
        if self._thread is not None:
            self._thread.join(timeout=60)

    def _counts(self) -> Counter[str]:
        store = self._labels
        return Labels.of(0, [*store.decided], self._splits, store.classes, several=store.several).counts()

    def _held_out(self) -> float | None:
        """The share to hold out, where it is not the usual one: none where there are too few photos."""
        if {"val", "test"} & set(self._splits):
            return None
        return 0.0 if min(self._counts().values(), default=0) < ENOUGH else None

    def _work(self, name: str) -> None:
        try:
            with subscribe(self._hear):
                self.written = self._write(name)
        except TsugikiError as error:
            self._problem = error
        except Exception as fault:  # noqa: BLE001 (the studio stays open, and says what happened)
            self._problem = TsugikiError(tr("The run could not be written."), got=f"{type(fault).__name__} {fault}"[:300])
        finally:
            self._label, self._patience, self._thread = "", None, None
            self._ring()

    def _write(self, name: str) -> Written:
        from tsugiki.evaluation.headline import headline
        from tsugiki.reporting.run_folder import free_folder, save_run

        self._labels.save()
        target = self.folder / name
        target = free_folder(target) if target.exists() else target
        command = self.command(target.name)
        with self._learner.backbone_lock:
            run = self._fit()
            with working(tr("Writing the run and its report")):
                saved = save_run(run, target)
            exported, says = _exported(saved, run)
        return Written(saved, headline(run.evaluation), exported, says, command)

    def _fit(self) -> Run:
        from tsugiki.classifier.classifier import Classifier
        from tsugiki.data.label_sets import LabelReading
        from tsugiki.data.load import read_samples
        from tsugiki.data.samples import DEFAULT_HELD_OUT
        from tsugiki.training.fit import fit

        features, share = self._learner.features, self._held_out()
        if features is None:
            raise TsugikiError(tr("There is nothing to write yet."))
        samples = read_samples(
            self._labels.table,
            held_out=DEFAULT_HELD_OUT if share is None else share,
            reading=LabelReading(multi_label=self._labels.several),
        )
        return fit(Classifier(features.backbone, classes=samples.classes, task=samples.task), samples)

    def _hear(self, event: Event) -> None:
        if isinstance(event, ProgressStarted):
            self._label, self._patience = event.label, Patience(event.total)
        elif isinstance(event, ProgressAdvanced) and self._patience is not None:
            self._patience.done += event.steps
        if not isinstance(event, Message | ProgressEnded):
            self._ring()


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
