"""What looks wrong in the studio: what a person has decided does not come again, and held-out photos are compared only."""

import shutil
import time

import pytest

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.serving.studio.learner import Network
from tsugiki.serving.studio.studio_session import Studio, table_for


def opened(folder, table=None):
    return Studio.open(folder, table_for(folder, table), Network(lambda: load_backbone("bundled:nae")))


@pytest.fixture
def flawed(flat):
    """Class folders with a photo in the wrong one, and one in two of them."""
    shutil.copyfile(flat / "pizza" / "03.jpg", flat / "steak" / "wrong.jpg")
    (flat / "pizza" / "03.jpg").unlink()
    shutil.copyfile(flat / "sushi" / "05.jpg", flat / "pizza" / "twin.jpg")
    studio = opened(flat)
    studio.learner.want(wanted=True)
    yield studio
    studio.close()


def looked(studio):
    """What is told once everything that was decided is learned."""
    end = time.monotonic() + 60
    while True:
        told = studio.doubtful()
        learned = studio.learner.learned
        if told["kinds"] and not told["behind"] and not learned.quick:
            return told["kinds"]
        assert time.monotonic() < end
        time.sleep(0.02)


def names(studio, cards):
    return [{studio.photos.names[row] for row in card["rows"]} for card in cards]


def decide(studio, rows, **what):
    studio.labels.decide(rows, **what)
    studio.changed()


def test_a_wrong_label_and_a_copy_are_found_and_what_is_decided_does_not_come_again(flawed):
    found = looked(flawed)
    assert {"steak/wrong.jpg"} in names(flawed, found["suspects"])
    assert {"pizza/twin.jpg", "sushi/05.jpg"} in names(flawed, found["copies"])
    wrong = flawed.photos.names.index("steak/wrong.jpg")
    suspect = next(card for card in found["suspects"] if card["rows"] == [wrong])
    assert (suspect["label"], suspect["suggested"]) == ("steak", "pizza")
    twin, other = (flawed.photos.names.index(name) for name in ("pizza/twin.jpg", "sushi/05.jpg"))
    decide(flawed, [wrong], label=suspect["suggested"])
    decide(flawed, [twin], mark="left out")
    again = looked(flawed)
    assert {"steak/wrong.jpg"} not in names(flawed, again["suspects"])
    assert {"pizza/twin.jpg", "sushi/05.jpg"} not in names(flawed, again["copies"])
    flawed.labels.undo()
    flawed.changed()
    assert {"pizza/twin.jpg", "sushi/05.jpg"} in names(flawed, looked(flawed)["copies"])
    decide(flawed, [twin, other], mark="kept")
    assert {"pizza/twin.jpg", "sushi/05.jpg"} not in names(flawed, looked(flawed)["copies"])


def test_a_label_that_a_person_says_is_right_is_not_doubted_again(flawed):
    card = looked(flawed)["suspects"][0]
    decide(flawed, card["rows"], mark="right")
    assert card["rows"] not in [one["rows"] for one in looked(flawed)["suspects"]]
    decide(flawed, card["rows"], mark="right, kept")
    assert card["rows"] not in [one["rows"] for one in looked(flawed)["suspects"]]


def test_a_held_out_photo_with_a_twin_is_a_leak(dishes, tmp_path):
    root = tmp_path / "dishes"
    shutil.copytree(dishes, root)
    shutil.copyfile(root / "train" / "sushi" / "01.jpg", root / "test" / "sushi" / "leak.jpg")
    studio = opened(root)
    try:
        studio.learner.want(wanted=True)
        looked(studio)
        end = time.monotonic() + 60
        while not studio.learner.features or studio.learner.features.missing(studio.learner._held_out()):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert {"test/sushi/leak.jpg", "train/sushi/01.jpg"} in names(studio, looked(studio)["leaks"])
        assert studio.learner.told()["photos"] == 36  # compared, and not learned from
    finally:
        studio.close()


def test_before_anything_is_learned_that_is_said(lunch):
    studio = opened(lunch)
    try:
        assert studio.doubtful()["says"].startswith("Learn first")
    finally:
        studio.close()
