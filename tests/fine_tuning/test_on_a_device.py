"""The whole path on a device that is not here: all is where it should be, and nothing comes back but through named doors.

Where no GPU is, nothing else would notice a forgotten ``.to(device)``, or a detour over the processor that makes a device wait.
The numbers are those of no device: ``benchmarks/accelerator.py`` compares them, on a machine that has one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.utils._pytree import tree_map

import tsugiki as tg
from tests.planted_faults import Fault, forgotten, planted, rewritten
from tests.pretended_device import CUDA, Misplaced, Watch, pretended
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.backbones.joined import JoinedBackbone
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import quiet
from tsugiki.data.augmentation.augment import Augmentation
from tsugiki.data.label_sets import Task
from tsugiki.data.load import load
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.features.engines.choose import Engines
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.lr_range import find_rate
from tsugiki.fine_tuning.request import Resume
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.attribution import attribute
from tsugiki.inspection.findings import Findings
from tsugiki.training.article_loop import train
from tsugiki.training.fit import FineTuning

pytestmark = [
    pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor"),  # PyTorch's own copies of its own tensors
]

SMALL = Preprocess(size=(16, 16), resize=18)
SETTINGS = FineTuneSettings(epochs=1, batch_size=16, patience=0, precision="float32")  # 30 photos: 2 steps

ENGINE = "features/engines/torch_engine.py:TorchEngine.__call__"
LOSS, RIGHT = "fine_tuning/state.py:RunningMeans.count", "fine_tuning/objectives.py:OneClass.correct"
VALIDATION, LOGITS = "fine_tuning/trainer.py:Trainer.validate", "fine_tuning/trainer.py:Trainer.part"

DOORS = {
    ENGINE: "features leave the engine, once per batch",
    "features/engines/reference.py:reference_features": "features of the few photos that an engine is compared on",
    "classifier/classifier.py:Classifier.features_of_inputs": "features leave the network, once per 32 photos",
    "classifier/classifier.py:Classifier.probabilities": "logits, for probabilities that are NumPy's",
    "classifier/classifier.py:Classifier.answer_head": "the head: answers are NumPy's",
    "classifier/predict.py:_checked_inputs": "whether the numbers that somebody gave are finite, once for all photos",
    "backbones/backbone.py:Backbone.key": "the weights, for their digest",
    "fine_tuning/request.py:_own_head": "the head, for its digest",
    "training/run.py:_digest": "the head, for its digest",
    "fine_tuning/kernels/replace_modules.py:replace_if_equal": "whether what computes faster computes the same, once per phase",
    "fine_tuning/kernels/frozen_prefix.py:_proved": "whether a network can be cut, once per phase",
    "fine_tuning/kernels/frozen_prefix.py:ActivationStore.fill": "activations that are stored, once per view",
    LOSS: "a loss that is said, once per part of a step",
    RIGHT: "how many answers are right, once per part of a step",
    LOGITS: "logits that only together make a score, once per part of a step, where photos have several labels",
    VALIDATION: "what was found on all validation photos, once per validation",
    "fine_tuning/state.py:TrainingState.to_checkpoint": "the scale of the loss, for a checkpoint",
    "fine_tuning/fine_tune.py:_result": "the weights that came out",
    "fine_tuning/lr_range.py:_try": "a loss that is compared, once per rate",
    "inspection/attribution.py:_stretched": "the picture of an explanation",
    "fine_tuning/state.py:RunningMeans.add": "the right answers of a batch, in the articles' loop",
}
"""What may leave the device, and why."""

PROCESSOR = {
    "heads/": {"*"},  # heads on stored features are a few matrix products: they are the processor's wherever the network is
    "fine_tuning/model_selection.py:": {"*"},  # one number per validation photo
    "fine_tuning/training_data.py:deal_halves": {"index_put_"},
    "fine_tuning/training_data.py:_halves_of_sets": {"index_put_"},
    "fine_tuning/training_data.py:ActivationBatches.": {"index"},
    "fine_tuning/kernels/frozen_prefix.py:ActivationStore.": {"index"},
    "fine_tuning/objectives.py:OneClass.answers": {"gt"},
    "fine_tuning/objectives.py:objective_of": {"index"},
    "fine_tuning/objectives.py:ManyLabels.": {"index_put_"},
    "fine_tuning/lr_range.py:_try": {"add_"},  # PyTorch counts the steps of a plain optimiser there
    "fine_tuning/trainer.py:Trainer.validate": {"sum"},
    "fine_tuning/trainer.py:Trainer.part": {"index_put_"},
    "classifier/predict.py:_checked_inputs": {"abs", "ne", "eq", "mul", "all"},  # somebody's own tensor, wherever it is
    "test": {"*"},
}
"""Which function computes what on the processor, on purpose."""


def on_device() -> AbstractContextManager[Watch]:
    return pretended(set(DOORS), PROCESSOR)


def small(task: Task = "single", seed: int = 0) -> Classifier:
    """Two convolutions with BatchNorm and a head."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
    )
    spec = BackboneSpec("test", "small", "test:small")
    backbone = Backbone(body, 8, spec=spec, preprocess=SMALL).eval()
    return Classifier(backbone, classes=("blue", "green", "red"), task=task)


