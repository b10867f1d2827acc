"""A photo is tried in the studio: the answer is the classifier's, with where it looked and what it is like."""

import base64
import io
import time

import pytest
from PIL import Image


@pytest.fixture
def learned(open_studio, asking, lunch, drawn):
    """A studio that has learned from 24 of its photos, and somebody at its page."""
    server = open_studio(lunch)
    studio, me = server.studio, asking(server)
    for name in ("sushi", "steak", "pizza"):
        studio.labels.add_class(name)
    for row in range(24):
        studio.labels.decide([row], label=drawn[1][f"{row:02}.jpg"])
    me.post("/api/learn")
    end = time.monotonic() + 60
    while studio.learner.learned is None or studio.learner.learned.quick:
        assert time.monotonic() < end
        time.sleep(0.02)
    return server, me


def picture_of(address):
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_the_answer_is_the_classifiers_and_says_why(learned, lunch):
    server, me = learned
    told = me.post("/api/try?reasons=1", (lunch / "29.jpg").read_bytes()).json
    classifier = server.studio.learner.learned.classifier
    expected = classifier.predict(lunch / "29.jpg")
    assert (told["label"], told["probability"], told["known"]) == (expected.label, expected.probability, expected.known)
    assert [(one["label"], one["probability"]) for one in told["top"]] == list(expected.top)
    assert told["method"] == "Grad-CAM"
    assert picture_of(told["frame"]).size == picture_of(told["lit"]).size
    assert len(told["near"]) == 5
    near = [one["similarity"] for one in told["near"]]
    assert near == sorted(near, reverse=True)
    for one in told["near"]:
        assert server.studio.labels.decided[one["row"]][0] == one["label"]
    assert len(list(lunch.iterdir())) == 30
    assert not (lunch.parent / "lunch.studio").exists()  # asked about, and not kept


def test_a_photo_of_the_studio_is_not_its_own_neighbour(learned):
    _, me = learned
    told = me.post("/api/try?reasons=1&row=3").json
    assert 3 not in [one["row"] for one in told["near"]]
    assert "frame" not in me.post("/api/try?row=3").json
    assert me.post("/api/try?row=30").status == 404
    assert me.post("/api/try?row=../3").status == 400


def test_what_is_no_photo_is_told(learned):
    _, me = learned
    for content in (b"", b"no photo", b"\xff\xd8\xff\xe0"):
        refused = me.post("/api/try", content)
        assert refused.status == 422
        assert refused.json["error"]["got"]


def test_a_photo_like_none_of_them_is_not_sure(learned):
    _, me = learned
    stream = io.BytesIO()
    Image.effect_noise((300, 300), 120).convert("RGB").save(stream, "PNG")
    assert me.post("/api/try", stream.getvalue()).json["known"] is False


def test_before_anything_is_learned_that_is_said(open_studio, asking, lunch):
    me = asking(open_studio(lunch))
    refused = me.post("/api/try", (lunch / "00.jpg").read_bytes())
    assert refused.status == 409
    assert refused.json["error"]["what"] == "Nothing is learned yet."
