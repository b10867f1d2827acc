"""A classifier with a taxonomy: trained, saved, read again and asked by PyTorch and by its engine, it says the same."""

import copy
import json

import numpy as np
import pytest
import torch

import tsugiki as tg
from tests.fine_tuning.conftest import draw_photos
from tsugiki.classifier.artefact import read_answer_head
from tsugiki.core.errors import ArtefactError
from tsugiki.data.samples import Samples
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.reporting.pages.taxonomy_part import taxonomy_part
from tsugiki.training.fit import FineTuning

PARENTS = {"steak": "savoury", "sushi": "savoury", "pizza": "baked"}


@pytest.fixture(scope="module")
def placed(dishes, nae, tmp_path_factory):
    """A run on the dishes whose classes have parents, and the folder it was saved in."""
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    model = tg.Classifier(nae, classes=("pizza", "steak", "sushi"), taxonomy=PARENTS)
    run = tg.fit(model, dishes, features=FeatureSettings(store=store))
    return run, run.save(tmp_path_factory.mktemp("runs") / "run")


def test_an_answer_tells_what_it_is_a_kind_of(placed, dishes):
    run, _ = placed
    for answer in run.classifier.predict(sorted(dishes.glob("test/*/*.jpg"))):
        chances = dict(zip(run.classifier.classes, answer.probabilities, strict=True))
        expected = {"savoury": chances["steak"] + chances["sushi"], "baked": chances["pizza"]}
        above = PARENTS[answer.label]
        assert [name for name, _ in answer.ancestors] == [above]
        assert answer.ancestors[0][1] == pytest.approx(min(1, expected[above]), abs=1e-6)
        sure = [name for name, chance in expected.items() if chance >= 0.8]
        wanted = sure if answer.known and max(answer.probabilities) < 0.8 else []
        assert [answer.at_least[0]] if answer.at_least else wanted == []


def test_where_no_class_is_sure_the_deepest_thing_that_is_is_named(placed):
    head = placed[0].classifier.answer_head
    # Logits that tell pizza from the others and nothing else, whatever the features say.
    weight, bias = np.zeros_like(head.weight), np.array([-3, 0.1, 0], np.float32)
    flat = type(head)(head.classes, weight, bias, taxonomy=head.taxonomy)
    answer = flat.answer(np.zeros((1, weight.shape[1]), np.float32), ["x"])[0]
    assert answer.label == "steak"
    assert answer.probability < 0.6
    assert answer.at_least == answer.ancestors[0]
    assert answer.at_least[0] == "savoury"
    assert answer.at_least[1] > 0.95
    far = type(head)(head.classes, weight, bias, unknown=head.unknown, taxonomy=head.taxonomy)
    strange = far.answer(-head.unknown.reference[:1].astype(np.float32), ["x"])[0]
    assert (strange.known, strange.at_least) == (False, None)


def test_what_was_saved_answers_the_same_with_and_without_pytorch(placed, dishes):
    run, folder = placed
    photos = sorted(dishes.glob("test/*/*.jpg"))
    plain = run.classifier.predict(photos)
    again = tg.Classifier.load(folder)
    assert again.taxonomy == run.classifier.taxonomy
    read = again.predict(photos)
    assert [(one.ancestors, one.at_least) for one in read] == [(one.ancestors, one.at_least) for one in plain]
    engine = tg.load_predictor(folder)
    assert type(engine).__name__ == "EnginePredictor"
    for one, other in zip(plain, engine.predict(photos), strict=True):
        assert [name for name, _ in one.ancestors] == [name for name, _ in other.ancestors]
        assert [chance for _, chance in one.ancestors] == pytest.approx([chance for _, chance in other.ancestors], abs=1e-4)
    assert read_answer_head(folder).taxonomy == run.classifier.taxonomy


def test_who_evaluates_later_gets_the_same_levels(placed, dishes):
    run, folder = placed
    found = run.evaluation["taxonomy"]
    assert [level["nodes"] for level in found["levels"]] == [2, 3]
    assert found["levels"][-1]["accuracy"] == run.evaluation["accuracy"]
    assert json.loads((folder / "evaluation.json").read_text())["taxonomy"] == found
    later = tg.evaluate(run.classifier, dishes).document["taxonomy"]
    assert later["at_least"].pop("expected") == pytest.approx(found["at_least"]["expected"], abs=1e-4)
    assert later == {**found, "at_least": {key: value for key, value in found["at_least"].items() if key != "expected"}}