@pytest.fixture(autouse=True)
def _kept_in_memory(monkeypatch):
    """Checkpoints are what a file would give back: tensors of the processor; their numbers are lost."""
    kept: dict[str, object] = {}

    def on_processor(value):
        return torch.zeros(tuple(value.shape), dtype=value.dtype) if isinstance(value, torch.Tensor) else value

    monkeypatch.setattr(Checkpoints, "save", lambda _, state: kept.update(tree_map(on_processor, state)))
    monkeypatch.setattr(Checkpoints, "load", lambda _: dict(kept) or None)
    monkeypatch.setattr(Checkpoints, "found", lambda _: "whole" if kept else "nothing")
    return kept


@dataclass
class Given:
    """What a path begins with.

    Attributes:
        samples: Photos.
        sets: Photos with several labels.
        folder: For files.
        elsewhere: A classifier on the processor.
        of_sets: Likewise, for photos with several labels.
        of_two: Likewise, of two backbones.
    """

    samples: Samples
    sets: Samples
    folder: Path
    elsewhere: Classifier = field(default_factory=small)
    of_sets: Classifier = field(default_factory=lambda: small("multi"))
    of_two: Classifier = field(
        default_factory=lambda: Classifier(
            JoinedBackbone([small(seed=seed).backbone for seed in (0, 1)]), classes=("blue", "green", "red")
        )
    )

    @functools.cached_property
    def classifier(self) -> Classifier:
        """On the device."""
        return self.elsewhere.to("cuda")

    def tuned(self, settings: FineTuneSettings, resume: Resume = "never") -> None:
        fine_tune(self.classifier, self.samples, settings, device="cuda", resume=resume)


def _engines(given: Given) -> None:
    pixels = np.zeros((5, 3, 16, 16), np.uint8)
    for exact in (True, False):
        Engines(given.classifier.backbone, SMALL).choose(pixels, exact=exact, count=100)(pixels)


