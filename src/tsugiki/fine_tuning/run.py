"""One fine-tuning from start to end: photos and a classifier with a fitted head in, a better classifier out.

It starts from the head that was fitted on stored features, so that the first steps do not wreck the features for the sake of a
random head (LP-FT: Kumar et al., *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*, 2022).
Held-out photos are never opened here: which epoch is kept is decided on a part of the training photos.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet, say
from tsugiki.core.devices import pick_device
from tsugiki.core.processes import accelerator_on, decided
from tsugiki.data.samples import Samples
from tsugiki.fine_tuning.checkpoints import WORK, Checkpoints, forget, remove_empty
from tsugiki.fine_tuning.job import Job
from tsugiki.fine_tuning.kernels.choose_way import Choice
from tsugiki.fine_tuning.kernels.step_engine import Way
from tsugiki.fine_tuning.loop import train
from tsugiki.fine_tuning.randomness import generators_kept
from tsugiki.fine_tuning.request import FitHead, Groundwork, Resume, check_continuable, check_request
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import Row, State
from tsugiki.locale.messages import tr

__all__ = ["FineTuned", "check_request", "fine_tune", "forget"]


class FineTuned(NamedTuple):
    """What came out.

    Attributes:
        classifier: Fine-tuned, on the CPU, frozen, in evaluation mode, not calibrated.
        history: One row per epoch: epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds.
        notes: How it was trained, plain values; ``notes["start"]`` is the score with the head alone fitted, and
            ``notes["validated"]`` what :func:`~tsugiki.fine_tuning.cross_fitting.cross_fit` found.
    """

    classifier: Classifier
    history: list[Row]
    notes: dict[str, Any]


def fine_tune(
    classifier: Classifier,
    samples: Samples,
    settings: FineTuneSettings | None = None,
    *,
    folder: Path | None = None,
    device: str | torch.device | None = None,
    groundwork: Groundwork | None = None,
    resume: Resume = "auto",
    on_epoch: Callable[[Row], None] | None = None,
) -> FineTuned:
    """Fine-tune a copy of ``classifier``; every random generator is afterwards what it was.

    Args:
        classifier: Its head is where learning starts, unless the ``groundwork`` fits another; not changed.
        samples: Photos with their splits; those that are held out are not opened.
        settings: Every knob.
        folder: For checkpoints: the same request with the same folder goes on where it was interrupted. Without one, nothing
            can be continued. :func:`forget` deletes what is in it.
        device: Where to train; ``None`` picks the best device here.
        groundwork: What has been done before.
        resume: ``auto`` goes on if it can, ``must`` refuses to begin anew, ``never`` begins anew.
        on_epoch: Called with each new row of the history, after it was said.

    Raises:
        RequestError: When settings and backbone do not go together, or there is nothing to continue.
        DataError: When there are too few photos.
        TrainingError: When the loss is no finite number any more, or memory runs out.
    """
    settings, groundwork = settings or FineTuneSettings(), groundwork or Groundwork()
    place = pick_device(device)
    accelerator = accelerator_on(place)
    request = groundwork.request or check_request(
        classifier,
        samples,
        settings,
        folder=folder,
        resume=resume,
        place=place,
        head="" if groundwork.fit_head is None else "fitted",
    )
    if accelerator.num_processes > 1:
        place = accelerator.device
    with generators_kept(), quiet(not accelerator.is_main_process):
        job = Job.of(classifier, samples, settings, groundwork, accelerator, place)
        with _working_folder(folder, accelerator) as work, _told_to_go_on(folder, request):
            checkpoints = Checkpoints(folder or work, request)
            # Only the main process's disk holds checkpoints, and only its head counts: machines may round differently.
            saved = decided(lambda: _saved(checkpoints, resume), accelerator)
            if saved is None and resume == "must":
                check_continuable(checkpoints, accelerator)
            state = _begun(job, groundwork.fit_head) if saved is None else _continued(job, saved)
            say(Choice(Way(**state.plan["way"]), *state.plan["seconds"]).describe())
            course = job.course(state, checkpoints, job.material(work), _told(on_epoch))
            train(course, state, job.phases(state))
            _say_kept(state)
            return FineTuned(job.result(state), state.history, job.notes(state))


@contextmanager
def _told_to_go_on(folder: Path | None, request: str) -> Iterator[None]:
    """Say to a person who interrupts that nothing is lost, if that is so."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None and Checkpoints(folder, request).found() == "whole":
            say(tr("Interrupted. The same command goes on from the last checkpoint."))
        raise


@contextmanager
def _working_folder(folder: Path | None, accelerator: Accelerator) -> Iterator[Path]:
    """A folder for large files of this training; what a killed process left there is swept out first."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="tsugiki-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    work = folder / f"{WORK}{accelerator.process_index}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        remove_empty(folder)


def _begun(job: Job, fit_head: FitHead | None) -> State:
    if fit_head is not None:
        job.classifier.head.load_state_dict(decided(lambda: fit_head(job.learned).state_dict(), job.accelerator))
    return job.start()


def _continued(job: Job, saved: dict[str, Any]) -> State:
    state = job.resumed(saved)
    say(tr("Going on in epoch {epoch}, after step {step}.", epoch=state.epoch, step=state.step))
    return state


def _saved(checkpoints: Checkpoints, resume: Resume) -> dict[str, Any] | None:
    if resume == "never":
        return None
    saved = checkpoints.load()
    found = "whole" if saved is not None or resume == "must" else checkpoints.found()
    if found == "damaged":
        say(tr("The checkpoints in {folder} are damaged: starting anew.", folder=checkpoints.root))
    elif found == "others":
        say(
            tr(
                "The checkpoints in {folder} belong to other photos or settings: starting anew. They are kept until this "
                "training has come to its end.",
                folder=checkpoints.root,
            )
        )
    return saved


def _told(on_epoch: Callable[[Row], None] | None) -> Callable[[Row], None]:
    def tell(row: Row) -> None:
        _say_row(row)
        if on_epoch is not None:
            on_epoch(row)

    return tell


def _say_row(row: Row) -> None:
    say(
        tr(
            "epoch {epoch}: loss {loss}, validation {accuracy} correct",
            epoch=int(row["epoch"]),
            loss=f"{row['train_loss']:.3f}",
            accuracy=f"{row['val_acc']:.1%}",
        )
    )


def _say_kept(state: State) -> None:
    words = {"epoch": state.best_epoch, "accuracy": f"{state.best.accuracy:.1%}", "share": f"{state.blended:.0%}"}
    if state.blended == 1:
        say(tr("The weights of epoch {epoch} are kept: validation {accuracy} correct.", **words))
        return
    say(
        tr(
            "Kept: weights {share} of the way from the start to epoch {epoch}, the best on the validation photos ({accuracy} "
            "correct).",
            **words,
        )
    )
