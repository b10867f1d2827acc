"""``tsugiki predict`` tells a guess from an answer."""

import pytest
import torch
from PIL import Image


@pytest.mark.parametrize(("threshold", "unsure"), [(-1.0, True), (2.0, False)])
def test_not_sure_is_explained_where_it_is_said(tsu, tmp_path, threshold, unsure):
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.classifier.answer import Unknown
    from tsugiki.classifier.classifier import Classifier

    classifier = Classifier(load_backbone("bundled:nae"), classes=("pizza", "sushi"))
    classifier.unknown = Unknown.from_features(torch.ones(2, classifier.backbone.num_features), threshold)
    classifier.save(tmp_path)
    Image.new("RGB", (30, 20), (250, 0, 0)).save(tmp_path / "red.png")
    _, out, err = tsu("predict", tmp_path, tmp_path / "red.png")
    assert ("not sure (" in out) == unsure
    assert err.count("not sure: less like the training photos than 95% of them, however high the probability") == unsure


@pytest.mark.robust(
    "paths",
    case="an address, a pattern in quotes, nothing at all, or a photo where the run belongs",
    right="told as what it is, with the way round; the current folder is never taken for nothing",
)
def test_what_is_no_path_to_a_photo_is_told(tsu, tmp_path):
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.core.errors import RequestError

    classifier = Classifier(load_backbone("bundled:nae"), classes=("pizza", "sushi"))
    photo = tmp_path / "red.png"
    Image.new("RGB", (30, 20), (250, 0, 0)).save(photo)
    run = tmp_path / "run"
    classifier.save(run)
    status, _, err = tsu("predict", run, "https://example.org/a.jpg")
    assert status == 2
    assert "There is no photo https://example.org/a.jpg." in err
    assert "save the photo" in err
    status, _, err = tsu("predict", run, f"{tmp_path}/*.png")
    assert status == 2
    assert "leave the quotes out" in err
    status, _, err = tsu("predict", photo, run)
    assert status == 2
    assert f"{photo} is a file, and no run folder." in err
    assert "fit" not in err.split("next:")[1]
    with pytest.raises(RequestError, match="There is no photo ''"):
        classifier.predict("")
