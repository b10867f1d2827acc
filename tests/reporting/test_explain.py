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


@pytest.fixture(scope="module")
def of_sets(run):
    """The same network asked for four labels: the weights make no difference to what is drawn."""
    from tsugiki.classifier.classifier import Classifier

    torch.manual_seed(0)
    return Classifier(run.classifier.backbone, classes=("bread", "cup", "fork", "spoon", "egg"), task="multi")


def showing(classifier, *probabilities):
    """The classifier such that it gives every photo these probabilities and shows those of one half or more."""
    torch.nn.init.zeros_(classifier.head.weight)
    with torch.no_grad():
        classifier.head.bias.copy_(torch.logit(torch.tensor(probabilities)))
    return classifier


def test_every_label_has_its_map_the_most_probable_first(run, of_sets, tmp_path):
    photo = run.samples.paths[0]
    found = explain(showing(of_sets, 0.1, 0.6, 0.2, 0.9, 0.3), photo)
    assert [one.label for one in found.explained] == ["spoon", "cup"]
    titles = [axes.get_title().splitlines()[-1] for axes in draw_explanation(found).axes]
    assert titles[1:] == ["90.0% (occlusion)", "60.0% (occlusion)"]
    plain = json.loads(json.dumps(found.to_dict(of_sets.classes)))
    assert plain["labels"] == [one["label"] for one in plain["explained"]] == ["spoon", "cup"]
    assert found.save(tmp_path / "why.png").stat().st_size > 5_000


def test_of_many_labels_four_are_explained_and_of_none_the_most_probable_class(run, of_sets):
    photo = run.samples.paths[0]
    assert len(explain(showing(of_sets, 0.6, 0.7, 0.8, 0.9, 0.95), photo).explained) == 4
    none = explain(showing(of_sets, 0.1, 0.4, 0.2, 0.3, 0.3), photo)
    assert none.prediction.labels == ()
    assert none.asked == "cup"
    figure = draw_explanation(none)
    assert "none of the classes (most probable: cup, 40.0%)" in figure.get_suptitle()
    assert "40.0%: not shown" in figure.axes[1].get_title()
    assert explain(of_sets, photo, label="egg").asked == "egg"


def test_a_label_is_asked_for_on_its_own(of_sets):
    """What speaks for another label does not speak against this one."""
    from tsugiki.inspection.attribution import attribute

    inputs = torch.randn(3, *of_sets.preprocess.size, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(of_sets.head.weight, generator=torch.Generator().manual_seed(2))
    alone = attribute(of_sets, inputs, 0).heat
    with torch.no_grad():
        of_sets.head.weight[1:] *= 5
    assert np.array_equal(alone, attribute(of_sets, inputs, 0).heat)
    assert alone.any()


def test_the_nearest_photos_are_marked_by_the_labels_that_they_share(run, of_sets):
    from tsugiki.inspection.nearest_photos import NearPhoto

    photo = run.samples.paths[0]
    near = [NearPhoto(photo, label, 0.9) for label in ("cup|spoon", "cup|fork", "egg", "")]
    figure = draw_explanation(explain(showing(of_sets, 0.1, 0.6, 0.2, 0.9, 0.3), photo, near=near))
    titles = [axes.get_title() for axes in figure.axes][-5:-1]
    assert [title.split("\n")[0] for title in titles] == ["✓ cup", "≈ cup", "✗ egg", "✗ none of the classes"]


def test_a_near_photo_that_showed_nothing_has_the_labels_that_a_list_gave_it(plates, tmp_path):
    import tsugiki as tg
    from tsugiki.evaluation.label_issues import Decisions
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.heads.linear import HeadSettings
    from tsugiki.training.corrections import apply_decisions

    store, loaded = FeatureStore(tmp_path / "store"), tg.load(plates)
    shown = loaded.label_names()
    name = next(loaded.names[row] for row in loaded.train_rows if not shown[row])
    samples = apply_decisions(loaded, Decisions(frozenset(), {name: "pizza"}, {name: [("|", "pizza")]}))
    model = tg.Classifier("bundled:nae", classes=samples.classes, task="multi")
    tg.fit(model, samples, settings=HeadSettings(epochs=2), features=FeatureSettings(store=store))
    near = nearest_photos(model, samples.paths[samples.held_out_rows[0]], plates, count=len(samples), store=store)
    assert {one.path.name: one.label for one in near}[name.rpartition("/")[2]] == "pizza"


def test_the_nearest_photos_have_all_their_labels_however_the_table_separates_them(plates, tmp_path):
    import csv

    import tsugiki as tg
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.heads.linear import HeadSettings

    store = FeatureStore(tmp_path / "store")
    samples = tg.load(plates)
    model = tg.Classifier("bundled:nae", classes=samples.classes, task="multi")
    tg.fit(model, samples, settings=HeadSettings(epochs=2), features=FeatureSettings(store=store))
    shown = dict(zip(samples.paths, samples.label_names(), strict=True))
    photo = max((samples.paths[row] for row in samples.held_out_rows), key=lambda path: shown[path].count("|"))
    near = nearest_photos(model, photo, plates, store=store)
    assert [one.label for one in near] == [shown[one.path] for one in near]
    assert any("|" in one.label for one in near)
    with (tmp_path / "names.csv").open("w", newline="") as stream:
        rows = [[path, label.replace("|", ";") or ";"] for path, label in shown.items()]
        csv.writer(stream).writerows([["path", "label"], *rows])
    again = nearest_photos(model, photo, tmp_path / "names.csv", store=store, label_separator=";")
    assert [(one.path.name, one.label) for one in again] == [(one.path.name, one.label) for one in near]
    assert nearest_photos(model, photo, samples, store=store) == near
