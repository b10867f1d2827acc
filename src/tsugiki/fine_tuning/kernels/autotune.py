"""Choose the fastest way of computing a step by timing a few steps of each, on the user's own model and machine.

The trials run on a copy: the classifier and every random state are afterwards what they were.
"""

from __future__ import annotations

import copy
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import Tick, progress, say, working
from tsugiki.core.devices import empty_cache, is_out_of_memory
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings, PreparedModel, prepare_model
from tsugiki.fine_tuning.layers import chosen_groups, set_learning, set_modes
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import generators_kept, out_of_memory
from tsugiki.locale.messages import tr

PLAIN = ComputeSettings()
"""What a loop without any care does: float32, contiguous."""

_STEPS = 3
_SHARE = 0.1  # of a budget that trials may take, one way's trial excepted
_CLEARLY = 1.2  # times as fast: less may be noise, and the same request should be computed in the same way
_WORTH_TIMING = 30  # steps: fewer take hardly longer than the trials
_WORTH_COMPILING = 900  # seconds: compiling a network's forward and backward pass takes a minute or two


@dataclass(frozen=True)
class Workload:
    """What a step will look like.

    Attributes:
        photos: Per part of a step.
        size: Height and width in pixels.
        steps: In the whole training.
        learning: How many of the chosen layer groups learn.
        stored: Whether the frozen layers' activations are stored.
        parts: In how many a step is computed.
        patience: Seconds that the trial of one way may take, its first two steps excepted.
    """

    photos: int
    size: tuple[int, int]
    steps: int
    learning: int
    stored: bool
    parts: int = 1
    patience: float = math.inf


@dataclass(frozen=True)
class Choice:
    """The way that was chosen.

    Attributes:
        compute: How steps are computed.
        seconds: Per step, as timed; 0 where nothing was timed.
        plain_seconds: Per step of the plain way; 0 where that was not timed, or ran out of memory.
    """

    compute: ComputeSettings
    seconds: float = 0.0
    plain_seconds: float = 0.0

    def describe(self) -> str:
        """One line for the person."""
        if not self.seconds:
            return tr("A step is computed in {way}.", way=self.compute.describe())
        if self.plain_seconds <= self.seconds:
            return tr("A step is computed in {way}: {seconds} s.", way=self.compute.describe(), seconds=f"{self.seconds:.2g}")
        return tr(
            "A step is computed in {way}: {seconds} s, {ratio} times as fast as plain float32 here.",
            way=self.compute.describe(),
            seconds=f"{self.seconds:.2g}",
            ratio=f"{self.plain_seconds / self.seconds:.1f}",
        )


def autotune(classifier: Classifier, settings: FineTuneSettings, workload: Workload) -> Choice:
    """The most worked-out way that the settings allow, unless another one is clearly faster; untimed where a training is short.

    Args:
        classifier: On its device; left as it is.
        settings: What was fixed by the person is not tried otherwise.
        workload: What a step will look like.

    Raises:
        TrainingError: When no way has the memory for a single photo.
    """
    device = classifier.device
    allowed = [compute for compute in candidates(device) if _fits(compute, settings)]
    allowed = _real(classifier, settings, workload, allowed or [_fixed(settings, device)])
    short = workload.steps < _WORTH_TIMING and not settings.budget
    if short or (len(allowed) == 1 and settings.compile == "off" and not settings.budget):
        return Choice(replace(_untimed(allowed), compiled=settings.compile == "on"))
    say(tr("Timing which way of computing a step is the fastest here ..."))
    with progress(tr("Timing steps"), None) as tick:
        fitting, times = _times(classifier, settings, workload, allowed, tick)
    compute = preferred(times)
    chosen = Choice(compute, times[compute], times.get(PLAIN, 0.0))
    return _perhaps_compiled(classifier, settings, fitting, chosen)


def preferred(times: Mapping[ComputeSettings, float]) -> ComputeSettings:
    """The last of the ways, which is the most worked-out one, that none of the others clearly beats.

    Args:
        times: Seconds per step, in the order of :func:`candidates`.
    """
    fastest = min(times.values())
    return [compute for compute, seconds in times.items() if seconds <= _CLEARLY * fastest][-1]


def _real(
    classifier: Classifier, settings: FineTuneSettings, workload: Workload, options: Sequence[ComputeSettings]
) -> list[ComputeSettings]:
    """The ways without folding where this network has nothing to fold, each once."""
    if not any(compute.folded for compute in options):
        return list(options)
    with generators_kept():
        model, _ = _trial(classifier, settings, replace(workload, photos=2), ComputeSettings(folded=True))
    return list(dict.fromkeys(compute if model.compute.folded else replace(compute, folded=False) for compute in options))


