"""The classifier: frozen means frozen, one photo has one answer however it is given, and modes stay as they were."""

import contextlib
import copy
import dataclasses
import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tsugiki as tg
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.core.console import say
from tsugiki.core.errors import ArtefactError, RequestError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.preprocess import Preprocess

SMALL = Preprocess(size=(32, 32), resize=36)


def restless_classifier():
    """A network with everything that moves when it is not told to rest: BatchNorm, dropout, InstanceNorm with statistics."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.InstanceNorm2d(8, track_running_stats=True),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    backbone = Backbone(body, 8, spec=BackboneSpec("test", "restless", "test:restless"), preprocess=SMALL)
    return tg.Classifier(backbone, classes=["a", "b", "c"])


def state_of(network):
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("count", [5, 8, 1])
def test_training_a_frozen_classifier_by_hand_moves_its_head_only(count):
    """The article's loop: ``model.train()``, batches of 4, the last one of a single photo among them."""
    model = restless_classifier()
    before = state_of(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train()
    for part in torch.split(torch.randn(count, 3, 32, 32), 4):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(part), torch.zeros(len(part), dtype=torch.long)).backward()
        optimizer.step()
    assert same(
        state_of(model.backbone), {k.removeprefix("backbone."): v for k, v in before.items() if k.startswith("backbone")}
    )
    assert not torch.equal(model.head.weight, before["head.weight"])
    inputs = torch.randn(3, 3, 32, 32)
    assert torch.equal(model(inputs), model(inputs)), "dropout of a frozen backbone does not drop"


def test_a_copy_is_as_frozen():
    model = copy.deepcopy(restless_classifier()).train()
    before = state_of(model)
    model(torch.randn(4, 3, 32, 32))
    assert same(state_of(model), before)


def test_nothing_but_the_head_can_learn(dish_run):
    learning = [name for name, parameter in dish_run.classifier.named_parameters() if parameter.requires_grad]
    assert learning == ["head.weight", "head.bias"]


def test_logits_are_features_times_head(dish_run):
    model = dish_run.classifier
    inputs = torch.randn(2, 3, 128, 128)
    with torch.inference_mode():
        features = model.backbone.features(inputs)
        assert torch.allclose(model(inputs), features @ model.head.weight.T + model.head.bias, atol=1e-5)
        expected = torch.softmax(model(inputs) / model.temperature, dim=1)
        assert torch.allclose(model.probabilities(model(inputs)), expected)


@pytest.mark.parametrize("classes", [["a"], ["a", "a"], [], "cat"])
def test_classes_that_cannot_be_told_apart_are_refused(nae, classes):
    with pytest.raises(RequestError, match="two classes"):
        tg.Classifier(nae, classes=classes)


@pytest.fixture(scope="module")
def photo(dishes):
    return sorted((dishes / "test").rglob("*.jpg"))[7]


def kinds_of(photo, model):
    content = photo.read_bytes()
    inputs = model.preprocess(open_photo(photo))
    return {
        "path": photo,
        "text": str(photo),
        "content": content,
        "binary file": io.BytesIO(content),
        "picture": Image.open(io.BytesIO(content)),
        "array": np.array(open_photo(photo)),
        "tensor": inputs,
        "half": inputs.double(),
    }


KINDS = ["path", "text", "content", "binary file", "picture", "array", "tensor", "half"]


def agree(one, other, tolerance=1e-5):
    assert one.label == other.label
    assert np.allclose(one.probabilities, other.probabilities, atol=tolerance)
    assert one.known == other.known
    assert one.distance == pytest.approx(other.distance, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_photo_has_the_same_answer(dish_run, photo, kind):
    model = dish_run.classifier
    answer = model.predict(kinds_of(photo, model)[kind])
    agree(answer, model.predict(photo))
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-6)
    assert answer.top[0] == (answer.label, answer.probability)
    assert answer.probability == max(answer.probabilities)
    assert answer.name == (str(photo) if kind in {"path", "text"} else "")


