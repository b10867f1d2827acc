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
