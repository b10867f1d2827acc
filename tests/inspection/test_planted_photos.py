"""Faults planted among real photos come out of a whole run: copied files, wrong labels, photos of something else."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tsugiki.classifier.classifier import Classifier
from tsugiki.data.load import load
from tsugiki.evaluation.out_of_distribution import auroc
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.training.fit import fit

pytestmark = [pytest.mark.slow, pytest.mark.material]


@pytest.fixture(scope="module")
def trained(material, tmp_path_factory):
    """Train MobileNetV2's head on samples or a folder; features are shared between the tests."""
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    weights = material / "weights" / "mobilenetv2_100.same_pad.safetensors"

    def train(data):
        samples = load(data, index=store) if not hasattr(data, "labels") else data
        model = Classifier("timm:mobilenetv2_100", classes=samples.classes, weights=weights, model_args={"pad_type": "same"})
        return fit(model, samples, features=FeatureSettings(store=store))

    return train


@pytest.fixture(scope="module")
def hymenoptera(material, trained):
    return trained(material / "data" / "hymenoptera")


def test_held_out_copies_are_reported_beside_the_score(material, trained, hymenoptera, tmp_path):
    assert hymenoptera.evaluation["leaks"]["n"] <= 2
    folder = tmp_path / "photos"
    shutil.copytree(material / "data" / "hymenoptera", folder)
    rng = np.random.default_rng(0)
    originals = [
        sorted((folder / "train" / name).glob("*.jpg"))[number] for name in ("ants", "bees") for number in range(0, 50, 10)
    ]
    for number, path in enumerate(originals):
        with Image.open(path) as photo:
            scale = rng.uniform(0.4, 1.3)
            small = photo.convert("RGB").resize((int(photo.width * scale), int(photo.height * scale)))
        small.save(folder / "val" / path.parent.name / f"IMG_{number}.jpg", quality=int(rng.integers(40, 90)))
    leaks = trained(folder).evaluation["leaks"]
    found = {one["path"]: one["twin"] for one in leaks["photos"]}
    right = [
        number
        for number, path in enumerate(originals)
        if found.get(f"val/{path.parent.name}/IMG_{number}.jpg") == path.relative_to(folder).as_posix()
    ]
    assert len(right) >= 9
    assert leaks["n"] - len(right) <= 2
    assert leaks["n_clean"] == 163 - leaks["n"]


def test_planted_wrong_labels_are_among_the_first_suspects(trained, hymenoptera):
    samples = hymenoptera.samples
    wrong = np.random.default_rng(1).choice(samples.rows_of("train"), 12, replace=False)
    labels = samples.labels.copy()
    labels[wrong] = 1 - labels[wrong]
    suspects = trained(replace(samples, labels=labels)).findings.suspects
    assert len({one.row for one in suspects[:24]} & set(wrong.tolist())) >= 9


@pytest.mark.parametrize("name", ["hymenoptera", "food3"])
def test_calibration_does_not_make_it_worse(material, trained, name):
    calibration = trained(material / "data" / name).evaluation["calibration"]
    assert calibration["after"]["ece"] <= calibration["before"]["ece"]


def test_food_is_not_known_to_a_classifier_of_insects(material, hymenoptera):
    classifier = hymenoptera.classifier
    food = classifier.predict(sorted((material / "data" / "food3" / "test").rglob("*.jpg"))[::2])
    insects = classifier.predict(sorted((material / "data" / "hymenoptera" / "val").rglob("*.jpg"))[::3])
    distances = [np.array([one.distance for one in part]) for part in (insects, food)]
    assert auroc(*distances) >= 0.9
    assert np.mean([not one.known for one in food]) >= 0.8