def test_a_list_of_every_kind_is_answered_in_its_order(dish_run, photo, dishes):
    model = dish_run.classifier
    other = min((dishes / "test").rglob("*.jpg"))
    given = [*kinds_of(photo, model).values(), *kinds_of(other, model).values()]
    answers = model.predict(given)
    first, last = model.predict(photo), model.predict(other)
    assert first.probabilities != last.probabilities
    for answer in answers[: len(KINDS)]:
        agree(answer, first)
    for answer in answers[len(KINDS) :]:
        agree(answer, last)


def test_one_by_one_a_list_a_folder_a_tensor_and_the_stored_rows_agree(dish_run, dishes):
    model = dish_run.classifier
    paths = sorted((dishes / "test").rglob("*.jpg"))
    one_by_one = [model.predict(path) for path in paths]
    together = model.predict([str(path) for path in paths])
    folder = model.predict(dishes / "test")
    inputs = model.predict(torch.stack([model.preprocess(open_photo(path)) for path in paths]))
    assert [answer.name for answer in folder] == [str(path) for path in paths]
    for answers in zip(one_by_one, together, folder, inputs, strict=True):
        for answer in answers:
            agree(answer, answers[0])
    rows = dict(zip(dish_run.predictions.names, dish_run.predictions.probabilities, strict=True))
    for path, answer in zip(paths, one_by_one, strict=True):
        assert np.allclose(answer.probabilities, rows[path.relative_to(dishes).as_posix()], atol=1e-4)


def test_more_photos_than_one_batch_come_back_in_order(dish_run, dishes):
    model = dish_run.classifier
    paths = sorted(dishes.rglob("*.jpg"))[:40]
    pictures = [open_photo(path) for path in paths]
    for answer, other in zip(model.predict(pictures), model.predict(paths), strict=True):
        agree(answer, other)


def test_backwards_is_backwards(dish_run, dishes):
    paths = sorted((dishes / "test").rglob("*.jpg"))
    forwards, backwards = dish_run.classifier.predict(paths), dish_run.classifier.predict(paths[::-1])
    assert [answer.name for answer in backwards] == [str(path) for path in paths[::-1]]
    for one, other in zip(forwards, backwards[::-1], strict=True):
        agree(one, other)


