"""Learning while labelling: what the page tells is what ``fit`` tells, the newest labels win, a photo is looked at once."""

import time

import numpy as np
import pytest

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.core.errors import WeightsError
from tsugiki.serving.studio import learner as learner_module
from tsugiki.serving.studio import learning
from tsugiki.serving.studio.learner import Network
from tsugiki.serving.studio.studio_session import Studio, table_for

CLASSES = ("pizza", "steak", "sushi")


@pytest.fixture
def opened(lunch):
    studio = Studio.open(lunch, table_for(lunch, None), Network(lambda: load_backbone("bundled:nae")))
    for name in ("sushi", "pizza", "steak"):
        studio.labels.add_class(name)
    yield studio
    studio.close()


def decide(studio, rows, **what):
    studio.labels.decide(rows, **what)
    studio.changed()


def label(studio, truth, rows):
    for row in rows:
        decide(studio, [row], label=truth[studio.photos.names[row]])


def wait(studio, until, seconds=60):
    end = time.monotonic() + seconds
    while not until(studio.learner):
        assert time.monotonic() < end, studio.learner.told()
        time.sleep(0.01)
    return studio.learner


def settled(learner):
    learned = learner.learned
    return learned is not None and not learned.quick and learned.labels.revision == learner._labels.revision


def test_what_the_page_tells_is_what_the_command_tells(opened, drawn):
    import tsugiki as tg

    label(opened, drawn[1], range(18))
    opened.learner.want(wanted=True)
    learned = wait(opened, settled).learned
    opened.labels.save()
    with quiet():
        samples = tg.load(opened.labels.table, held_out=0)
        run = tg.fit(tg.Classifier("bundled:nae", classes=samples.classes), samples)
    told = learned.told()
    assert (told["accuracy"], [told["low"], told["high"]]) == (
        run.evaluation["accuracy"],
        run.evaluation["accuracy_interval"],
    )
    np.testing.assert_array_equal(learned.classifier.head.weight.detach(), run.classifier.head.weight.detach())
    assert learned.classifier.temperature == run.classifier.temperature


def test_it_follows_every_label_and_looks_at_no_photo_twice(opened, drawn, decoded):
    label(opened, drawn[1], range(15))
    opened.learner.want(wanted=True)
    first = wait(opened, settled).told()
    decide(opened, [3], label=next(name for name in CLASSES if name != drawn[1]["03.jpg"]))
    second = wait(opened, settled).told()
    label(opened, drawn[1], [3, 20, 21])
    third = wait(opened, lambda one: settled(one) and one.told()["photos"] == 17).told()
    assert first["photos"] == second["photos"] == 15
    assert second["accuracy"] < first["accuracy"]
    assert [point["photos"] for point in third["curve"]] == [15, 17]
    wait(opened, lambda one: one.features is not None and not one.features.missing(range(30)))
    assert len(decoded) == len(set(decoded)) == 30


def test_photos_without_a_class_get_a_proposal_and_an_order(opened, drawn):
    label(opened, drawn[1], range(15))
    decide(opened, [29], mark="left out")
    opened.learner.want(wanted=True)
    wait(opened, lambda one: settled(one) and one.proposals is not None and len(one.proposals.rows) == 14)
    told = opened.learner.proposed()
    assert told["rows"] == tuple(range(15, 29))
    right = [opened.labels.classes[at] == drawn[1][f"{row}.jpg"] for row, at in zip(told["rows"], told["labels"], strict=True)]
    assert np.mean(right) > 0.6
    assert all(1 / 3 < one <= 1 for one in told["probabilities"])
    assert set(told["next"]) <= set(told["rows"])
    assert len(told["next"]) >= 10


def test_what_lacks_is_said_and_nothing_is_learned(opened):
    decide(opened, [0, 1], label="pizza")
    opened.learner.want(wanted=True)
    assert "two classes" in wait(opened, lambda one: one.told()["lacking"]).told()["lacking"]
    decide(opened, [2], label="sushi")
    told = wait(opened, lambda one: one.learned is not None).told()
    assert not told["lacking"]
    assert "accuracy" not in told  # one photo of a class cannot be judged by a head that has learned the class


def test_a_pause_is_one_and_a_left_out_photo_is_not_learned_from(opened, drawn):
    label(opened, drawn[1], range(12))
    opened.learner.want(wanted=True)
    wait(opened, settled)
    decide(opened, [0], mark="left out")
    wait(opened, lambda one: settled(one) and one.told()["photos"] == 11)
    opened.learner.want(wanted=False)
    decide(opened, [1], mark="left out")
    time.sleep(0.3)
    told = opened.learner.told()
    assert told["photos"] == 11
    assert told["behind"]


def test_held_out_photos_are_not_learned_from(dishes, tmp_path):
    studio = Studio.open(dishes, table_for(dishes, tmp_path / "dishes.csv"), Network(lambda: load_backbone("bundled:nae")))
    try:
        studio.learner.want(wanted=True)
        learned = wait(studio, settled).learned
        assert len(learned.labels.rows) == 36
        assert not [row for row in learned.labels.rows if studio.photos.splits[row] == "test"]
    finally:
        studio.close()


def test_a_relabelled_photo_of_many_is_followed_at_once(opened, drawn, monkeypatch):
    monkeypatch.setattr(learning, "WORTH_A_REFIT", 10)
    monkeypatch.setattr(learner_module, "_CALM", 1.0)
    label(opened, drawn[1], range(24))
    opened.learner.want(wanted=True)
    wait(opened, settled)
    decide(opened, [3], label=next(name for name in CLASSES if name != drawn[1]["03.jpg"]))
    quick = wait(opened, lambda one: one.learned.labels.revision == opened.labels.revision).learned
    assert quick.quick
    assert wait(opened, settled).learned.evaluation["n"] == 24


def test_photos_that_cannot_be_decoded_are_passed_over(lunch, hollow_png, drawn):
    (lunch / "hollow.png").write_bytes(hollow_png)
    (lunch / "text.jpg").write_text("no photo")
    studio = Studio.open(lunch, table_for(lunch, None), Network(lambda: load_backbone("bundled:nae")))
    try:
        for name in CLASSES:
            studio.labels.add_class(name)
        label(studio, drawn[1], [row for row, name in enumerate(studio.photos.names) if name in drawn[1]])
        bad = [row for row, name in enumerate(studio.photos.names) if name not in drawn[1]]
        decide(studio, bad, label="pizza")
        studio.learner.want(wanted=True)
        assert wait(studio, settled).told()["photos"] == 30
        assert set(studio.learner.features.problems) == set(bad)
        assert studio.learner.told()["passed_over"] == "Photos that cannot be read are passed over: 2."
    finally:
        studio.close()


def test_a_backbone_that_cannot_be_used_is_told(lunch):
    def load():
        raise WeightsError("No weights here.")

    studio = Studio.open(lunch, table_for(lunch, None), Network(load))
    try:
        assert wait(studio, lambda one: one.told()["problem"]).told()["problem"] == "No weights here."
    finally:
        studio.close()
