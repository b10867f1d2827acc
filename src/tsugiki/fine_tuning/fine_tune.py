"""One fine-tuning from start to end: photos and a classifier with a fitted head in, a better classifier out.

It starts from the head that was fitted on stored features, so that the first steps do not wreck the features for the sake of a
random head (LP-FT: Kumar et al., *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*, 2022).
Held-out photos are never opened here: which epoch is kept is decided on a part of the training photos.

Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tsugiki.backbones.backbone import WeightsOrigin
from tsugiki.backbones.weights.learned_photos import merged
from tsugiki.classifier.answer import MOST_REFERENCES, Unknown
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet, say
from tsugiki.core.devices import pick_device
from tsugiki.core.processes import accelerator_on, decided
from tsugiki.data.samples import Samples
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal
from tsugiki.evaluation.out_of_distribution import FALSE_REJECT_RATE, distance, threshold_at
from tsugiki.features.engines.reference import weights_key
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.fine_tuning.checkpoints import Checkpoints, working_folder
from tsugiki.fine_tuning.kernels.autotune import Choice
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings
from tsugiki.fine_tuning.layers import norms_of
from tsugiki.fine_tuning.model_selection import cross_fit
from tsugiki.fine_tuning.request import Resume, StartingPoint, check_continuable, check_request
from tsugiki.fine_tuning.score_sentences import epoch_sentence, kept_sentence
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.setup import Setup
from tsugiki.fine_tuning.state import Row, TrainingState, generators_kept
from tsugiki.fine_tuning.training_data import deal_halves
from tsugiki.heads.fit_multi_label import fit_multi_label
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import tr

_FINE_TUNED = ", fine-tuned"


class FineTuned(NamedTuple):
    """What came out.

    Attributes:
        classifier: Fine-tuned, on the CPU, frozen, in evaluation mode, not calibrated.
        history: One row per epoch (:data:`~tsugiki.fine_tuning.state.Row`).
        notes: How it was trained, plain values; ``notes["start"]`` is the score of the fitted head on the frozen backbone, and
            ``notes["validated"]`` what :func:`~tsugiki.fine_tuning.model_selection.cross_fit` found.
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
    starting_point: StartingPoint | None = None,
    resume: Resume = "auto",
    on_epoch: Callable[[Row], None] | None = None,
) -> FineTuned:
    """Fine-tune a copy of ``classifier``; every random generator is afterwards what it was.

    Args:
        classifier: Its head is where learning starts, unless the ``starting_point`` fits another; not changed.
        samples: Photos with their splits; those that are held out are not opened.
        settings: Every setting.
        folder: For checkpoints: the same request with the same folder goes on where it was interrupted. Without one, nothing
            can be continued. ``checkpoints.forget`` deletes what is in it.
        device: Where to train; ``None`` picks the best device here.
        starting_point: What has been done before.
        resume: ``auto`` goes on if it can, ``must`` refuses to begin anew, ``never`` begins anew.
        on_epoch: Called with each new row of the history, after it was said.

    Raises:
        RequestError: When settings and backbone do not go together, or there is nothing to continue.
        DataError: When there are too few photos.
        TrainingError: When the loss is no finite number any more, or memory runs out.
    """
    settings, starting_point = settings or FineTuneSettings(), starting_point or StartingPoint()
    place = pick_device(device)
    accelerator = accelerator_on(place)
    request = starting_point.request or check_request(
        classifier,
        samples,
        settings,
        folder=folder,
        resume=resume,
        place=place,
        head="" if starting_point.fit_head is None else "fitted",
    )
    if accelerator.num_processes > 1:
        place = accelerator.device
    with generators_kept(), quiet(not accelerator.is_main_process):
        setup = Setup.of(copy.deepcopy(classifier).to(place), samples, settings, starting_point, accelerator)
        with working_folder(folder, accelerator.process_index) as work, _told_to_go_on(folder, request):
            checkpoints = Checkpoints(folder or work, request)
            # Only the main process's disk holds checkpoints, and only its head counts: machines may round differently.
            saved = decided(lambda: _saved(checkpoints, resume), accelerator)
            if saved is None and resume == "must":
                check_continuable(checkpoints, accelerator)
            state = setup.begun() if saved is None else setup.resumed(saved)
            say(Choice(ComputeSettings(**state.plan["compute"]), *state.plan["seconds"]).describe())
            setup.trainer(state, checkpoints, work, _told(on_epoch)).fit(setup.phases(state))
            say(kept_sentence(state.best, state.best_epoch, state.blended))
            origin = classifier.backbone.origin
            return FineTuned(_result(setup, state, origin), state.history, _notes(setup, state, origin))


