"""One fit: photos and a classifier in, a run out. Read :func:`fit`, it is the way of the data.

``load`` -> ``extract`` -> ``fit_head`` -> ``calibrate`` -> (``fine_tune``) -> ``judge`` -> ``inspect``; and
:func:`tsugiki.save_run` writes what came of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.classifier.answer import NOT_ESTIMATED
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.require_task import require_task
from tsugiki.core.arguments import argument
from tsugiki.core.console import say, telling_once, working
from tsugiki.core.errors import DataError, RequestError, TrainingError, TsugikiError
from tsugiki.core.processes import accelerator_on, one_first
from tsugiki.data.load import load
from tsugiki.data.samples import Samples
from tsugiki.evaluation.duplicates import Pair
from tsugiki.evaluation.headline import headline, never_answered_sentence
from tsugiki.evaluation.levels.level_sentences import taxonomy_sentence
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.fine_tuning.comparison import compare, verdict_sentence
from tsugiki.fine_tuning.fine_tune import FineTuned, calibrate_fine_tuned, fine_tune
from tsugiki.fine_tuning.layers import not_to_fine_tune
from tsugiki.fine_tuning.model_selection import choice_sentence, given_up_sentence, prefers_fine_tuning
from tsugiki.fine_tuning.request import Resume, StartingPoint, check_request, check_resume
from tsugiki.fine_tuning.settings import FineTuneSettings, with_budget
from tsugiki.fine_tuning.training_data import split_for_validation
from tsugiki.heads.linear import HeadFit, HeadSettings, fit_head, impossible_sentence
from tsugiki.heads.part_shares import part_shares, shares_sentence
from tsugiki.inspection.backbone_photos import learned_notes, say_learned
from tsugiki.inspection.findings import Findings, inspect
from tsugiki.inspection.seen_photos import fingerprint, seen_notes
from tsugiki.locale.messages import tr
from tsugiki.training.judge import calibrate, judge
from tsugiki.training.run import Run

Method = Literal["transfer", "fine-tune", "auto"]


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune, and where.

    Attributes:
        settings: Every setting.
        folder: For checkpoints; without one an interrupted training cannot be continued.
        resume: ``auto`` goes on if it can, ``must`` refuses to begin anew, ``never`` begins anew.
        on_epoch: Called with each new row of the history, after it was said.

    Raises:
        RequestError: When one of them is something else.
    """

    settings: FineTuneSettings = field(default_factory=FineTuneSettings)
    folder: Path | None = None
    resume: Resume = "auto"
    on_epoch: Callable[[dict[str, float]], None] | None = None

    def __post_init__(self) -> None:
        _require_kinds(settings=(self.settings, FineTuneSettings))
        folder: object = self.folder
        if isinstance(folder, str):
            object.__setattr__(self, "folder", Path(folder))
        check_resume(self.resume)