def _fit(given: Given) -> None:
    features = FeatureSettings(store=FeatureStore(given.folder / "store"))
    fine_tuning = FineTuning(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        # What photos tell is NumPy's, and here all are alike.
        patch.setattr("tsugiki.training.fit.inspect", lambda *_, **__: Findings.unknown("not asked"))
        way: dict[str, Any] = {"settings": HeadSettings(epochs=2), "features": features, "fine_tuning": fine_tuning}
        tg.fit(given.classifier, given.samples, method="fine-tune", **way)


def _predict(given: Given) -> None:
    classifier, photo = given.classifier, given.samples.paths[0]
    classifier.predict([*given.samples.paths[:3]])
    classifier.predict([photo.read_bytes(), np.zeros((20, 20, 3), np.uint8)])
    classifier.predict(torch.zeros(40, 3, 16, 16))
    classifier.predict(torch.zeros(40, 3, 16, 16, device="cuda"))
    assert classifier.probabilities(torch.zeros(2, 3, device="cuda")).device == CUDA


def _joined(given: Given) -> None:
    joined = given.of_two.to("cuda")
    joined.predict([*given.samples.paths[:3]])
    joined.predict([np.zeros((20, 20, 3), np.uint8)])
    joined.backbone.key()


def _moved(given: Given) -> None:
    fine_tune(given.elsewhere, given.samples, SETTINGS, device="cuda", resume="never")
    assert given.elsewhere.device == torch.device("cpu")


def _explain(given: Given) -> None:
    attribute(given.classifier, torch.zeros(3, 16, 16), 1)
    with pytest.MonkeyPatch.context() as patch:  # where a network has no map of convolutions
        patch.setattr("tsugiki.inspection.attribution.last_map", lambda *_: None)
        attribute(given.classifier, torch.zeros(3, 16, 16), 1)


def _mixed(given: Given) -> None:
    given.tuned(replace(SETTINGS, precision="float16", augmentation=Augmentation(mixup=0.3, cutmix=0.3)))


def _stored(given: Given) -> None:
    given.tuned(replace(SETTINGS, epochs=2, precision="bfloat16", unfreeze=1, stored_views=1))


def _updated(given: Given) -> None:
    given.tuned(
        replace(SETTINGS, epochs=2, batch_norm="update", micro_batch=9, class_weights=True, unfreeze_every=1, ema_decay=0.0)
    )


def _sets(given: Given) -> None:
    settings = replace(SETTINGS, augmentation=Augmentation(mixup=0.3), class_weights=True)
    fine_tune(given.of_sets.to("cuda"), given.sets, settings, device="cuda", resume="never")


def _timed(given: Given) -> None:
    given.tuned(replace(SETTINGS, precision="auto", budget=100.0))


def _resumed(given: Given) -> None:
    settings = replace(SETTINGS, precision="float16")
    given.tuned(settings)
    given.tuned(replace(settings, epochs=2), resume="auto")


def _rates(given: Given) -> None:
    find_rate(given.classifier, given.samples, SETTINGS, steps=10)


def _article(given: Given) -> None:
    classifier = given.classifier
    batches: Any = [(torch.zeros(4, 3, 16, 16), torch.tensor([0, 1, 2, 0]))] * 2
    optimizer = torch.optim.Adam(classifier.head.parameters(), fused=True)
    train(classifier, batches, batches, optimizer, nn.CrossEntropyLoss(), epochs=1, device="cuda")


PATHS: dict[str, Callable[[Given], None]] = {
    "engines": _engines,
    "fit": _fit,
    "predict": _predict,
    "joined": _joined,
    "explain": _explain,
    "moved": _moved,
    "mixed": _mixed,
    "stored": _stored,
    "updated": _updated,
    "sets": _sets,
    "timed": _timed,
    "resumed": _resumed,
    "rates": _rates,
    "article": _article,
}


@pytest.fixture(scope="module")
def sets(colours):
    return load(colours)


@pytest.fixture
def go(samples, sets, tmp_path):
    """``go(path)``: what was seen on the way."""

    def go(name: str) -> Watch:
        given = Given(samples, sets, tmp_path)  # made before: what is made in there is on the device, or watched
        with quiet(), on_device() as watch:
            PATHS[name](given)
        return watch

    return go


@pytest.fixture(scope="module")
def usual():
    """What leaves on each path, by its name, once it was gone."""
    return {}


@pytest.mark.long
@pytest.mark.parametrize("name", PATHS)
def test_everything_is_on_the_device_and_leaves_by_the_doors(go, name):
    watch = go(name)
    assert watch.ran["convolution"] > 0
    assert "float64" not in set().union(*watch.types.values())  # which Apple's devices have not


@pytest.fixture
def no_accelerator():
    """Accelerate as in a new process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("before", ["a training of ours", "somebody's own"])
def test_after_a_device_the_processor_and_the_other_way_round(samples, before):
    """Accelerate refuses to change its device as long as the process lives."""
    settings = replace(SETTINGS, blend=False)
    first = small()
    with quiet(), on_device():
        if before == "somebody's own":
            assert Accelerator().device.type == "cuda"
        fine_tune(first.to("cuda"), samples, settings, device="cuda", resume="never")
    with quiet():
        fine_tune(small(), samples, settings, device="cpu", resume="never")
    again = small()
    with quiet(), on_device():
        fine_tune(again.to("cuda"), samples, settings, device="cuda", resume="never")


def test_features_leave_once_per_batch(go):
    left = go("engines").left
    assert left[ENGINE] == ["_to_copy float32 [5, 8]"] * 3  # each of two engines once, and once for being compared
    assert left["features/engines/reference.py:reference_features"] == ["_to_copy float32 [5, 8]"]


def test_a_step_tells_two_numbers_and_a_validation_its_answers(go):
    left = go("mixed").left
    steps, validations = 2, 1 + 1 + 3  # of the start, of the epoch, of three weights in between
    assert left[LOSS] == ["_local_scalar_dense float32 []"] * steps
    assert left[RIGHT] == ["_local_scalar_dense int64 []"] * steps
    assert left[VALIDATION] == ["_to_copy float32 [2, 6]"] * validations
    while_training = {LOSS, RIGHT, VALIDATION, "fine_tuning/state.py:TrainingState.to_checkpoint"}
    assert {door for door in left if door.startswith("fine_tuning/trainer.py")} <= while_training


def test_a_step_is_asked_for_whole_before_its_numbers_are_waited_for(go):
    order = [name for name in go("mixed").order if name in {"convolution", "convolution_backward", LOSS}]
    before = [order[at - 1] for at, name in enumerate(order) if name == LOSS]
    assert before == ["convolution_backward"] * 2


@pytest.mark.long
def test_16_bits_are_computed_in_16_bits_and_the_loss_is_scaled(go):
    watch = go("mixed")
    assert watch.ran["_amp_foreach_non_finite_check_and_unscale_"] == 2
    assert watch.ran["_fused_adamw_"] % 2 == 0 < watch.ran["_fused_adamw_"]
    assert watch.types["convolution"] == {"float16", "float32"}
    assert go("stored").types["convolution"] == {"bfloat16", "float32"}
    assert go("updated").types["convolution"] == {"float32"}


BY_ITSELF = {
    "cli/": "a verb moves what it has loaded; what it then calls is tried",
    "classifier/load_predictor.py": "likewise",
    "inspection/rank/judging.py": "likewise",
    "training/rank_check.py": "likewise",
    "backbones/tables.py": "a table's one forward pass of zeros",
    "backbones/network_heads.py": "likewise, for a width",
    "reporting/plots/predictions_plot.py": "one photo for a picture, in whoever's network",
    "fine_tuning/trainer.py:Trainer._reduced": "between processes",
    "training/article_loop.py:train:0": "the classifier there is on the device",
    "training/article_loop.py:train_step:0": "likewise",
    "training/article_loop.py:_tested:0": "likewise",
}
"""Moves to the device that these paths do not need, and why."""

PATHS_OF = {
    "features/": ["engines"],
    "backbones/": ["engines"],
    "classifier/": ["predict"],
    "inspection/": ["explain"],
    "training/article_loop.py": ["article"],
    "training/": ["fit"],
    "data/joined_preprocess.py": ["joined"],
    "data/": ["mixed"],
    "fine_tuning/fine_tune.py": ["moved"],
    "heads/": ["sets"],
    "fine_tuning/lr_range.py": ["rates"],
    "fine_tuning/state.py": ["resumed"],
    "fine_tuning/kernels/autotune.py": ["timed"],
    "fine_tuning/objectives.py:objective_of": ["mixed", "updated"],
    "fine_tuning/objectives.py:ManyLabels": ["sets"],
    "fine_tuning/training_data.py:ActivationBatches": ["stored"],
    "fine_tuning/": ["mixed"],
}
"""By the beginning of a function's place: on which paths a fault in it is met."""


def _all_forgotten() -> dict[str, Fault]:
    """By place: every move to a device that the program makes."""
    root = Path(tg.__file__).parent
    files = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.py"))]
    return {f"{fault.file}:{fault.function}:{fault.number}": fault for file in files for fault in forgotten(file)}


FORGOTTEN = _all_forgotten()
TRIED = [fault for place, fault in FORGOTTEN.items() if not any(place.startswith(known) for known in BY_ITSELF)]


def _paths_of(place: str) -> list[str]:
    return next(paths for start, paths in PATHS_OF.items() if place.startswith(start))


def _complaint(go: Callable[[str], Watch], usual: dict[str, dict[str, list[str]]], place: str) -> str:
    """What the first path that notices something says."""
    for name in _paths_of(place):
        try:
            watch = go(name)
        except (Misplaced, RuntimeError, AssertionError, TypeError) as fault:
            return str(fault)
        if watch.left != usual[name]:
            return "leaves otherwise than usual"
    return ""


@pytest.fixture
def complaint(go, usual):
    """``complaint(place, fault)``: what is said of a fault that is planted there, after the paths went well without it."""

    def complaint(place: str, fault: AbstractContextManager[None]) -> str:
        for name in _paths_of(place):
            if name not in usual:
                usual[name] = go(name).left
        with fault:
            return _complaint(go, usual, place)

    return complaint


def test_what_is_not_tried_is_there():
    assert [known for known in BY_ITSELF if not any(place.startswith(known) for place in FORGOTTEN)] == []
    assert len(TRIED) > len(FORGOTTEN) / 2


@pytest.mark.parametrize("fault", TRIED, ids=str)
def test_a_forgotten_move_is_noticed(complaint, fault):
    assert complaint(f"{fault.file}:{fault.function}", planted(fault))


TRAINER = "fine_tuning/trainer.py"
DETOURS = {
    ("features/engines/torch_engine.py", "TorchEngine.compute", "self._network(inputs)"): "self._network({inputs})",
    ("features/engines/reference.py", "Normalised.forward", "pixels.float()"): "{pixels}.float()",
    ("backbones/backbone.py", "Backbone.forward", "out.flatten(1)"): "{out}.flatten(1)",
    ("data/preprocess.py", "Preprocess.normalise", "pixels.to(torch.float32)"): "{pixels}.to(torch.float32)",
    ("data/augmentation/augment.py", "Mix.blend", "photos * self.share"): "{photos} * self.share",
    (TRAINER, "Trainer.part", "losses(logits, rows)"): "losses({logits}, rows)",
    (TRAINER, "Trainer.part", "losses.detach().mean()"): "losses.detach().cpu().mean()",
    (TRAINER, "Trainer.step", "state.scaler.update()"): "bool(max(one.grad.norm() for one in self.model.network.parameters()))",
    (TRAINER, "Trainer.validate", "self.objective.found(logits, rows)"): "self.objective.found(logits, rows).cpu()",
    (TRAINER, "Trainer.blend", "torch.lerp(state.start_weights[name], end"): "torch.lerp(state.start_weights[name], {end}",
    ("fine_tuning/objectives.py", "OneClass.losses", "self.labels[rows]"): "self.labels.cpu()[rows].to(logits.device)",
    ("fine_tuning/state.py", "Ema.update", "self._tensors[name].detach()"): "self._tensors[name].detach().cpu()",
    ("fine_tuning/state.py", "Ema.values", "tensor.detach().clone()"): "tensor.detach().cpu()",
    ("fine_tuning/kernels/prepared_model.py", "Network.forward", "self.body(inputs)"): "self.body({inputs})",
    ("fine_tuning/training_data.py", "TrainingData.clean", ".to(self.device)"): ".to(self.device).cpu().to(self.device)",
    ("inspection/attribution.py", "_grad_cam", "slope.mean"): "{slope}.mean",
    ("classifier/predict.py", "_checked_inputs", "inputs.isfinite()"): "inputs.cpu().isfinite()",
}
"""Where something is planted, and what: ``{x}`` is ``x`` taken to the processor and back."""


@pytest.mark.parametrize(("place", "new"), DETOURS.items(), ids=[" ".join(place[1:]) for place in DETOURS])
def test_a_detour_over_the_processor_is_noticed(complaint, place, new):
    file, function, old = place
    detour = re.sub(r"{(\w+)}", r"\1.cpu().to(\1.device)", new)
    assert complaint(f"{file}:{function}", rewritten(file, function, old, detour))