def _result(setup: Setup, state: TrainingState, origin: WeightsOrigin) -> Classifier:
    """The classifier with the best weights: on the CPU, its backbone frozen, in evaluation mode."""
    classifier = setup.classifier
    for name, tensor in state.weights.items():
        tensor.detach().copy_(state.best_weights[name])
    tuned = classifier.to(memory_format=torch.contiguous_format).to("cpu")
    tuned.requires_grad_(requires_grad=False)
    tuned.head.requires_grad_(requires_grad=True)
    tuned.zero_grad(set_to_none=True)
    label = f"{origin.label.removesuffix(_FINE_TUNED)}{_FINE_TUNED}"
    learned = merged(origin.learned_from, _photos_of(setup.samples) if setup.groups else ())
    tuned.backbone.origin = WeightsOrigin(label, weights_key(tuned.backbone), origin.licence, learned)
    return tuned.eval()


def _photos_of(samples: Samples) -> list[str]:
    """Digests of the photos that weights or the choice among them were learned from."""
    return [short_digest(samples.digests[row]) for row in (*samples.train_rows, *samples.val_rows)]


def _notes(setup: Setup, state: TrainingState, origin: WeightsOrigin) -> dict[str, Any]:
    """How it was trained, plain values."""
    norms = "frozen" if setup.settings.batch_norm == "frozen" else "updated"
    return {
        "method": "fine-tune",
        "settings": setup.settings.to_dict(),
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "blended": state.blended,
        "start": state.start.to_dict(),
        "best": state.best.to_dict(),
        "validation_photos": len(setup.val),
        "validated": _validated(setup, state),
        "unfrozen": [group.name for group in setup.groups],
        "trainable_parameters": sum(tensor.numel() for tensor in state.weights.values()),
        "batch_norm": norms if norms_of(setup.classifier.backbone) else "none",
        "compute": dict(state.plan["compute"]),
        "began_with": {"label": origin.label, "sha256": origin.sha256},
    }


def _validated(setup: Setup, state: TrainingState) -> dict[str, Any] | None:
    """What fine-tuning is worth on validation photos that did not choose the epoch."""
    half = deal_halves(setup.samples, setup.val, seed=setup.settings.seed, groups_of=setup.starting_point.groups)
    start, *epochs = state.answers
    return cross_fit(start, epochs, state.blends, blended=state.best_epoch, half=half)


@contextmanager
def _told_to_go_on(folder: Path | None, request: str) -> Iterator[None]:
    """Say to a person who interrupts that nothing is lost, if that is so."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None and Checkpoints(folder, request).found() == "whole":
            say(tr("Interrupted. The same command goes on from the last checkpoint."))
        raise


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
        say(epoch_sentence(row))
        if on_epoch is not None:
            on_epoch(row)

    return tell


def calibrate_fine_tuned(
    classifier: Classifier, table: FeatureTable, training: list[int], val: list[int], *, goal: ThresholdGoal | None = None
) -> None:
    """Set temperature and unknown threshold, from photos that were not learned from.

    Multi-label: slope, offset and threshold of every class instead of one temperature.

    After transfer learning, cross-validation answers for every training photo; fine-tuning is not repeated per fold, so its
    validation photos speak: they chose the epoch, and nothing was learned from them.

    Args:
        classifier: Fine-tuned; changed in place.
        table: Its own features of all photos.
        training: Rows of the samples that it learned from.
        val: Rows that it was validated on.
        goal: What the thresholds of several labels are chosen for.
    """
    features = _features_of(table, val)
    logits, targets = classifier.answer_head.logits(features), table.samples.targets
    if targets is None:
        classifier.temperature = fit_temperature(logits, table.samples.labels[val])
    else:
        classifier.multi_label, notes = fit_multi_label(logits, targets[val], classifier.classes, goal)
        classifier.notes = {**classifier.notes, "thresholds": {**notes, "chosen_on": "validation"}}
    reference = _features_of(table, training[:: -(-len(training) // MOST_REFERENCES)])
    threshold = threshold_at(distance(features, reference))
    classifier.unknown = Unknown.from_features(reference, threshold, false_reject_rate=FALSE_REJECT_RATE)


def _features_of(table: FeatureTable, rows: list[int]) -> Floats:
    """Features ``[N, D]`` of training or validation photos, by row of the samples."""
    places = {row: place for place, row in enumerate(table.samples.train_rows)}
    if rows[0] in places:
        return table.train_photos.take(np.array([places[row] for row in rows]))
    places = {row: place for place, row in enumerate(table.samples.val_rows)}
    return table.val[[places[row] for row in rows]]