@telling_once()
def fit(
    model: Classifier,
    data: Samples | str | Path,
    *,
    method: Method = "transfer",
    settings: HeadSettings | None = None,
    features: FeatureSettings | None = None,
    fine_tuning: FineTuning | None = None,
) -> Run:
    """Train a classifier on labelled photos.

    Args:
        model: Trained in place, on the device it is on.
        data: Samples from :func:`tsugiki.load`, or what that takes.
        method: ``transfer``: the backbone stays frozen, the head learns. ``fine-tune``: then all layers learn, and the two are
            compared on the held-out photos. ``auto``: both, and the one that the validation photos prefer is kept; the first
            one, too, where fine-tuning is not possible.
        settings: Of the head.
        features: How features are computed: engine, views and store.
        fine_tuning: How to fine-tune.

    Returns:
        The run; ``run.classifier`` is ``model``. Without held-out photos its score is out-of-fold: each training photo answered
        by a head that has not learned from it. After fine-tuning ``run.evaluation["fine_tuning"]`` compares both methods, and
        ``run.out_of_fold`` are still those of the frozen backbone: fine-tuning is not repeated per fold.

    Raises:
        RequestError: When the photos' classes are not the model's, or the settings do not fit.
        DataError: When the photos cannot be used.
        TrainingError: When fine-tuning could not go on.
    """
    if method not in get_args(Method):
        raise RequestError(tr("There is no such method."), allowed=", ".join(get_args(Method)), got=repr(method))
    _require_kinds(model=(model, Classifier))
    begun = time.monotonic()
    settings, features = settings or HeadSettings(), features or FeatureSettings()
    _require_kinds(settings=(settings, HeadSettings), features=(features, FeatureSettings))
    wish = None if method == "transfer" else _Wish.of(method, fine_tuning or FineTuning(), settings, features, begun)
    with one_first(model.device):
        samples = (
            data
            if isinstance(data, Samples)
            else load(data, seed=settings.seed, index=features.store, multi_label=model.task == "multi")
        )
        _require_task(model, samples, settings)
        samples = samples.with_classes(model.classes)
    if wish is not None:
        with working(tr("Checking the request")):
            wish.check(model, samples)
    with one_first(model.device):
        table = extract(samples, model.backbone, preprocess=model.preprocess, settings=features)
        say_learned(model.backbone, table.samples)
        head = fit_head(table, len(model.classes), settings)
        out_of_fold = take_head(model, head, table)
        model.notes = {**notes_on(table, head, features, model.backbone), **_shares(model, table)}
        calibrate(model, table, out_of_fold, goal=ThresholdGoal.read(settings.threshold))
    tuned = None
    if wish is not None:
        with working(tr("Fine-tuning")):
            tuned = wish.fine_tuned(model, table)
    # Everything is decided: only now the held-out photos are looked at.
    frozen = _finished(model, head.history, table, out_of_fold)
    run = frozen if wish is None else wish.kept(frozen, tuned)
    told = (headline(run.evaluation), never_answered_sentence(run.evaluation), taxonomy_sentence(run.evaluation))
    for sentence in filter(None, told):
        say(sentence)
    return run


def _require_kinds(**settings: tuple[object, type]) -> None:
    for name, (given, kind) in settings.items():
        if not isinstance(given, kind):
            what = tr("{name} is something else than was expected.", name=name)
            raise RequestError(what, allowed=f"{name}={kind.__name__}(...)", got=type(given).__name__)


def _require_task(model: Classifier, samples: Samples, settings: HeadSettings) -> None:
    """Refuse a classifier for one label per photo where photos have several, and the other way round."""
    if settings.threshold != HeadSettings.threshold and samples.task == "single":
        raise RequestError(
            tr("{argument} is for photos with several labels, and these have one each.", argument=argument("threshold")),
            cure=tr("leave it out"),
        )
    require_task(model, samples)


def _require_held_out(samples: Samples) -> None:
    if not samples.held_out:
        raise DataError(
            tr("Nothing is held out: whether fine-tuning is better could not be judged."),
            cure=tr("hold photos out, or stay with {argument}", argument=argument("method", "transfer")),
        )


def take_head(model: Classifier, head: HeadFit, table: FeatureTable) -> Floats | None:
    """Give the model its fitted head; returns the out-of-fold logits ``[N, K]`` of the training photos themselves."""
    if head.out_of_fold is None:
        say(impossible_sentence())
    with torch.no_grad():
        model.head.weight.copy_(head.weight)
        model.head.bias.copy_(head.bias)
    return None if head.out_of_fold is None else head.out_of_fold[: len(table.samples.train_rows)]


def notes_on(table: FeatureTable, head: HeadFit, features: FeatureSettings, backbone: Backbone) -> dict[str, Any]:
    """How the classifier was trained, plain values."""
    samples = table.samples
    # Kept so that whoever is asked about the same table later reads it in the same way.
    separator = {} if samples.separator is None else {"label_separator": samples.separator}
    return {
        **separator,
        "method": "transfer",
        "head": head.notes,
        "calibration": NOT_ESTIMATED if head.out_of_fold is None else "out-of-fold",
        "views": features.views,
        "photos": {split: len(samples.rows_of(split)) for split in sorted(set(samples.splits))},
        "data_fingerprint": fingerprint(samples),
        "split": samples.draw and asdict(samples.draw),
        "seen": {**seen_notes(samples), **learned_notes(backbone)},
    }


