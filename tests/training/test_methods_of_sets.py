"""A fit on photos with several labels: frozen stays frozen, and what is fine-tuned is calibrated, judged and compared."""

import json

import pytest
import torch

import tsugiki as tg
from tests.fine_tuning.conftest import state_of
from tsugiki.core.errors import RequestError
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.heads.linear import HeadSettings
from tsugiki.training.fit import FineTuning

HEAD = HeadSettings(epochs=5, threshold="recall=0.9")
SETTINGS = FineTuneSettings(epochs=2, batch_size=16, precision="float32", compile="off", memory_format="contiguous")


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return FeatureSettings(store=FeatureStore(tmp_path_factory.mktemp("store")))


def fitted(plates, features, method, settings=SETTINGS):
    samples = tg.load(plates)
    model = tg.Classifier("bundled:nae", classes=samples.classes, task="multi")
    before = state_of(model.backbone)
    tuning = None if method == "transfer" else FineTuning(settings)
    return tg.fit(model, samples, method=method, settings=HEAD, features=features, fine_tuning=tuning), before


def test_frozen_means_frozen(plates, features):
    run, before = fitted(plates, features, "transfer")
    after = state_of(run.classifier.backbone)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)  # every parameter and every buffer
    assert run.classifier.head.weight.abs().sum() > 0


@pytest.mark.long
def test_what_is_fine_tuned_is_calibrated_on_validation_photos_and_compared(plates, features, tmp_path, capsys):
    run, before = fitted(plates, features, "fine-tune")
    model = run.classifier
    after = state_of(model.backbone)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert not any(one.requires_grad for one in model.backbone.parameters())
    assert model.notes["calibration"] == "validation"
    thresholds = {"goal": "recall=0.9", "chosen_on": "validation"}
    assert {name: model.notes["thresholds"][name] for name in thresholds} == thresholds
    comparison = json.loads(json.dumps(run.evaluation))["fine_tuning"]
    assert comparison["n"] == run.evaluation["n"] == 18
    assert comparison["fine_tuned"]["mean_average_precision"] == run.evaluation["mean_average_precision"]
    assert list(run.history[0])[1:5] == ["train_loss", "train_map", "val_loss", "val_map"]
    assert "held-out photos: mean average precision" in capsys.readouterr().err.replace("\n", " ")
    # What predict says is what was judged, from the folder too.
    names = [plates.parent / name for name in run.predictions.names]
    shown = [answer.label for answer in model.predict(names)]
    assert shown == [run.predictions.answer_text(row) for row in range(len(run.predictions))]
    model.save(tmp_path / "run")
    assert [answer.label for answer in tg.Classifier.load(tmp_path / "run").predict(names)] == shown
    assert model.explain(names[0]).prediction.labels == model.predict(names[0]).labels


@pytest.mark.long
def test_of_both_methods_the_one_is_kept_that_validation_prefers(plates, features, capsys):
    run, before = fitted(plates, features, "auto")
    after = state_of(run.classifier.backbone)
    kept_frozen = all(torch.equal(before[name], after[name]) for name in before)
    notes = run.classifier.notes
    validated = (notes["fine_tuning"] if kept_frozen else notes)["validated"]
    assert (notes["method"] == "transfer") == kept_frozen == (validated["fine_tuned"] <= validated["start"])
    said = capsys.readouterr().err
    assert f"Kept: the {'frozen backbone' if kept_frozen else 'fine-tuned classifier'}" in said
    assert "mean average precision" in said
    kept = run.evaluation["fine_tuning"]["frozen_head" if kept_frozen else "fine_tuned"]
    assert kept["mean_average_precision"] == run.evaluation["mean_average_precision"]


def test_one_label_per_photo_is_not_asked_of_photos_with_several(plates):
    from tsugiki.fine_tuning.fine_tune import fine_tune
    from tsugiki.fine_tuning.lr_range import find_rate

    samples = tg.load(plates)
    model = tg.Classifier("bundled:nae", classes=samples.classes)
    for ask in (fine_tune, find_rate):
        with pytest.raises(RequestError, match="one label per photo"):
            ask(model, samples)
