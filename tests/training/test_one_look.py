"""What a fit leaves alone: the held-out photos until everything is decided, the caller's generators, numbers nobody knows."""

import csv
import json
import random

import numpy as np
import pytest
import torch

import tsugiki as tg
from tests.fine_tuning.conftest import draw_photos
from tsugiki.core.errors import RequestError
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.audit import audit
from tsugiki.locale.messages import speaking
from tsugiki.training import fit as fitting
from tsugiki.training.fit import FineTuning

CLASSES = ("pizza", "steak", "sushi")
QUICK = HeadSettings(epochs=5)


@pytest.fixture
def features(tmp_path):
    return FeatureSettings(store=FeatureStore(tmp_path / "store"))


@pytest.mark.long
@pytest.mark.parametrize("method", ["fine-tune", "auto"])
def test_held_out_photos_are_judged_only_after_fine_tuning(tmp_path, features, monkeypatch, capsys, method):
    draw_photos(tmp_path / "photos", train=8, test=4)
    happened = []

    def watched(name, function):
        def call(*words, **options):
            happened.append(name)
            return function(*words, **options)

        return call

    def tuned(*words, **options):
        said = capsys.readouterr().err
        assert "held-out photos answered right" not in said
        happened.append("fine-tuned")
        return fine_tune(*words, **options)

    fine_tune = fitting.fine_tune
    monkeypatch.setattr(fitting, "fine_tune", tuned)
    monkeypatch.setattr(fitting, "judge", watched("judged", fitting.judge))
    samples = tg.load(tmp_path / "photos")
    model = tg.Classifier("bundled:nae", classes=samples.classes)
    settings = FineTuneSettings(epochs=1, batch_size=16, precision="float32")
    run = tg.fit(model, samples, method=method, settings=QUICK, features=features, fine_tuning=FineTuning(settings))
    assert happened == ["fine-tuned", "judged", "judged"]
    assert f"{run.evaluation['accuracy']:.1%} of 12 held-out photos answered right" in capsys.readouterr().err


def test_the_callers_generators_are_not_touched(dishes, nae, features):
    model = tg.Classifier(nae, classes=CLASSES)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    tg.fit(model, dishes, settings=QUICK, features=features)
    after = random.getstate(), np.random.get_state(), torch.get_rng_state()
    assert before[0] == after[0]
    assert all(np.array_equal(one, other) for one, other in zip(before[1], after[1], strict=True))
    assert torch.equal(before[2], after[2])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_number_that_is_no_seed_is_refused(seed):
    with pytest.raises(RequestError, match="seed: a whole number, 0 to 4294967295"):
        HeadSettings(seed=seed)


def manifest(dishes, path, group):
    """The photos with a column of groups."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "group"])
        for photo in sorted(dishes.rglob("*.jpg")):
            split, label = photo.parent.parent.name, photo.parent.name
            writer.writerow([photo, label, split, group(split, label)])
    return path


@pytest.mark.parametrize("group", [lambda split, _: split, "{}-{}".format], ids=["one group", "a group per class"])
def test_what_cannot_be_cross_validated_is_said_and_not_estimated(dishes, nae, features, tmp_path, capsys, group):
    model = tg.Classifier(nae, classes=CLASSES)
    table = manifest(dishes, tmp_path / "photos.csv", group)
    run = tg.fit(model, table, settings=QUICK, features=features)
    assert "Cross-validation is impossible" in capsys.readouterr().err
    assert run.out_of_fold is None
    assert run.evaluation["calibration"]["temperature"] is None
    assert run.evaluation["calibration"]["before"] == run.evaluation["calibration"]["after"]
    assert (model.temperature, model.unknown, model.notes["calibration"]) == (1.0, None, "not estimated")
    assert run.evaluation["accuracy"] >= 0.6, "it has learned all the same"
    folder = tg.save_run(run, tmp_path / "run")
    stored = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert stored["calibration"]["temperature"] is None
    assert stored["findings"]["suspects"] is None
    loaded = tg.Classifier.load(folder)
    assert tg.evaluate(loaded, table, store=features.store).document["calibration"]["temperature"] is None


def test_an_audit_of_such_photos_says_so(dishes, features, tmp_path, capsys):
    table = manifest(dishes, tmp_path / "photos.csv", lambda _, label: label)
    with speaking("ja"):
        found = audit(table, features=features)
    assert "交差検証ができません" in capsys.readouterr().err
    assert found.accuracy is None
    assert found.findings.examined == 0
    assert found.to_dict()["cross_validated_accuracy"] is None


def test_an_audit_keeps_the_photos_of_a_subject_together(dishes, features, tmp_path):
    """A class per subject by chance: only who has seen the subject can know it."""
    rows = ["path,label,split,group"]
    for photo in sorted(dishes.rglob("*.jpg")):
        subject = f"{photo.parent.name}-{int(photo.stem) // 3}"
        rows += [f"{photo},{'ab'[int(photo.stem) // 3 % 2]},train,{subject}"]
        with photo.open("rb") as file:
            copy = tmp_path / f"{photo.parent.name}-{photo.stem}.jpg"
            copy.write_bytes(file.read() + b"\0")
        rows += [f"{copy},{'ab'[int(photo.stem) // 3 % 2]},train,{subject}"]
    (tmp_path / "photos.csv").write_text("\n".join(rows), encoding="utf-8")
    grouped = audit(tmp_path / "photos.csv", features=features)
    units = grouped.table.groups_of(range(len(grouped.samples)))
    assert grouped.samples.groups is not None
    assert len(set(units)) <= 18
    assert grouped.accuracy is not None
    assert grouped.accuracy < 0.75