def _times(
    classifier: Classifier,
    settings: FineTuneSettings,
    workload: Workload,
    options: Sequence[ComputeSettings],
    tick: Tick,
) -> tuple[Workload, dict[ComputeSettings, float]]:
    """Seconds per step of each way that the memory is large enough for, computed in smaller parts where it is for none.

    A budget has to pay for the trials: what is preferred in case of doubt is timed first, the others as long as there is time.
    """
    tried, allowed = workload, _SHARE * settings.budget if settings.budget else math.inf
    ordered = options if allowed == math.inf else options[::-1]
    while True:
        begun = time.monotonic()
        timed: dict[ComputeSettings, float] = {}
        for compute in ordered:
            left = allowed - (time.monotonic() - begun)
            if timed and left <= 0:
                break
            tick(0, compute.describe())
            timed[compute] = _perhaps_timed(classifier, settings, replace(tried, patience=max(left, 0.0)), compute)
        times = {compute: timed[compute] for compute in options if timed.get(compute, math.inf) < math.inf}
        if times:
            return tried, times
        if tried.photos == 1:
            raise out_of_memory(1)
        tried = replace(tried, photos=-(-tried.photos // 2), parts=2 * tried.parts)


def _perhaps_timed(classifier: Classifier, settings: FineTuneSettings, workload: Workload, compute: ComputeSettings) -> float:
    """Seconds per step; a way that the memory is too small for is infinitely slow."""
    try:
        return seconds_per_step(classifier, settings, workload, compute)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    empty_cache(classifier.device)  # after the handler: as long as the error lives, so do the activations
    return math.inf


def candidates(device: torch.device) -> list[ComputeSettings]:
    """The ways that make sense on ``device``: the plain one first, what is preferred in case of doubt last."""
    options = [PLAIN, ComputeSettings(channels_last=True), ComputeSettings(channels_last=True, folded=True)]
    reduced: list[ComputeSettings] = []
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 (no public question)
        reduced = [ComputeSettings("bfloat16", channels_last=True, folded=True)]
    elif device.type == "cuda":
        kinds = ["float16"] + ["bfloat16"] * torch.cuda.is_bf16_supported(including_emulation=False)
        reduced = [ComputeSettings(kind, channels_last=True, folded=fold) for kind in kinds for fold in (False, True)]  # type: ignore[arg-type]
    return [*options, *reduced]


def _fits(compute: ComputeSettings, settings: FineTuneSettings) -> bool:
    return (
        settings.precision in {"auto", compute.precision}
        and settings.memory_format in {"auto", "channels_last" if compute.channels_last else "contiguous"}
        and not (compute.folded and settings.batch_norm == "update")
    )


def _fixed(settings: FineTuneSettings, device: torch.device) -> ComputeSettings:
    """What was asked for, where no candidate is like that."""
    precision = "float32" if settings.precision == "auto" else settings.precision
    if precision == "float16" and device.type == "cpu":
        say(tr("float16 is slow on a processor; bfloat16 is its own way of being fast."))
    channels_last = settings.memory_format == "channels_last"
    return ComputeSettings(precision, channels_last, folded=settings.batch_norm == "frozen")


def _untimed(allowed: Sequence[ComputeSettings]) -> ComputeSettings:
    exact = [compute for compute in allowed if compute.precision == "float32"]
    return exact[-1] if exact else allowed[-1]


def _perhaps_compiled(classifier: Classifier, settings: FineTuneSettings, workload: Workload, chosen: Choice) -> Choice:
    long_enough = workload.steps * chosen.seconds > _WORTH_COMPILING
    if settings.compile == "off" or (settings.compile == "auto" and not long_enough):
        return chosen
    if classifier.device.type == "cpu" and not shutil.which("g++"):
        say(tr("torch.compile needs a C++ compiler (g++), which is not here."))
        return chosen
    compiled = replace(chosen.compute, compiled=True)
    try:
        with working(tr("Compiling the network, to see whether that is faster")):
            seconds = seconds_per_step(classifier, settings, workload, compiled)
    except Exception as error:  # noqa: BLE001 (a compiler fails in its own ways; training does not depend on it)
        say(tr("torch.compile does not work for this network here: {reason}", reason=str(error).splitlines()[0][:120]))
        return chosen
    if settings.compile == "auto" and seconds >= chosen.seconds:
        return chosen
    return Choice(compiled, seconds, chosen.plain_seconds)


def seconds_per_step(classifier: Classifier, settings: FineTuneSettings, workload: Workload, compute: ComputeSettings) -> float:
    """The fastest of a few steps (forward and backward pass) computed in ``way``, after one that does not count."""
    with generators_kept():
        model, photos = _trial(classifier, settings, workload, compute)
        inputs = model.ready(model.activations(photos) if model.prefix else photos)
        set_modes(model.network, batch_norm=settings.batch_norm)
        step = _step(model, inputs[: workload.photos])
        begun = time.monotonic()
        times: list[float] = []
        while len(times) < 1 + _STEPS and (len(times) < 2 or time.monotonic() - begun < workload.patience):
            times.append(_timed(step, classifier.device))
        return workload.parts * min(times)


def _trial(
    classifier: Classifier, settings: FineTuneSettings, workload: Workload, compute: ComputeSettings
) -> tuple[PreparedModel, torch.Tensor]:
    """A prepared model on a copy of ``classifier``, and random photos, two at least."""
    trial = copy.deepcopy(classifier)
    groups = chosen_groups(trial.backbone, str(settings.unfreeze))
    learning = groups[len(groups) - workload.learning :]
    set_learning(trial, learning)
    photos = torch.randn(max(2, workload.photos), 3, *workload.size, device=trial.device)
    return prepare_model(trial, learning, compute, example=photos[:2], stored=workload.stored), photos


def _step(model: PreparedModel, inputs: torch.Tensor) -> Callable[[], None]:
    labels = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)

    def step() -> None:
        with model.compute.autocast(inputs.device):
            logits = model.call(inputs)
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        model.network.zero_grad()

    return step


def _timed(step: Callable[[], None], device: torch.device) -> float:
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - start
