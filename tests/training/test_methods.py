"""One function trains by either method, compares them on the same held-out photos, and leaves one classifier."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.fine_tune.conftest import draw_photos, state_of, tiny_classifier
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import RequestError
from tsugiki.data.augmentation import NO_AUGMENTATION
from tsugiki.data.loading import load
from tsugiki.training.fine_tune.settings import FineTuneSettings
from tsugiki.training.methods import FineTuning, fit

SETTINGS = FineTuneSettings(epochs=2, batch_size=16, precision="float32")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("methods")
    draw_photos(root, train=8, test=4)
    return root


def bundled(photos: Path) -> Classifier:
    return Classifier("bundled:nae", classes=load(photos).classes)


def test_fine_tuning_trains_in_place_and_is_judged(photos, tmp_path):
    model = bundled(photos)
    before = state_of(model.backbone)
    said: list[dict[str, float]] = []
    run = fit(model, photos, method="fine-tune", fine_tuning=FineTuning(SETTINGS, on_epoch=said.append))
    assert run.classifier is model
    assert said == run.history
    assert any(not torch.equal(before[name], one) for name, one in model.backbone.state_dict().items())
    assert not any(one.requires_grad for one in model.backbone.parameters())
    comparison = json.loads(json.dumps(run.evaluation))["fine_tuning"]
    assert comparison["n"] == run.evaluation["n"] == 12
    assert comparison["fine_tuned"]["accuracy"] == run.evaluation["accuracy"]
    assert run.classifier.notes["method"] == "fine-tune"
    assert run.classifier.notes["batch_norm"] == "frozen"
    assert model.unknown is not None
    # What predict says is what was judged.
    names = [photos / name for name in run.predictions.names]
    assert [answer.label for answer in model.predict(names)] == [model.classes[one] for one in run.predictions.predicted]
    model.save(tmp_path / "run")
    loaded = Classifier.load(tmp_path / "run")
    assert all(torch.equal(one, loaded.state_dict()[name]) for name, one in model.state_dict().items())
    assert loaded.backbone.origin == model.backbone.origin


@pytest.fixture(scope="module")
def ridges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with and without faint ridges: random features see little of them, trained ones all."""
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("ridges")
    ridge = 40 * (np.indices((36, 36))[0] // 3 % 2)[..., None]
    for split, count in (("train", 30), ("test", 6)):
        for name, drawn in (("flat", np.full_like(ridge, 20)), ("ridged", ridge)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 200, (36, 36, 3)) + drawn
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{number}.png")
    return root


@pytest.mark.parametrize(("lr", "method"), [(1e-3, "fine-tune"), (1e-12, "transfer")])
def test_auto_keeps_what_validation_prefers(ridges, capsys, lr, method):
    """With a rate that learns nothing the two are the same, and the simpler one is kept."""
    model = tiny_classifier(("flat", "ridged"))
    before = state_of(model.backbone)
    settings = replace(SETTINGS, epochs=8, lr=lr, val_share=0.4, ema_decay=0.0, augmentation=NO_AUGMENTATION, compile="off")
    settings = replace(settings, memory_format="contiguous")
    run = fit(model, ridges, method="auto", fine_tuning=FineTuning(settings))
    notes = run.classifier.notes
    assert notes["method"] == method
    assert notes["asked_for"] == "auto"
    validated = (notes if method == "fine-tune" else notes["fine_tuning"])["validated"]
    assert validated["photos"] == 24
    assert (validated["fine_tuned"] > validated["start"]) == (method == "fine-tune")
    assert (
        f"({validated['fine_tuned' if method == 'fine-tune' else 'start']:.1%} of 24 validation photos"
        in capsys.readouterr().err
    )
    moved = any(not torch.equal(before[name], one) for name, one in model.backbone.state_dict().items())
    assert moved == (method == "fine-tune")
    kept = "fine_tuned" if method == "fine-tune" else "frozen_head"
    assert run.evaluation["fine_tuning"][kept]["accuracy"] == run.evaluation["accuracy"]


def test_an_unknown_method_is_refused(photos):
    with pytest.raises(RequestError, match="no such method"):
        fit(bundled(photos), photos, method="magic")