def _shares(model: Classifier, table: FeatureTable) -> dict[str, Any]:
    """What each of several backbones has to say; it is said, too."""
    parts = model.backbone.parts
    if len(parts) == 1:
        return {}
    shares = part_shares(table.train_photos, model.answer_head.weight, [part.num_features for part in parts])
    found = {str(part.spec): share for part, share in zip(parts, shares, strict=True)}
    say(shares_sentence(found))
    return {"shares": found}


def _finished(
    model: Classifier,
    history: list[dict[str, float]],
    table: FeatureTable,
    out_of_fold: Floats | None,
    *,
    fine_tuned: bool = False,
) -> Run:
    """The run: the one look at the held-out photos, and what the photos themselves tell."""
    weighted = bool(model.notes.get("head", {}).get("class_weights"))
    with working(tr("Looking at what the photos tell")):
        predictions, evaluation = judge(model, table, out_of_fold)
        findings = _inspected(table, out_of_fold, with_curve=not fine_tuned, weighted=weighted)
    return Run(model, history, evaluation, predictions, table, out_of_fold, findings)


def _inspected(table: FeatureTable, out_of_fold: Floats | None, *, with_curve: bool, weighted: bool) -> Findings:
    """What the photos tell; where that cannot be found out the run is kept without it, and that is said."""
    try:
        return inspect(table, out_of_fold, with_curve=with_curve, weighted=weighted)
    except Exception as error:  # noqa: BLE001 (whatever it is, the training has succeeded: hours may be in it)
        reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
        say(tr("What the photos themselves tell could not be found out; the run is kept without it: {reason}", reason=reason))
        return Findings.unknown(reason)


