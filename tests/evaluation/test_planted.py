"""Faults planted in real photos are found: features come from the program's own engine."""

import numpy as np
import pytest
from PIL import Image

from tsugiki.data.load import load
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.duplicates import Prints, find_duplicates, find_leaks
from tsugiki.evaluation.label_issues import find_suspects
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.out_of_distribution import distance, judge_rejection, threshold_at, training_distance
from tsugiki.evaluation.predictions import Predictions, evaluate_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.material,
    pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def looker(material, tmp_path_factory):
    """Digests of files to features ``[N, D]`` and perceptual hashes, by MobileNetV2."""
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.features.executor import FAST
    from tsugiki.features.extract import Extractor, FeatureSettings
    from tsugiki.features.store import FeatureStore

    weights = material / "weights" / "mobilenetv2_100.same_pad.safetensors"
    backbone = load_backbone("timm:mobilenetv2_100", weights=weights, model_args={"pad_type": "same"})
    store = FeatureStore(tmp_path_factory.mktemp("features"))
    extractor = Extractor(backbone, settings=FeatureSettings(store=store))

    def look(samples):
        vectors = extractor(samples, FAST).vectors()
        facts = store.facts(samples.digests)
        return vectors, np.array([fact.perceptual_hash for fact in facts if fact is not None])

    return look


@pytest.fixture(scope="module")
def hymenoptera(material, looker):
    samples = load(material / "data" / "hymenoptera")
    return samples, *looker(samples)


@pytest.fixture(scope="module")
def food(material, looker):
    samples = load(material / "data" / "food3")
    return samples, *looker(samples)


def fit(features, labels):
    """The program's own head."""
    from tsugiki.features.store import FeatureRows
    from tsugiki.heads.linear import Labelled, fit_linear_head

    return fit_linear_head(Labelled(FeatureRows(features, np.arange(len(labels))), labels), int(labels.max()) + 1)


def test_held_out_copies_are_reported_and_the_clean_folder_is_left_alone(hymenoptera, looker, tmp_path):
    samples, features, hashes = hymenoptera
    clean = find_duplicates(Prints(samples.digests, hashes, features, samples.splits))
    assert len(clean) <= 2
    rng = np.random.default_rng(0)
    rows = rng.choice(samples.rows_of("train"), 10, replace=False)
    for place, row in enumerate(rows):
        with Image.open(samples.paths[row]) as photo:
            scale = rng.uniform(0.4, 1.3)
            small = photo.convert("RGB").resize((int(photo.width * scale), int(photo.height * scale)))
        folder = tmp_path / "test" / samples.classes[samples.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        small.save(folder / f"IMG_{place}.jpg", quality=int(rng.integers(40, 90)))
    for name in samples.classes:  # a folder that can be loaded has the other split too
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "train" / name / "noise.png")
    copies = load(tmp_path).of("test")
    copy_features, copy_hashes = looker(copies)
    splits = [*samples.splits, *["test"] * len(copies)]
    prints = Prints(
        [*samples.digests, *copies.digests],
        np.concatenate([hashes, copy_hashes]),
        np.concatenate([features, copy_features]),
        splits,
    )
    leaks = find_leaks(find_duplicates(prints), splits, "test")
    assert len(leaks) >= 9
    assert set(leaks.values()) <= set(rows.tolist())


def test_wrong_labels_are_among_the_first_suspects(hymenoptera):
    samples, features, _ = hymenoptera
    rows = samples.rows_of("train")
    truth = samples.labels[rows]
    for seed in range(3):
        wrong = np.random.default_rng(seed).choice(len(rows), 12, replace=False)
        labels = truth.copy()
        labels[wrong] = 1 - labels[wrong]
        suspects = find_suspects(labels, softmax(fit(features[rows], labels).out_of_fold))
        assert len({one.row for one in suspects[:24]} & set(wrong.tolist())) >= 9


def test_photos_of_other_things_are_not_known(hymenoptera, food):
    for known, unlike in ((hymenoptera, food), (food, hymenoptera)):
        samples, features, _ = known
        training = features[samples.rows_of("train")]
        threshold = threshold_at(training_distance(training))
        held_out = distance(features[samples.rows_of(samples.held_out)], training)
        found = judge_rejection(held_out, distance(unlike[1], training), threshold)
        assert found.auroc >= 0.9
        assert found.rejected >= 0.9
        assert found.false_reject_interval[0] <= 0.05 <= found.false_reject_interval[1]


def test_the_temperature_does_not_raise_the_calibration_error(hymenoptera, food):
    for samples, features, _ in (hymenoptera, food):
        rows, held_out = samples.rows_of("train"), samples.of(samples.held_out)
        labels = samples.labels[rows]
        head = fit(features[rows], labels)
        temperature = fit_temperature(head.out_of_fold, labels)
        logits = features[samples.rows_of(samples.held_out)] @ head.weight.numpy().T + head.bias.numpy()
        answers = Predictions(held_out.names, held_out.splits, held_out.labels, softmax(logits, temperature), samples.classes)
        calibration = evaluate_rows(answers, split=samples.held_out, temperature=temperature)["calibration"]
        assert calibration["after"]["ece"] <= calibration["before"]["ece"]
        assert calibration["after"]["log_loss"] <= calibration["before"]["log_loss"]
