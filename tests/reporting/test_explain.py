"""An explanation is one picture and one document about one photo."""

import json

import numpy as np
import pytest
import torch

from tests.reporting.runs import small_run
from tsugiki.core.errors import UnknownName
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.nearest_photos import nearest_photos
from tsugiki.locale.messages import speaking
from tsugiki.reporting.plots.explanation_plot import draw_explanation, explain
from tsugiki.reporting.plots.figures import save_picture


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = small_run(tmp_path_factory.mktemp("photos"), ("猫", "犬"))
    torch.manual_seed(0)
    torch.nn.init.normal_(run.classifier.backbone.body[1].weight)
    return run


@pytest.fixture(scope="module")
def near(run, tmp_path_factory):
    photo = run.samples.paths[run.samples.held_out_rows[0]]
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    return nearest_photos(run.classifier, photo, run.samples.root, count=4, store=store)


def test_the_nearest_photos_are_the_nearest_of_all_training_photos(run, near):
    from tsugiki.features.file_features import features_of_files

    paths = [run.samples.paths[row] for row in [run.samples.held_out_rows[0], *run.samples.train_rows]]
    vectors, _ = features_of_files(run.classifier.backbone, run.classifier.preprocess, paths)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(unit[1:] @ unit[0]))[:4]
    assert [one.path for one in near] == [paths[1 + at] for at in order]
    assert all(one.label in str(one.path) for one in near)


def test_a_photo_is_not_its_own_neighbour(run, tmp_path):
    photo = run.samples.paths[run.samples.train_rows[0]]
    found = nearest_photos(run.classifier, photo, run.samples.root, store=FeatureStore(tmp_path / "store"))
    assert photo not in [one.path for one in found]


def test_the_picture_and_the_document(run, near, tmp_path):
    photo = run.samples.paths[run.samples.held_out_rows[0]]
    found = explain(run.classifier, photo, near=near)
    save_picture(draw_explanation(found), tmp_path / "why.png")
    assert (tmp_path / "why.png").stat().st_size > 5_000
    plain = json.loads(json.dumps(found.to_dict(run.classifier.classes)))
    assert plain["label"] == run.classifier.predict(photo).label == plain["explained"]
    assert len(plain["nearest"]) == 4
    assert plain["region"] is None or all(0 <= edge <= 1 for edge in plain["region"])


def test_the_picture_speaks_the_language_in_use(run):
    photo = run.samples.paths[0]
    with speaking("ja"):
        figure = draw_explanation(explain(run.classifier, photo))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] in {"モデルが見ている画像", "What the model sees"}  # English where no font has Japanese letters


def test_another_class_can_be_explained_and_a_wrong_name_is_answered(run):
    photo = run.samples.paths[0]
    assert explain(run.classifier, photo, label="犬").asked == "犬"
    with pytest.raises(UnknownName):
        explain(run.classifier, photo, label="狼")