@dataclass
class _Wish:
    """What a fit by both methods was asked to do, and what came of it.

    Attributes:
        method: ``fine-tune`` or ``auto``.
        fine_tuning: How.
        head: Settings of the head under fine-tuning.
        features: How features are computed.
        begun: When, by the clock.
        request: The digest of what is asked for.
        impossible: Why fine-tuning is not possible, where ``auto`` goes on without it.
    """

    method: Method
    fine_tuning: FineTuning
    head: HeadSettings
    features: FeatureSettings
    begun: float
    request: str = ""
    impossible: TsugikiError | None = None

    @classmethod
    def of(cls, method: Method, fine_tuning: FineTuning, head: HeadSettings, features: FeatureSettings, begun: float) -> _Wish:
        _require_kinds(fine_tuning=(fine_tuning, FineTuning))
        if method == "auto":
            fine_tuning = replace(fine_tuning, settings=with_budget(fine_tuning.settings))
        return cls(method, fine_tuning, head, features, begun)

    def check(self, model: Classifier, samples: Samples) -> None:
        """Understand the request before features are computed."""
        if self.method == "auto" and (refusal := not_to_fine_tune(model.backbone)):
            self.impossible = refusal
            return
        try:
            _require_held_out(samples)
            self.request = check_request(
                model,
                samples,
                self.fine_tuning.settings,
                folder=self.fine_tuning.folder,
                resume=self.fine_tuning.resume,
                head=repr((self.head, self.features.views, self.features.engine)),
            )
        except DataError as error:
            if self.method != "auto":
                raise
            self.impossible = error

    def fine_tuned(self, model: Classifier, table: FeatureTable) -> FineTuned | None:
        """A fine-tuned copy of the model; ``None`` where ``auto`` has to do without."""
        if self.impossible is not None:
            return None

        def fit_head_on(rows: list[int]) -> nn.Linear:
            return fit_head(table, len(model.classes), self.head, rows=rows).as_layer()

        spent = time.monotonic() - self.begun if self.method == "auto" else 0.0
        try:
            return fine_tune(
                model,
                table.samples,
                self.fine_tuning.settings,
                folder=self.fine_tuning.folder,
                device=model.device,
                starting_point=StartingPoint(fit_head_on, table.groups_of, spent, self.request),
                resume=self.fine_tuning.resume,
                on_epoch=self.fine_tuning.on_epoch,
            )
        except (DataError, TrainingError) as error:
            # One of several processes that fail must not leave the others waiting for it.
            if self.method != "auto" or accelerator_on(model.device).num_processes > 1:
                raise
            self.impossible = error
            return None

    def kept(self, frozen: Run, tuned: FineTuned | None) -> Run:
        """The run of the classifier that is kept, with the comparison of both."""
        model = frozen.classifier
        if tuned is None:
            assert self.impossible is not None  # noqa: S101 (there is no other way to have nothing)
            say(given_up_sentence(self.impossible))
            model.notes = {**model.notes, "asked_for": self.method}
            return frozen
        answered = self._judged(frozen, tuned)
        if self.method == "auto":
            say(choice_sentence(tuned.notes))
        groups = frozen.table.groups_of(frozen.samples.held_out_rows) if model.task == "multi" else None
        comparison = compare(frozen.predictions, answered.predictions, groups)
        say(verdict_sentence(comparison))
        if self.method == "auto" and not prefers_fine_tuning(tuned.notes):
            model.notes = {**model.notes, "asked_for": self.method, "fine_tuning": tuned.notes}
            return replace(frozen, evaluation={**frozen.evaluation, "fine_tuning": comparison})
        _take_over(model, tuned.classifier)
        model.notes = {
            **model.notes,
            **tuned.notes,
            "method": "fine-tune",
            "asked_for": self.method,
            "calibration": tuned.classifier.notes["calibration"],
        }
        if "thresholds" in tuned.classifier.notes:
            model.notes["thresholds"] = tuned.classifier.notes["thresholds"]
        return replace(answered, classifier=model, evaluation={**answered.evaluation, "fine_tuning": comparison})

    def _judged(self, frozen: Run, tuned: FineTuned) -> Run:
        """The run of the fine-tuned classifier: its own features, calibrated on photos that it has not learned from."""
        classifier = tuned.classifier.to(frozen.classifier.device)
        # A photo that has vanished during the training is left out; all others stay in the split that they were trained in.
        photos = replace(frozen.samples, draw=None)
        with one_first(frozen.classifier.device):
            own = replace(self.features, views=0)
            table = extract(photos, classifier.backbone, preprocess=classifier.preprocess, settings=own)
        classifier.notes = {**classifier.notes, "calibration": "validation"}
        place = {name: row for row, name in enumerate(table.samples.names)}
        rows = [place.get(name) for name in frozen.samples.names]
        # Fine-tuning draws the photos of a class together: which of them are copies is what the frozen backbone says.
        samples, pairs = replace(table.samples, draw=frozen.samples.draw), _renumbered(frozen.table.duplicates, rows)
        table = replace(table, samples=samples, pairs=pairs)
        training, val = (
            [there for row in part if (there := rows[row]) is not None]
            for part in split_for_validation(frozen.samples, self.fine_tuning.settings, frozen.table.groups_of)
        )
        calibrate_fine_tuned(classifier, table, training, val, goal=ThresholdGoal.read(self.head.threshold))
        kept = [at for at, row in enumerate(frozen.samples.train_rows) if rows[row] is not None]
        out_of_fold = None if frozen.out_of_fold is None else frozen.out_of_fold[kept]
        return _finished(classifier, tuned.history, table, out_of_fold, fine_tuned=True)


def _renumbered(pairs: list[Pair] | None, rows: Sequence[int | None]) -> tuple[Pair, ...] | None:
    """Pairs of photos by where these are now; without those of which one is not there any more."""
    if pairs is None:
        return None
    ends = [(pair, rows[pair.first], rows[pair.second]) for pair in pairs]
    there = [(pair, first, second) for pair, first, second in ends if first is not None and second is not None]
    return tuple(replace(pair, first=first, second=second) for pair, first, second in there)


def _take_over(model: Classifier, tuned: Classifier) -> None:
    """Make ``model`` what ``tuned`` is: weights, where they come from, calibration."""
    model.load_state_dict(tuned.state_dict())
    model.backbone.origin = tuned.backbone.origin
    model.temperature, model.unknown = tuned.temperature, tuned.unknown
    model.multi_label = tuned.multi_label