def test_unreadable_photos_in_a_list_are_answered_with_their_problem(dish_run, photo, tmp_path):
    model, broken = dish_run.classifier, tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:2000])
    for given in ([photo, broken, photo, tmp_path / "gone.jpg"], [open_photo(photo), broken, photo.read_bytes(), b"no photo"]):
        good, bad, again, worse = model.predict(given)
        agree(good, again)
        assert "cut off" in bad.problem
        assert worse.problem
        for answer in (bad, worse):
            assert (answer.label, answer.known, answer.top, answer.probabilities) == ("", False, (), ())
            assert answer.to_dict(model.classes)["problem"] == answer.problem
    assert bad.name == str(broken)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_what_a_folder_holds_besides_is_answered_with_its_problem(dish_run, photo, tmp_path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    assert [answer.problem for answer in dish_run.classifier.predict(tmp_path)] == ["no regular file"]
    shutil.copyfile(photo, tmp_path / "z.jpg")
    with contextlib.suppress(OSError):  # some systems allow no such name
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(photo.read_bytes())
    good, *others = dish_run.classifier.predict(tmp_path)
    agree(good, dish_run.classifier.predict(photo))
    assert good.name == str(tmp_path / "z.jpg")
    problems = {answer.name: answer.problem for answer in others}
    assert problems.pop(str(tmp_path / "a" / "pipe.jpg")) == "no regular file"
    assert all("UTF-8" in problem for problem in problems.values())
    assert len(problems) == len(list(tmp_path.iterdir())) - 2


def test_one_unreadable_photo_is_an_error_with_the_reason(dish_run, tmp_path):
    model, broken = dish_run.classifier, tmp_path / "broken.jpg"
    broken.write_bytes(b"<html></html>")
    with pytest.raises(UnreadablePhoto, match=r"broken\.jpg.*HTML"):
        model.predict(broken)
    with pytest.raises(UnreadablePhoto, match="HTML"):
        model.predict(broken.read_bytes())


@pytest.mark.parametrize(
    "given",
    ["nowhere/at/all.jpg", 7, None, torch.zeros(3, 3), torch.zeros(2, 1, 128, 128), torch.zeros(1, 3, 96, 128), [[1, 2]]],
    ids=str,
)
def test_what_is_no_photo_is_refused(dish_run, given):
    with pytest.raises(RequestError):
        dish_run.classifier.predict(given)


def test_pixels_that_were_never_preprocessed_are_refused(dish_run):
    with pytest.raises(RequestError, match=r"classifier\.preprocess"):
        dish_run.classifier.predict(torch.zeros(1, 3, 128, 128, dtype=torch.uint8))


def test_an_empty_folder_is_refused_and_an_empty_list_is_answered_by_one(dish_run, tmp_path):
    with pytest.raises(RequestError, match="no photo"):
        dish_run.classifier.predict(tmp_path)
    assert dish_run.classifier.predict([]) == []


@pytest.mark.parametrize("top", [1, 2, 3, 99])
def test_top_names_the_most_probable_classes_best_first(dish_run, photo, top):
    answer = dish_run.classifier.predict(photo, top=top)
    assert len(answer.top) == min(top, 3)
    assert [probability for _, probability in answer.top] == sorted(answer.probabilities, reverse=True)[:top]


@pytest.mark.parametrize("kind", ["path", "picture", "tensor"])
@pytest.mark.parametrize("training", [True, False])
def test_prediction_leaves_every_mode_and_number_as_it_was(dish_run, photo, kind, training):
    model = dish_run.classifier
    model.train(training)
    modes, state = [module.training for module in model.modules()], state_of(model)
    model.predict(kinds_of(photo, model)[kind])
    assert [module.training for module in model.modules()] == modes
    assert same(state_of(model), state)
    model.eval()


def test_an_unfrozen_classifier_in_training_mode_still_predicts_in_evaluation_mode():
    model = restless_classifier()
    tg.unfreeze(model)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    expected = model.eval().predict(picture)
    assert model.train().predict(picture).probabilities == expected.probabilities
    assert all(module.training for module in model.modules())


def test_the_callers_pictures_stay_as_they_are(dish_run):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 60, 4), dtype=np.uint8))
    array = np.array(picture)
    before = array.copy()
    dish_run.classifier.predict([picture, array])
    assert (picture.mode, picture.size) == ("RGBA", (60, 50))
    assert np.array_equal(array, before)


