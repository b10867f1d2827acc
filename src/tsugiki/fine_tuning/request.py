"""What is asked of a fine-tuning, understood and refused before anything expensive is computed.

What it needs to know of the photos beforehand is their content; which layers there are, whether the photos can be divided and
whether there is something to continue does not depend on any feature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import nn

from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.require_task import require_task
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.core.processes import accelerator_on, decided
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.features.engines.reference import weights_key
from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.layers import chosen_groups
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.training_data import GroupsOf, split_for_validation
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from accelerate import Accelerator

FitHead = Callable[[list[int]], nn.Linear]
"""A head fitted on the photos at some rows of the samples, by their stored features."""

Resume = Literal["auto", "must", "never"]

SHORTEST_BUDGET = 1.0
"""Seconds: in less not even the fastest way of a step can be found."""

_OF_NO_WEIGHT = ("checkpoint_minutes", "checkpoint_steps", "micro_batch")
"""Settings that change nothing but rounding: with others the same training goes on."""


@dataclass(frozen=True)
class StartingPoint:
    """What fine-tuning starts from: what has been done before all layers learn.

    Attributes:
        fit_head: Fits the head on the photos that are learned from; without it the classifier's own head is where learning
            starts, which may have seen the photos that decide which epoch is kept.
        groups: Numbers photos so that those of one number must not be separated; without it those of one content or one group.
        spent: Seconds of the budget that are gone.
        request: What :func:`check_request` gave for these photos; without it they are checked now.
    """

    fit_head: FitHead | None = None
    groups: GroupsOf | None = None
    spent: float = 0.0
    request: str = ""


def check_request(
    classifier: Classifier,
    samples: Samples,
    settings: FineTuneSettings,
    *,
    folder: Path | None = None,
    resume: Resume = "auto",
    head: str = "",
    place: torch.device | None = None,
) -> str:
    """Refuse what cannot work, before anything is computed.

    Args:
        classifier: Not changed.
        samples: No photo is opened; their classes may be in another order.
        settings: Every setting.
        folder: For checkpoints.
        resume: ``must`` refuses a folder without checkpoints of this very request.
        head: What the head under fine-tuning depends on, besides photos and backbone.
        place: Where to train; by default where the classifier is.

    Returns:
        A digest of everything that decides the result: checkpoints of another one are not continued.

    Raises:
        RequestError: When settings, backbone and folder do not go together, or there is nothing to continue.
        DataError: When there are too few photos.
    """
    _check_folder(folder, resume)
    if 0 < settings.budget < SHORTEST_BUDGET:
        raise RequestError(
            tr("This budget is too short to train anything in."),
            allowed=tr("{low} s or more", low=f"{SHORTEST_BUDGET:g}"),
            got=f"{settings.budget:g} s",
        )
    require_task(classifier, samples)
    samples = samples.with_classes(classifier.classes)
    chosen_groups(classifier.backbone, str(settings.unfreeze))
    accelerator = accelerator_on(place or classifier.device)
    training, _ = split_for_validation(samples, settings)
    check_processes(len(training), settings, accelerator)
    request = digest(classifier, samples, settings, head)
    if folder is not None and resume == "must":
        check_continuable(Checkpoints(folder, request), accelerator)
    return request


def check_resume(resume: object) -> None:
    """Refuse what is no way to resume.

    Raises:
        RequestError: When it is none of :data:`Resume`.
    """
    if resume not in get_args(Resume):
        raise RequestError(tr("There is no such way to resume."), allowed=", ".join(get_args(Resume)), got=f"resume={resume!r}")


def _check_folder(folder: Path | None, resume: Resume) -> None:
    check_resume(resume)
    if folder is None and resume == "must":
        raise RequestError(
            tr("Without a folder there are no checkpoints to continue from."),
            got="resume='must', folder=None",
            cure="FineTuning(folder=..., resume='must')",
        )
    # The nearest of these paths that exists must be a folder, or none can be made below it.
    for path in (folder, *folder.parents) if folder is not None else ():
        if path.exists():
            if not path.is_dir():
                raise RequestError(
                    tr("Checkpoints need a folder, and there is a file in its place."),
                    got=str(path),
                    cure=tr("move that file away, or name another folder"),
                )
            return


def check_processes(photos: int, settings: FineTuneSettings, accelerator: Accelerator) -> None:
    """Refuse steps in which a process would have no photo.

    Raises:
        RequestError: When there are fewer photos in a step than processes.
    """
    steps = -(-photos // settings.batch_size)
    if photos // max(1, steps) < accelerator.num_processes:
        raise RequestError(
            tr("There are fewer photos in a step than processes."),
            got=str(accelerator.num_processes),
            cure=argument("batch_size"),
        )


def check_continuable(checkpoints: Checkpoints, accelerator: Accelerator) -> None:
    """Refuse where no checkpoint of this request is whole, and say what there is instead.

    Raises:
        RequestError: When there is nothing to continue.
    """
    # Only the main process's disk holds checkpoints.
    found = decided(checkpoints.found, accelerator)
    if found == "whole":
        return
    what = tr("There is nothing to continue in {folder}.", folder=checkpoints.root)
    if found == "others":
        raise RequestError(
            what,
            got=tr("only checkpoints of other photos or settings"),
            cure=tr(
                "give the same photos and settings as before, or leave {argument} out", argument=argument("resume", "must")
            ),
        )
    got = tr("only damaged checkpoints") if found == "damaged" else tr("no checkpoints at all")
    raise RequestError(
        what, got=got, cure=tr("leave {argument} out, and the training begins anew", argument=argument("resume", "must"))
    )


def digest(classifier: Classifier, samples: Samples, settings: FineTuneSettings, head: str) -> str:
    """Of everything that decides the result: photos, classes, settings, backbone, and what the head comes from."""
    decisive: dict[str, Any] = settings.to_dict()
    for name in _OF_NO_WEIGHT:
        del decisive[name]
    groups = samples.groups or ("",) * len(samples)
    truth: list[Any] = (samples.labels if samples.targets is None else samples.targets).tolist()
    rows = [
        (samples.digests[row], truth[row], samples.splits[row], groups[row])
        for row in range(len(samples))
        if samples.splits[row] in {"train", "val"} - {samples.held_out} and samples.labels[row] != UNKNOWN_CLASS
    ]
    backbone = weights_key(classifier.backbone)
    document = [decisive, rows, classifier.classes, classifier.preprocess.to_dict(), backbone, head or _own_head(classifier)]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _own_head(classifier: Classifier) -> str:
    values = [tensor.detach().cpu().contiguous().numpy().tobytes() for tensor in classifier.head.state_dict().values()]
    return hashlib.sha256(b"".join(values)).hexdigest()