def test_report_and_card_tell_of_it_in_both_languages(placed):
    _, folder = placed
    report, card = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))
    assert report.count('<section id="taxonomy"') == 1
    for text in (report, card):
        assert "Level 1 of 2 of the taxonomy (2 names)" in text
        assert "分類階層の 2 段のうち 1 段目 (名前 2 個)" in text


def test_the_report_says_what_its_numbers_are_not(placed):
    evaluation = copy.deepcopy(placed[0].evaluation)
    found = evaluation["taxonomy"]
    assert taxonomy_part(evaluation)["taxonomy_more"] == ""
    found["at_least"]["n"], found["levels"][0]["nodes"] = 0, 1
    more = taxonomy_part(evaluation)["taxonomy_more"]
    assert more.startswith("Above the classes no level tells photos apart. In none of these photos")
    found["leaks_counted"] = True
    part = taxonomy_part(evaluation)
    assert (part["taxonomy_short"], "worth nothing" in part["taxonomy_more"]) == ("", True)


def test_without_a_taxonomy_nothing_is_added(dish_run, tmp_path):
    folder = dish_run.save(tmp_path / "run")
    assert "taxonomy" not in json.loads((folder / "classifier.json").read_text())
    assert "taxonomy" not in json.loads((folder / "evaluation.json").read_text())
    for name in ("report.html", "README.md"):
        assert "taxonomy" not in (folder / name).read_text(encoding="utf-8")
    answer = dish_run.classifier.predict(dish_run.samples.paths[0])
    assert answer.to_dict(dish_run.classifier.classes).keys() == {
        "path", "label", "probability", "known", "distance", "top", "probabilities",
    }  # fmt: skip
    assert "ancestors" not in repr(answer)


def test_a_tree_that_is_not_above_the_classes_is_damage(placed, tmp_path):
    run, _ = placed
    folder = run.classifier.save(tmp_path / "run")
    path = folder / "classifier.json"
    for taxonomy in ({"parents": {"pizza": "steak", "steak": "pizza", "sushi": ""}, "sure": 0.8}, {"sure": 0.8}, [], "tree"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "taxonomy": taxonomy}))
        for read in (tg.Classifier.load, read_answer_head):
            with pytest.raises(ArtefactError, match="damaged"):
                read(folder)


def test_where_nothing_is_held_out_levels_are_out_of_fold(dishes, nae):
    photos = sorted(dishes.glob("train/*/*.jpg"))
    data = Samples.from_lists(photos, [photo.parent.name for photo in photos], held_out=0)
    run = tg.fit(tg.Classifier(nae, classes=data.classes, taxonomy=PARENTS), data)
    assert run.evaluation["split"] == "out-of-fold"
    assert run.evaluation["taxonomy"]["n"] == run.evaluation["n"]
    assert run.evaluation["taxonomy"]["levels"][-1]["accuracy"] == run.evaluation["accuracy"]


def test_a_fine_tuned_classifier_keeps_its_taxonomy(tmp_path):
    root = tmp_path / "photos"
    draw_photos(root, train=8, test=4)
    data = tg.load(root)
    model = tg.Classifier("bundled:nae", classes=data.classes, taxonomy=dict.fromkeys(data.classes[:2], "both"))
    settings = FineTuneSettings(epochs=1, batch_size=16, precision="float32")
    run = tg.fit(model, data, method="fine-tune", fine_tuning=FineTuning(settings))
    assert run.classifier.notes["method"] == "fine-tune"
    assert run.evaluation["taxonomy"]["levels"][-1]["accuracy"] == run.evaluation["accuracy"]
    assert run.classifier.predict(data.paths[0]).ancestors is not None


def test_several_labels_have_maxima_and_nothing_is_named_for_them():
    model = tg.Classifier("bundled:nae", classes=("pizza", "steak", "sushi"), task="multi", taxonomy=PARENTS)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([-1.0, 1.0, 2.0]))
    answer = model.answer_head.answer(np.zeros((1, model.head.in_features), np.float32), ["x"])[0]
    assert answer.labels == ("sushi", "steak")
    assert answer.ancestors == (("savoury", answer.probabilities[2]),)
    assert answer.at_least is None
    told = answer.to_dict(model.classes)
    assert (told["ancestors"][0]["name"], told["at_least"]) == ("savoury", None)
