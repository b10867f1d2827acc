"""One function trains by either method, compares them on the same held-out photos, and leaves one classifier."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.fine_tune.conftest import draw_photos, state_of
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import RequestError
from tsugiki.data.loading import load
from tsugiki.training import methods
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
    assert "BatchNorm" in run.classifier.notes["batch_norm"]
    assert model.unknown is not None
    # What predict says is what was judged.
    names = [photos / name for name in run.predictions.names]
    assert [answer.label for answer in model.predict(names)] == [model.classes[one] for one in run.predictions.predicted]
    model.save(tmp_path / "run")
    loaded = Classifier.load(tmp_path / "run")
    assert all(torch.equal(one, loaded.state_dict()[name]) for name, one in model.state_dict().items())
    assert loaded.backbone.origin == model.backbone.origin


@pytest.mark.parametrize("prefers", [True, False])
def test_auto_keeps_what_validation_prefers(photos, monkeypatch, prefers):
    monkeypatch.setattr(methods, "prefers_fine_tuning", lambda _notes: prefers)
    model = bundled(photos)
    before = state_of(model.backbone)
    run = fit(model, photos, method="auto", fine_tuning=FineTuning(SETTINGS))
    moved = any(not torch.equal(before[name], one) for name, one in model.backbone.state_dict().items())
    assert moved == prefers
    assert run.classifier.notes["method"] == ("fine-tune" if prefers else "transfer")
    kept = "fine_tuned" if prefers else "frozen_head"
    assert run.evaluation["fine_tuning"][kept]["accuracy"] == run.evaluation["accuracy"]


def test_an_unknown_method_is_refused(photos):
    with pytest.raises(RequestError, match="no such method"):
        fit(bundled(photos), photos, method="magic")
