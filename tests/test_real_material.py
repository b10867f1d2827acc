"""The main job on real photos and real weights, as issue after issue asks for it. Skipped, saying so, where they are not."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.data.load import load
from tsugiki.features.engines.engine import mean_cosine, worst_difference
from tsugiki.features.executor import EXACT, FAST
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.store import FeatureRows, FeatureStore
from tsugiki.heads.linear import Labelled, fit_linear_head
from tsugiki.heads.solver import Scaling

pytestmark = [pytest.mark.material, pytest.mark.slow]

MOBILENETS = {
    "timm": ("timm:mobilenetv2_100", "mobilenetv2_100.same_pad.safetensors", {"pad_type": "same"}),
    "torchvision": ("mobilenet_v2", "mobilenet_v2.torchvision.pth", {}),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def backbone(material):
    def load(kind):
        if kind == "nae":
            return load_backbone("bundled:nae")
        name, weights, args = MOBILENETS[kind]
        return load_backbone(name, weights=material / "weights" / weights, model_args=args)

    return load


@pytest.mark.parametrize(("kind", "at_least"), [("timm", 0.95), ("torchvision", 0.93)])
def test_hymenoptera_through_the_command_line(run_cli, material, tmp_path, kind, at_least):
    photos, target = material / "data" / "hymenoptera", tmp_path / "run"
    name, weights, args = MOBILENETS[kind]
    words = [word for key, value in args.items() for word in ("--model-arg", f"{key}={value}")]
    done = run_cli("fit", photos, "--backbone", name, "--weights", material / "weights" / weights, *words, "--out", target)
    assert done.returncode == 0, done.stderr
    assert ".gif" in done.stderr
    stored = json.loads((target / "evaluation.json").read_text(encoding="utf-8"))
    assert (stored["split"], stored["n"]) == ("val", 153)
    assert stored["accuracy"] >= at_least
    rows = list(csv.DictReader((target / "predictions.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == stored["accuracy"]
    judged = run_cli("evaluate", target, photos, "--json")
    assert json.loads(judged.stdout)["accuracy"] == stored["accuracy"]
    asked = run_cli("predict", target, photos / "val", "--format", "json")
    answers = {answer["path"].rpartition("/val/")[2]: answer for answer in json.loads(asked.stdout)}
    assert len(answers) == 153
    for row in rows:
        answer = answers[row["path"].removeprefix("val/")]
        assert answer["label"] == row["predicted"]
        for label, probability in answer["probabilities"].items():
            assert probability == pytest.approx(float(row[f"probability:{label}"]), abs=1e-4)


def test_food3_runs(material, backbone, store):
    photos = material / "data" / "food3"
    samples = load(photos, index=store)
    model = tg.Classifier(backbone("timm"), classes=samples.classes)
    run = tg.fit(model, samples, features=FeatureSettings(store=store))
    assert run.evaluation["split"] == "test"
    assert run.evaluation["accuracy"] >= 0.8


@pytest.mark.parametrize("kind", ["nae", "timm", "torchvision"])
def test_the_fast_path_agrees_with_the_reference(material, backbone, store, kind):
    """Mean cosine and top-1 of one head, on both sets together; and the engine alone, with its reduced precision left out."""
    root = backbone(kind)
    same, cosines = [], []
    for name in ("hymenoptera", "food3"):
        samples = load(material / "data" / name, index=store)
        extractor = Extractor(root, settings=FeatureSettings(store=store))
        vectors = [extractor(samples, way).vectors() for way in (FAST, EXACT)]
        cosines += [mean_cosine(one[None], other[None]) for one, other in zip(*vectors, strict=True)]
        training = samples.rows_of("train")
        head = fit_linear_head(
            Labelled(FeatureRows(vectors[0], np.array(training)), samples.labels[training]), len(samples.classes)
        )
        answers = [(each @ head.weight.numpy().T + head.bias.numpy()).argmax(axis=1) for each in vectors]
        same += (answers[0] == answers[1]).tolist()
    assert np.mean(cosines) >= 0.999
    assert np.mean(same) >= 0.995


def test_exact_features_are_one_whatever_engine_computes_them(material, backbone, tmp_path):
    root = backbone("timm")
    samples = load(material / "data" / "hymenoptera", index=FeatureStore(tmp_path / "s"))
    some = samples.take(range(0, len(samples), 8))
    found = []
    for engine in ("torch", "openvino"):
        settings = FeatureSettings(engine=engine, store=FeatureStore(tmp_path / engine))
        found.append(Extractor(root, settings=settings)(some, EXACT).vectors())
    assert worst_difference(found[1], found[0]) < 1e-4


@pytest.mark.parametrize("kind", ["nae", "timm"])
@pytest.mark.parametrize("name", ["hymenoptera", "food3"])
def test_the_head_is_not_worse_than_scikit_learns_logistic_regression(material, backbone, store, kind, name):
    from sklearn.linear_model import LogisticRegressionCV

    root = backbone(kind)
    samples = load(material / "data" / name, index=store)
    run = tg.fit(tg.Classifier(root, classes=samples.classes), samples, features=FeatureSettings(store=store))
    table = run.table
    frames = table.train_photos
    scaling = Scaling.of(frames)
    labels = table.samples.labels
    oracle = LogisticRegressionCV(
        Cs=np.logspace(-4, 1, 8), cv=5, scoring="neg_log_loss", max_iter=3000, l1_ratios=(0,), use_legacy_attributes=False
    ).fit(scaling(frames.take(slice(None))), labels[table.samples.train_rows])
    truth = labels[table.samples.held_out_rows]
    theirs = oracle.predict_log_proba(scaling(table.held_out))
    count, hits = len(truth), int((theirs.argmax(axis=1) == truth).sum())
    noise = 2 * np.sqrt(max(hits / count * (1 - hits / count), 1 / count) / count)
    assert run.evaluation["accuracy"] >= hits / count - noise
    their_loss = -theirs[np.arange(count), truth].mean()
    assert run.evaluation["log_loss"] <= their_loss * 1.15 + 0.01


def test_frozen_means_frozen_on_real_weights(material, backbone, store):
    root = backbone("torchvision")
    before = {name: tensor.clone() for name, tensor in root.state_dict().items()}
    samples = load(material / "data" / "food3", index=store)
    tg.fit(tg.Classifier(root, classes=samples.classes).train(), samples, features=replace(FeatureSettings(), store=store))
    assert all((tensor == before[name]).all() for name, tensor in root.state_dict().items())
