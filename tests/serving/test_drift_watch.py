"""Photos of another kind are told soon, with since when; photos like the training photos are left in peace."""

import numpy as np
import pytest

from tsugiki.classifier.answer import AnswerHead, Prediction, Unknown
from tsugiki.evaluation.out_of_distribution import threshold_at, training_distance
from tsugiki.evaluation.predictions import Predictions
from tsugiki.serving.drift_watch import FALSE_ALARM_RATE, DriftWatch, Expected

CLASSES = ("ants", "bees", "wasps")
WIDTH = 16


def drawn(dice, count, *, shift=0.0, shares=(1 / 3, 1 / 3, 1 / 3)):
    """Features ``[count, WIDTH]`` of three kinds, and their kinds; ``shift`` moves them all elsewhere."""
    kinds = dice.choice(3, size=count, p=shares)
    middles = 4 * np.eye(3, WIDTH)
    moved = np.zeros(WIDTH)
    moved[-1] = shift
    return (middles[kinds] + dice.normal(size=(count, WIDTH)) + moved).astype(np.float32), kinds


@pytest.fixture
def trained(tmp_path):
    """Train on 300 photos of a seed, judge on 150; gives its head and what its run folder tells."""

    def train(seed):
        dice = np.random.default_rng(seed)
        training, _ = drawn(dice, 300)
        weight = np.eye(3, WIDTH, dtype=np.float32)
        unknown = Unknown.from_features(training, threshold_at(training_distance(training)))
        head = AnswerHead(CLASSES, weight, np.zeros(3, np.float32), unknown=unknown)
        features, kinds = drawn(dice, 150)
        chances = head.probabilities(features).astype(np.float64)
        names = tuple(f"{row}.jpg" for row in range(150))
        Predictions(names, ("test",) * 150, kinds, chances, CLASSES, head.known(features)).to_csv(tmp_path / "predictions.csv")
        return head, Expected.of_run(tmp_path, head), dice

    return train


def watched(head, expected, *parts):
    watch = DriftWatch(CLASSES, expected, head.unknown.threshold)
    for features in parts:
        watch.note(head.answer(features, [""] * len(features)))
    return watch


def test_photos_like_the_training_photos_give_no_more_alarms_than_stated(trained):
    """20 seeds of 1,000 photos: 2 x 1% allows 0.4 alarms on average, and chance more than 2 of 20 once in 140."""
    assert FALSE_ALARM_RATE == 0.01
    alarms = 0
    for seed in range(20):
        head, expected, dice = trained(seed)
        watch = watched(head, expected, drawn(dice, 1000)[0])
        assert watch.count == 1000
        alarms += bool(watch.alarms)
    assert alarms <= 1


def test_photos_of_another_kind_are_told_with_since_when(trained):
    for seed in range(5):
        head, expected, dice = trained(seed)
        watch = watched(head, expected, drawn(dice, 300)[0], drawn(dice, 100, shift=6.0)[0])
        (alarm,) = [one for one in watch.alarms if one.kind == "unknown"]
        assert 280 <= alarm.photo <= 320
        assert watch.alarm_level() == 1.0
        assert any("The photos are unlike the training photos since" in sentence for sentence in watch.sentences())


def test_classes_in_other_shares_are_told_with_their_name(trained):
    head, expected, dice = trained(1)
    watch = watched(head, expected, drawn(dice, 200)[0], drawn(dice, 300, shares=(0.9, 0.05, 0.05))[0])
    told = {(alarm.kind, alarm.label) for alarm in watch.alarms}
    assert ("more", "ants") in told
    assert not any(kind == "unknown" for kind, _ in told)
    assert any(sentence.startswith("ants is answered more often") for sentence in watch.sentences())


def test_a_run_without_held_out_photos_expects_what_its_threshold_was_set_for(trained, tmp_path):
    head, _, dice = trained(0)
    (tmp_path / "predictions.csv").unlink()
    expected = Expected.of_run(tmp_path, head)
    assert (expected.photos, expected.unknown, expected.shares) == (0, 0.05, {})
    assert 0.05 < expected.most_unknown < 0.12
    assert not watched(head, expected, drawn(dice, 500)[0]).alarms
    assert watched(head, expected, drawn(dice, 100, shift=6.0)[0]).alarms


def test_with_several_labels_per_photo_each_class_is_counted_by_itself(tmp_path):
    from tsugiki.classifier.answer import MultiLabel
    from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions

    dice = np.random.default_rng(0)
    chances = np.where(dice.random((200, 3)) < (0.5, 0.3, 0.1), 0.9, 0.1)
    names = tuple(f"{row}.jpg" for row in range(200))
    targets = (chances > 0.5).astype(np.int8)
    MultiLabelPredictions(names, ("test",) * 200, targets, chances, np.full(3, 0.5), CLASSES).to_csv(
        tmp_path / "predictions.csv"
    )
    head = AnswerHead(CLASSES, np.eye(3, dtype=np.float32), np.zeros(3, np.float32), multi_label=MultiLabel.fresh(3))
    expected = Expected.of_run(tmp_path, head)
    assert expected.shares == pytest.approx(dict(zip(CLASSES, (chances > 0.5).mean(axis=0), strict=True)))
    watch = DriftWatch(CLASSES, expected, None)
    for _ in range(40):
        watch.note([Prediction("ants|wasps", 0.9, labels=("ants", "wasps")), Prediction("", 0.2, labels=())])
    assert watch.count == 80
    assert watch.answered == {"ants": 40, "bees": 0, "wasps": 40}
    assert {(alarm.kind, alarm.label) for alarm in watch.alarms} == {("more", "wasps"), ("less", "bees")}


def test_what_cannot_be_read_does_not_count(trained):
    head, expected, _ = trained(0)
    watch = DriftWatch(CLASSES, expected, head.unknown.threshold)
    watch.note([Prediction("", 0.0, known=False, problem="cut off")] * 100)
    assert watch.count == watch.unknown == 0
    assert watch.sentences() == ["No photo has been answered yet."]


def test_the_page_the_models_and_the_metrics_say_so(start, ask):
    from io import BytesIO

    from PIL import Image

    server = start()
    dice = np.random.default_rng(0)
    for _ in range(20):
        stream = BytesIO()
        Image.fromarray(dice.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(stream, "PNG")
        assert not ask(server, "/v1/predict", stream.getvalue()).json["predictions"][0]["known"]
    (model,) = ask(server, "/v1/models").json["models"]
    assert model["drift"]["alarms"][0]["kind"] == "unknown"
    assert model["drift"]["alarms"][0]["photo"] == 1
    assert 'tsugiki_drift_alarm{model="dishes",kind="unknown"} 1\n' in ask(server, "/metrics").body.decode()
    page = ask(server, "/").body.decode()
    assert '<p class="alarm">The photos are unlike the training photos since' in page
    assert '<p class="alarm">' in ask(server, "/?lang=ja").body.decode()
