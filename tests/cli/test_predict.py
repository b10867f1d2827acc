"""``tsugiki predict`` tells a guess from an answer."""

import pytest
import torch
from PIL import Image

from tsugiki.cli.predict import predict


@pytest.mark.parametrize(("threshold", "unsure"), [(-1.0, True), (2.0, False)])
def test_not_sure_is_explained_where_it_is_said(tmp_path, capsys, threshold, unsure):
    from tsugiki.backbones.load import load_backbone
    from tsugiki.classifier.answer import Unknown
    from tsugiki.classifier.classifier import Classifier

    classifier = Classifier(load_backbone("bundled:nae"), classes=("pizza", "sushi"))
    classifier.unknown = Unknown.from_features(torch.ones(2, classifier.backbone.num_features), threshold)
    classifier.save(tmp_path)
    Image.new("RGB", (30, 20), (250, 0, 0)).save(tmp_path / "red.png")
    predict(tmp_path, [tmp_path / "red.png"])
    said = capsys.readouterr()
    assert ("not sure (" in said.out) == unsure
    assert said.err.count("not sure: unlike every training photo, however high the probability") == unsure
