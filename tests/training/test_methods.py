"""One function trains by either method, compares them on the same held-out photos, and leaves one classifier."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fine_tuning.conftest import draw_photos, state_of, tiny_classifier
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import DataError, RequestError, TrainingError
from tsugiki.data.augmentation.augment import NO_AUGMENTATION
from tsugiki.data.load import load
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.training_data import split_for_validation
from tsugiki.heads import linear
from tsugiki.reporting.run_folder import save_run
from tsugiki.training import fit as fitting
from tsugiki.training.fit import FineTuning, fit

SETTINGS = FineTuneSettings(epochs=2, batch_size=16, precision="float32")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("methods")
    draw_photos(root, train=8, test=4)
    return root


def bundled(photos: Path) -> Classifier:
    return Classifier("bundled:nae", classes=load(photos).classes)


@pytest.mark.long
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


@pytest.mark.robust(
    "surface",
    case="a search for suspects that fails after training",
    right="the run is kept; every finding says so",
)
def test_findings_that_fail_lose_no_run(photos, tmp_path, monkeypatch, capsys):
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(fitting, "inspect", broken)
    run = fit(bundled(photos), photos)
    assert "ZeroDivisionError division by zero" in capsys.readouterr().err
    folder = save_run(run, tmp_path / "run")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("Nobody knows: the search ended with an error.") >= 3
    assert "too few photos" not in page
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["findings"]["odd"] is None
    assert "could not be made" not in capsys.readouterr().err
    assert (folder / "README.md").is_file()


@pytest.mark.robust("networks", case="--weights none", right="random features do not call different photos copies")
def test_random_weights_have_no_say_in_what_is_a_copy(drawn_sample):
    torch.manual_seed(0)
    samples = load(drawn_sample)
    model = Classifier("timm:test_resnet", classes=samples.classes, weights="none")
    table = extract(samples, model.backbone, preprocess=model.preprocess)
    assert table.duplicates == []
    assert replace(table, looks=True, memory=None).duplicates != []


@pytest.mark.long
@pytest.mark.parametrize("drawn", [True, False])
def test_a_photo_that_vanishes_while_the_network_learns_costs_no_run(photos, tmp_path, drawn):
    """The others stay in the split that they were trained in: none that was learned from is judged."""
    root = tmp_path / "photos"
    for path in photos.rglob("*.png"):
        target = root / (path.parent.name if drawn else path.parent.relative_to(photos)) / f"{path.parents[1].name}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    samples = load(root)
    assert (samples.draw is not None) == drawn
    lost = [samples.names[rows[0]] for rows in (samples.train_rows, samples.held_out_rows)]

    def on_epoch(row: dict[str, float]) -> None:
        for name in lost if row["epoch"] == 1 else []:
            (root / name).unlink()

    model = bundled(photos)
    run = fit(model, samples, method="fine-tune", fine_tuning=FineTuning(SETTINGS, on_epoch=on_epoch))
    judged = {samples.names[row] for row in samples.held_out_rows} - set(lost)
    assert set(run.predictions.names) == judged
    assert run.evaluation["fine_tuning"]["n"] == len(judged)
    assert run.samples.draw == (replace(samples.draw, settled=True) if drawn else None)
    assert [entry.name for entry in run.samples.left_out] == sorted(lost, key=samples.names.index)
    assert len(run.out_of_fold) == len(run.samples.train_rows) == len(samples.train_rows) - 1
    assert run.findings.contradictions == ()  # of the fine-tuned features, all photos of a class would be copies


IMPOSSIBLE = {
    "layers": ({"settings": replace(SETTINGS, unfreeze="99")}, "fewer layer groups"),
    "a name": ({"settings": replace(SETTINGS, unfreeze="nowhere")}, "no layer group called"),
    "budget": ({"settings": replace(SETTINGS, budget=0.001)}, "budget is too short"),
    "resume": ({"resume": "must"}, "nothing to continue"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize("method", ["fine-tune", "auto"])
def test_what_cannot_work_is_refused_before_a_feature_is_computed(photos, tmp_path, monkeypatch, method, name):
    options, words = IMPOSSIBLE[name]
    monkeypatch.setattr(fitting, "extract", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(RequestError, match=words):
        fit(bundled(photos), photos, method=method, fine_tuning=FineTuning(folder=tmp_path / "c", **options))
    assert not (tmp_path / "c").exists()


def test_folders_that_cannot_hold_checkpoints_are_refused_at_once(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "extract", lambda *_, **__: pytest.fail("too late"))
    (tmp_path / "c").write_text("mine")
    for folder in (tmp_path / "c", str(tmp_path / "c" / "d")):
        with pytest.raises(RequestError, match="file in its place"):
            fit(bundled(photos), photos, method="fine-tune", fine_tuning=FineTuning(SETTINGS, folder=folder))
    with pytest.raises(RequestError, match="Without a folder"):
        fit(bundled(photos), photos, method="fine-tune", fine_tuning=FineTuning(SETTINGS, resume="must"))


def test_other_kinds_of_things_are_refused(photos):
    for options in ({"resume": "yes"}, {"settings": {"epochs": 3}}):
        with pytest.raises(RequestError):
            FineTuning(**options)
    for options in ({"fine_tuning": SETTINGS}, {"settings": SETTINGS}, {"fine_tuning": {"epochs": 3}}):
        with pytest.raises(RequestError, match="something else"):
            fit(bundled(photos), photos, method="fine-tune", **options)


@pytest.mark.parametrize("reason", [TrainingError("The loss broke."), DataError("Too many near copies.")])
def test_auto_keeps_the_frozen_backbone_where_fine_tuning_fails(photos, monkeypatch, capsys, reason):
    model = bundled(photos)
    before = state_of(model.backbone)
    monkeypatch.setattr(fitting, "fine_tune", lambda *_, **__: (_ for _ in ()).throw(reason))
    run = fit(model, photos, method="auto", fine_tuning=FineTuning(SETTINGS))
    assert f"fine-tuning was not possible. {reason.what}" in capsys.readouterr().err
    assert run.evaluation["n"] == 12
    assert (run.classifier.notes["method"], run.classifier.notes["asked_for"]) == ("transfer", "auto")
    assert all(torch.equal(before[name], one) for name, one in model.backbone.state_dict().items())
    with pytest.raises(type(reason)):
        fit(bundled(photos), photos, method="fine-tune", fine_tuning=FineTuning(SETTINGS))


def test_auto_does_not_try_to_fine_tune_on_too_few_photos(tmp_path, monkeypatch, capsys):
    draw_photos(tmp_path, train=1, test=4)
    monkeypatch.setattr(fitting, "fine_tune", lambda *_, **__: pytest.fail("there is nothing to validate on"))
    run = fit(bundled(tmp_path), tmp_path, method="auto", fine_tuning=FineTuning(SETTINGS))
    assert run.classifier.notes["method"] == "transfer"
    assert "too few training photos" in capsys.readouterr().err


def test_the_head_under_fine_tuning_learns_from_views_and_near_copies_stay_together(tmp_path, monkeypatch):
    draw_photos(tmp_path, train=6, test=4)
    for path in sorted((tmp_path / "train").rglob("*.png")):  # the same pixels in another file
        Image.open(path).save(path.with_suffix(".tiff"))
    seen: dict[str, Any] = {}

    def stopped(_classifier, samples, settings, *, starting_point, **_):
        learned, checked = split_for_validation(samples, settings, starting_point.groups)
        seen.update(learned={samples.paths[row].with_suffix("") for row in learned}, rows=len(learned))
        seen.update(checked={samples.paths[row].with_suffix("") for row in checked})
        apart = split_for_validation(samples, settings)
        seen["apart"] = [{samples.paths[row].with_suffix("") for row in rows} for rows in apart]
        starting_point.fit_head(learned)
        raise TrainingError("Enough is known.")

    fitted: list[int] = []
    fit_linear_head = linear.fit_linear_head
    monkeypatch.setattr(fitting, "fine_tune", stopped)
    monkeypatch.setattr(
        linear, "fit_linear_head", lambda data, *a, **b: (fitted.append(len(data.labels)), fit_linear_head(data, *a, **b))[1]
    )
    with pytest.raises(TrainingError, match="Enough"):
        fit(
            bundled(tmp_path), tmp_path, method="fine-tune", features=FeatureSettings(views=2), fine_tuning=FineTuning(SETTINGS)
        )
    assert seen["apart"][0] & seen["apart"][1]  # by content alone they are other photos
    assert not seen["learned"] & seen["checked"]
    assert fitted[1:] == [3 * seen["rows"]]
