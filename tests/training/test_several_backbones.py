"""Several backbones at once: their features side by side, each looked at once, and one answer wherever it is asked for."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.classifier.engine_predictor import EnginePredictor
from tsugiki.core.errors import RequestError
from tsugiki.data.images.decode import open_photo
from tsugiki.evaluation.metrics import unit_rows
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore

BOTH = "bundled:nae+torchvision:mobilenet_v3_small"
WEIGHTS = "default+none"


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    return load_backbone(BOTH, weights=WEIGHTS)


@pytest.fixture(scope="module")
def joined_store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def fitted(pair, dishes, joined_store):
    data = tg.load(dishes)
    return tg.fit(tg.Classifier(pair, classes=data.classes), data, features=FeatureSettings(store=joined_store))


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return tg.save_run(fitted, tmp_path_factory.mktemp("runs") / "both")


def test_features_are_those_of_each_backbone_alone_side_by_side(pair, dishes, joined_store):
    data, settings = tg.load(dishes), FeatureSettings(store=joined_store)
    alone = [extract(data, part, settings=settings) for part in pair.parts]
    together = extract(data, pair, settings=settings)
    for name in ("held_out", "val"):
        expected = np.concatenate([unit_rows(getattr(table, name)) for table in alone], axis=1)
        np.testing.assert_array_equal(getattr(together, name), expected)
    rows = slice(None)
    expected = np.concatenate([unit_rows(table.train.take(rows)) for table in alone], axis=1)
    np.testing.assert_array_equal(together.train.take(rows), expected)


@pytest.mark.usefixtures("fitted")
def test_photos_that_each_backbone_has_seen_are_not_decoded_again(pair, dishes, joined_store, decoded):
    decoded.clear()
    table = extract(tg.load(dishes), pair, settings=FeatureSettings(store=joined_store))
    assert (table.computed, decoded) == (0, [])


def test_a_photo_has_one_answer_wherever_it_is_asked_for(fitted, saved):
    paths = [fitted.samples.paths[row] for row in fitted.samples.held_out_rows]
    expected = fitted.predictions.probabilities
    for predictor in (fitted.classifier, tg.Classifier.load(saved), EnginePredictor.load(saved)):
        found = np.array([answer.probabilities for answer in predictor.predict(paths)], np.float32)
        np.testing.assert_allclose(found, expected, atol=1e-5)  # engines round differently, as those of one backbone do
    one = EnginePredictor.load(saved).predict(open_photo(paths[0]))
    np.testing.assert_allclose(one.probabilities, expected[0], atol=1e-5)
    inputs = fitted.classifier.preprocess(open_photo(paths[0]))
    assert fitted.classifier.predict(inputs).label == one.label


def test_both_parts_have_a_say_and_the_one_that_has_learned_nothing_less(fitted, saved):
    shares = fitted.classifier.notes["shares"]
    assert list(shares) == ["bundled:nae", "torchvision:mobilenet_v3_small"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["bundled:nae"] > shares["torchvision:mobilenet_v3_small"]  # the other one has learned nothing yet
    assert "What tells the classes apart comes from: bundled:nae" in (saved / "report.html").read_text(encoding="utf-8")


def test_the_run_names_each_backbone_with_its_weights(saved):
    described = json.loads((saved / "classifier.json").read_text(encoding="utf-8"))
    assert [part["name"] for part in described["backbone"]["parts"]] == ["nae", "mobilenet_v3_small"]
    assert [part["size"] for part in described["preprocess"]["parts"]] == [[128, 128], [224, 224]]
    assert [part["label"] for part in described["pretrained"]["parts"]][1] == "none"
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert "bundled:nae: " in card
    assert r"torchvision:mobilenet\_v3\_small: none" in card


def test_every_part_is_looked_at_when_an_answer_is_explained(fitted):
    photo = fitted.samples.paths[fitted.samples.held_out_rows[0]]
    found = fitted.classifier.explain(photo)
    assert found.frame.shape == (128, 128, 3)  # the first one's frame
    assert found.explained[0].attribution.heat.shape == (128, 128)


def test_several_labels_too(plates, pair):
    data = tg.load(plates)
    run = tg.fit(tg.Classifier(pair, classes=data.classes, task="multi"), data)
    alone = tg.fit(tg.Classifier(pair.parts[0], classes=data.classes, task="multi"), data)
    assert run.evaluation["mean_average_precision"] > alone.evaluation["mean_average_precision"] - 0.1


@pytest.mark.long
def test_an_export_takes_photos_of_any_size_and_answers_the_same(saved, dishes):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    photos = sorted((dishes / "test").rglob("*.jpg"))
    exported = tg.export(saved, "onnx", saved.parent / "onnx", photos=photos)
    assert exported.parity.holds
    session = onnxruntime.InferenceSession(str(exported.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    photo = np.asarray(open_photo(photos[0]))
    (probabilities, *_) = session.run(None, {"pixels": photo[None]})
    expected = tg.Classifier.load(saved).predict(photos[0]).probabilities
    np.testing.assert_allclose(probabilities[0], expected, atol=1e-4)


def test_one_of_them_can_be_a_run(dish_run, pair, tmp_path):
    run = tg.save_run(dish_run, tmp_path / "run")
    root = load_backbone(f"{run}+torchvision:mobilenet_v3_small", weights="default+none")
    assert [part.num_features for part in root.parts] == [part.num_features for part in pair.parts]


def test_weights_and_arguments_go_to_the_backbones_they_are_for():
    root = load_backbone(
        "torchvision:mobilenet_v3_small+timm:mobilenetv3_small_050",
        weights="none",
        model_args={"2.num_classes": 0, "1.width_mult": 0.5},
    )
    assert [part.spec.model_args for part in root.parts] == [{"width_mult": 0.5}, {"num_classes": 0}]


@pytest.mark.parametrize(
    ("name", "weights", "arguments", "sentence"),
    [
        ("bundled:nae+", "default", {}, "a name each"),
        ("bundled:nae+bundled:nae", "default", {}, "each is another one"),
        (BOTH, "none+none+none", {}, "weights each or one word for all"),
        (BOTH, WEIGHTS, {"3.num_classes": 2}, "no backbone at this place"),
        (BOTH, WEIGHTS, {"x.num_classes": 2}, "no backbone at this place"),
        ("bundled:nae", "default", {"2.num_classes": 2}, "no backbone at this place"),
        ("bundled:nae+torchvision:mobilenet_v9", "none", {}, "no backbone called"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, weights, arguments, sentence):
    with pytest.raises(RequestError, match=sentence):
        load_backbone(name, weights=weights, model_args=arguments)


def test_fine_tuning_takes_one_and_says_how_to_go_on(pair, dishes, fitted):
    data = tg.load(dishes)
    with pytest.raises(RequestError, match="Fine-tuning trains one backbone, and these are 2") as caught:
        tg.fit(tg.Classifier(pair, classes=data.classes), data, method="fine-tune")
    assert "RUN+torchvision:mobilenet_v3_small" in str(caught.value)
    run = tg.fit(tg.Classifier(pair, classes=data.classes), data, method="auto")  # goes on without it
    assert run.classifier.notes["method"] == "transfer"
    assert run.evaluation["accuracy"] == fitted.evaluation["accuracy"]


def test_a_run_on_several_is_no_backbone_for_another(saved):
    with pytest.raises(RequestError, match="is a run on several backbones, and one is wanted"):
        load_backbone(str(saved))


def test_an_estimator_takes_several(dishes):
    paths = sorted(dishes.glob("train/*/*.jpg"))
    labels = [path.parent.name for path in paths]
    torch.manual_seed(0)
    fitted = tg.TransferClassifier(BOTH, weights=WEIGHTS).fit(paths, labels)
    assert fitted.score(paths, labels) > 0.9


@pytest.fixture(scope="module")
def staged():
    torch.manual_seed(0)
    return load_backbone("bundled:nae:multi")


def test_stages_stand_beside_the_last_features(staged, nae, dishes):
    photo = tg.Classifier(nae, classes=("a", "b")).preprocess(open_photo(next(dishes.rglob("*.jpg"))))[None]
    with torch.inference_mode():
        last, all_of_them = nae(photo), staged(photo)
    assert all_of_them.shape[1] == staged.num_features > nae.num_features
    unit = torch.nn.functional.normalize(last, dim=1)
    torch.testing.assert_close(all_of_them[:, : nae.num_features], unit, rtol=0, atol=1e-6)
    squares = float((all_of_them**2).sum())
    assert squares == pytest.approx(round(squares), abs=1e-4)  # so many parts, each of length one
    assert squares > 2


def test_stages_are_asked_by_several_threads_and_copied(staged, dishes):
    rule = staged.preprocess
    photos = [rule(open_photo(path))[None] for path in sorted(dishes.rglob("*.jpg"))[:16]]
    copied = copy.deepcopy(staged)

    def ask(photo):
        with torch.no_grad():
            return copied(photo)

    with torch.no_grad():
        expected = [staged(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, photos))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.long
def test_a_run_with_stages_answers_without_torch_and_is_loaded_again(staged, dishes, tmp_path):
    data = tg.load(dishes)
    run = tg.fit(tg.Classifier(staged, classes=data.classes), data)
    saved = tg.save_run(run, tmp_path / "run")
    assert json.loads((saved / "classifier.json").read_text(encoding="utf-8"))["backbone"]["features"] == "multi"
    paths = [data.paths[row] for row in data.held_out_rows]
    for predictor in (tg.Classifier.load(saved), EnginePredictor.load(saved)):
        found = np.array([answer.probabilities for answer in predictor.predict(paths)], np.float32)
        np.testing.assert_allclose(found, run.predictions.probabilities, atol=1e-5)
    with pytest.raises(RequestError, match="Fine-tuning trains a backbone with its last features"):
        tg.fit(run.classifier, data, method="fine-tune")


def test_a_network_without_maps_has_no_stages():
    with pytest.raises(RequestError, match="makes no maps of several sizes"):
        load_backbone("timm:test_vit:multi", weights="none")


def test_a_server_names_both_and_answers(saved, fitted):
    pytest.importorskip("starlette")
    from tsugiki.serving.models import Model

    assert Model.load(saved).to_dict()["backbone"] == str(fitted.classifier.backbone.spec)


@pytest.mark.long
@pytest.mark.parametrize(("root", "kind"), [("pair", "timm"), ("pair", "torchvision"), ("staged", "timm")])
def test_a_library_that_has_one_backbone_takes_no_more(request, root, kind, tmp_path):
    folder = tg.Classifier(request.getfixturevalue(root), classes=("a", "b")).save(tmp_path / "run")
    with pytest.raises(RequestError, match="has one backbone, and a head on its last features"):
        tg.export(folder, kind, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_preprocessing_for_one_is_none_for_several(pair):
    with pytest.raises(RequestError, match="each in its own frame") as caught:
        tg.Classifier(pair, classes=("a", "b"), preprocess=pair.parts[0].preprocess)
    assert "128 x 128 px + 224 x 224 px" in str(caught.value)


def test_a_run_knows_its_stages_and_another_one_can_be_asked_for_them(staged, dish_run, tmp_path):
    with_stages = tg.Classifier(staged, classes=("a", "b")).save(tmp_path / "stages")
    without = dish_run.classifier.save(tmp_path / "last")
    assert load_backbone(str(with_stages)).key() == staged.key()
    assert load_backbone(f"{without}:multi").key() == staged.key()