def test_all_orientations_have_one_answer(dish_run, photo, tmp_path):
    upright = open_photo(photo)
    turns = [None, *(getattr(Image.Transpose, name) for name in ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"))]
    turns += [getattr(Image.Transpose, name) for name in ("TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270")]
    answers = []
    for orientation, turn in enumerate(turns, start=1):
        note = Image.Exif()
        note[0x0112] = orientation
        path = tmp_path / f"{orientation}.png"  # without loss, so that answers are equal and not only close
        (upright if turn is None else upright.transpose(turn)).save(path, exif=note)
        answers.append(dish_run.classifier.predict(path))
    for answer in answers[1:]:
        agree(answer, answers[0])


def test_photos_unlike_anything_seen_are_not_known(dish_run, dishes):
    model = dish_run.classifier
    noise = np.random.default_rng(0).integers(0, 256, (20, 200, 200, 3), dtype=np.uint8)
    flat = [np.full((200, 200, 3), value, np.uint8) for value in (0, 90, 255)]
    assert not any(answer.known for answer in model.predict([*noise[:5], *flat]))
    seen = model.predict(sorted((dishes / "train").rglob("*.jpg")))
    assert np.mean([answer.known for answer in seen]) > 0.9
    assert all(answer.distance < 0.02 for answer in seen), "a training photo is its own nearest"


def test_before_training_everything_is_known(nae, photo):
    answer = tg.Classifier(nae, classes=["a", "b"]).predict(photo)
    assert answer.known
    assert answer.distance is None


def test_predictions_are_plain_values(dish_run, photo):
    import json

    answer = dish_run.classifier.predict(photo)
    document = json.loads(json.dumps(answer.to_dict(dish_run.classifier.classes)))
    assert document["probabilities"] == dict(zip(dish_run.classifier.classes, answer.probabilities, strict=True))
    assert document["top"][0] == {"label": answer.label, "probability": answer.probability}
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.label = "other"


@pytest.mark.robust("networks", case="a network changed after loading", right="`save` refuses, and names what was changed")
def test_what_would_come_back_changed_is_not_saved(nae, tmp_path):
    model = tg.Classifier(copy.deepcopy(nae), classes=("a", "b"))
    model.backbone.body.act1 = torch.nn.GELU()
    with pytest.raises(RequestError, match="changed after it was built") as caught:
        model.save(tmp_path / "run")
    assert caught.value.got == "act1"
    assert not (tmp_path / "run").exists()


@pytest.mark.robust("threads", case="an array that is no picture", right="what is allowed and what came, alone and in a list")
def test_arrays_keep_what_is_allowed_and_what_came(dish_run):
    model, wrong = dish_run.classifier, np.zeros((4, 4, 3), np.float32)
    with pytest.raises(UnreadablePhoto) as caught:
        model.predict(wrong)
    assert caught.value.allowed == "uint8 [H, W], [H, W, 3], [H, W, 4]"
    assert caught.value.got == "float32 [4, 4, 3]"
    first, second = model.predict([wrong, np.zeros((4, 4, 3), np.uint8)])
    assert "got: float32 [4, 4, 3]" in first.problem
    assert second.label


@pytest.mark.robust("threads", case="NaN or infinity in a tensor of photos", right="refused, with the photos' numbers")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_no_numbers(dish_run, value):
    model = dish_run.classifier
    photos = torch.zeros(3, 3, *model.preprocess.size)
    photos[1, 0, 0, 0] = value
    for given, row in ((photos, "1"), (photos[1], "0"), ([photos[0], photos[1]], "0")):
        with pytest.raises(RequestError, match="no finite numbers") as caught:
            model.predict(given)
        assert caught.value.got == f"1 photos: {row}"


@pytest.mark.robust("threads", case="`model.half()`, then `predict`", right="one sentence: answers are computed in float32")
def test_a_classifier_in_half_precision(nae, photo):
    model = tg.Classifier(copy.deepcopy(nae), classes=("a", "b")).half()
    for given in (photo, np.zeros((40, 40, 3), np.uint8), torch.zeros(1, 3, *model.preprocess.size)):
        with pytest.raises(RequestError, match="computed in float32"):
            model.predict(given)


@pytest.mark.robust("networks", case="a run whose weights hold NaN", right="called damaged, with the tensor's name")
def test_a_run_with_nan_is_damaged(nae, tmp_path):
    model = tg.Classifier(copy.deepcopy(nae), classes=("a", "b"))
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    model.save(tmp_path / "run")
    with pytest.raises(ArtefactError, match="damaged") as caught:
        tg.Classifier.load(tmp_path / "run")
    assert "head.weight" in caught.value.got


@pytest.mark.robust(
    "threads",
    case="`predict` in eight threads at once",
    right="the console speaks again, `train()` and the person's precision stay as they were",
)
def test_eight_threads_leave_everything_as_it_was(nae, photo, capsys):
    model = tg.Classifier(copy.deepcopy(nae), classes=("a", "b")).train()
    modes = [module.training for module in model.modules()]
    before = (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision(), torch.get_num_threads())
    with ThreadPoolExecutor(8) as pool:
        labels = {answer.label for answer in pool.map(lambda _: model.predict(photo), range(16))}
    assert len(labels) == 1
    assert [module.training for module in model.modules()] == modes
    assert (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision(), torch.get_num_threads()) == before
    say("heard")
    assert "heard" in capsys.readouterr().err
