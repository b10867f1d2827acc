"""The whole story: photos and a classifier in, a run out, and the same numbers wherever one asks again."""

import csv
import json
import shutil
import sys
import time
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tsugiki as tg
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.images.decode import content_digest
from tsugiki.data.load import load
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.seen_photos import fingerprint

CLASSES = ("pizza", "steak", "sushi")
QUICK = HeadSettings(epochs=10)


@pytest.fixture
def features(tmp_path):
    return FeatureSettings(store=FeatureStore(tmp_path / "store"))


def state_of(network):
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def comparable(document):
    """The numbers of an evaluation that do not need the training photos."""
    return {name: value for name, value in document.items() if name not in {"leaks", "findings", "fine_tuning"}}


def equal_numbers(one, other, *, tolerance=1e-4):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal_numbers(one[key], other[key], tolerance=tolerance) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(equal_numbers(a, b, tolerance=tolerance) for a, b in zip(one, other, strict=True))
    return one == (pytest.approx(other, abs=tolerance) if isinstance(one, float) else other)


def test_it_learns(dish_run):
    assert dish_run.evaluation["split"] == "test"
    assert dish_run.evaluation["n"] == 18
    assert dish_run.evaluation["accuracy"] >= 0.6, "a guess has 0.33"
    assert dish_run.history[-1]["train_acc"] > 0.9
    assert dish_run.out_of_fold.shape == (36, 3)
    assert dish_run.samples.counts() == {"train": dict.fromkeys(CLASSES, 12), "test": dict.fromkeys(CLASSES, 6)}


def batchnorm_backbone(frozen_at_birth=True):
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=4), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    )
    nn.init.uniform_(body[1].running_var, 0.5, 2)
    spec = BackboneSpec("test", "bn", "test:bn")
    return Backbone(body, 64, spec=spec, preprocess=Preprocess(size=(64, 64), resize=64)).train(not frozen_at_birth)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("batch_size", [35, 12])
def test_frozen_means_frozen(dishes, features, engine, batch_size):
    """Promise 1, with a network of BatchNorm; 36 photos leave one over in batches of 35."""
    backbone = batchnorm_backbone(frozen_at_birth=False)
    before = state_of(backbone)
    model = tg.Classifier(backbone, classes=CLASSES).train()
    head = model.head.weight.detach().clone()
    settings = HeadSettings(epochs=2, batch_size=batch_size)
    tg.fit(model, dishes, settings=settings, features=FeatureSettings(engine=engine, store=features.store))
    assert same(state_of(backbone), before)
    assert not torch.equal(model.head.weight, head)
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_the_bundled_backbone_is_as_it_was_loaded(nae, dish_run):
    from tsugiki.backbones.load_backbone import load_backbone

    assert same(state_of(dish_run.classifier.backbone), state_of(load_backbone("bundled:nae")))
    assert dish_run.classifier.backbone is nae


def test_run_evaluate_rows_and_predictions_tell_one_story(saved_run, dishes, tmp_path):
    folder = saved_run
    model = tg.Classifier.load(folder)
    judged = tg.evaluate(model, dishes, store=FeatureStore(tmp_path / "store"))
    stored = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert equal_numbers(comparable(stored), comparable(json.loads(json.dumps(judged.document))))
    rows = list(csv.DictReader((folder / "predictions.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["path"] for row in rows] == list(judged.predictions.names)
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == stored["accuracy"]
    for row, answer in zip(rows, model.predict([dishes / row["path"] for row in rows]), strict=True):
        assert row["predicted"] == answer.label
        assert np.allclose([float(row[f"probability:{name}"]) for name in CLASSES], answer.probabilities, atol=1e-4)


def test_the_second_fit_decodes_no_photo(dishes, nae, features, decoded):
    first = tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=features)
    assert len(decoded) == first.table.computed == 54
    decoded.clear()
    other = tg.Classifier(nae, classes=CLASSES[::-1])
    again = tg.fit(other, dishes, settings=HeadSettings(epochs=5, seed=9, class_weights=True), features=features)
    assert decoded == []
    assert again.table.computed == 0
    judged = tg.evaluate(other, dishes, store=features.store)
    assert decoded == []
    assert judged.document["n"] == 18


def test_merged_and_moved_photos_are_not_decoded_again(dishes, nae, features, decoded, tmp_path):
    tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=features)
    decoded.clear()
    merged = tmp_path / "merged"
    for path in dishes.rglob("*.jpg"):
        name = "plate" if path.parent.name == "steak" else "finger food"
        target = merged / path.parent.parent.name / name / f"{path.parent.name}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    run = tg.fit(tg.Classifier(nae, classes=["plate", "finger food"]), merged, settings=QUICK, features=features)
    assert decoded == []
    assert run.evaluation["n"] == 18


def test_the_same_request_gives_the_same_run(dishes, nae, features, tmp_path):
    first, second = (tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=features) for _ in range(2))
    fresh = FeatureSettings(store=FeatureStore(tmp_path / "other"))
    third = tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=fresh)
    assert same(state_of(first.classifier), state_of(second.classifier))
    assert first.evaluation == second.evaluation
    assert equal_numbers(comparable(first.evaluation), comparable(third.evaluation))
    assert [row | {"seconds": 0} for row in first.history] == [row | {"seconds": 0} for row in second.history]


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[::-1], ("steak", "pizza", "sushi")])
def test_evaluation_holds_the_same_photos_of_a_flat_folder_out_again(flat, nae, features, classes):
    model = tg.Classifier(nae, classes=classes)
    run = tg.fit(model, flat, settings=QUICK, features=features)
    held_out = run.samples.of("test")
    judged = tg.evaluate(model, flat, store=features.store)
    assert sorted(judged.predictions.names) == sorted(held_out.names)
    assert judged.document["accuracy"] == run.evaluation["accuracy"]
    assert 0 < len(held_out) < 20


def test_it_does_so_when_unreadable_photos_were_left_out_first(flat, nae, features):
    for number, path in enumerate(sorted(flat.rglob("*.jpg"))[::7]):
        path.write_bytes(path.read_bytes()[:900] if number % 2 else b"<html>")
    samples = tg.load(flat, seed=3)
    assert len(samples.left_out) == 8
    for data in (samples, flat):
        model = tg.Classifier(nae, classes=CLASSES)
        run = tg.fit(model, data, settings=QUICK, features=features)
        assert len(run.samples.left_out) == 8
        judged = tg.evaluate(model, flat, store=features.store)
        assert sorted(judged.predictions.names) == sorted(run.samples.of("test").names)


def test_other_photos_without_a_split_are_all_judged_and_that_is_said(flat, dish_run, features, capsys):
    for path in flat.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"\0")
    judged = tg.evaluate(dish_run.classifier, flat, store=features.store)
    assert judged.document["n"] == 54
    assert judged.document["leaks"]["n"] == 36
    assert "counting 36 with a twin among the photos of the training" in capsys.readouterr().err


def test_notes_that_somebody_else_wrote_do_not_stop_evaluation(flat, nae, features):
    model = tg.Classifier(nae, classes=CLASSES)
    tg.fit(model, flat, settings=QUICK, features=features)
    del model.notes["seen"]
    for split in ({"seed": "x"}, {"seed": 0, "held_out": 9, "fingerprint": "", "left_out": []}, [1], "text"):
        model.notes["split"] = split
        assert tg.evaluate(model, flat, store=features.store).document["n"] == 54


def test_class_order_does_not_shift_labels(dishes, dish_run, nae, features):
    other = tg.Classifier(nae, classes=("sushi", "pizza", "steak"))
    run = tg.fit(other, dishes, features=features)
    assert run.evaluation["accuracy"] == pytest.approx(dish_run.evaluation["accuracy"], abs=0.12)
    photo = next((dishes / "train" / "sushi").iterdir())
    assert other.predict(photo).label == "sushi"
    assert [row["class"] for row in run.evaluation["per_class"]] == ["sushi", "pizza", "steak"]


def test_a_held_out_folder_that_lacks_a_class_shifts_nothing(dishes, nae, features, tmp_path):
    root = shutil.copytree(dishes, tmp_path / "photos")
    shutil.rmtree(root / "test" / "steak")
    (root / "test" / "curry").mkdir()
    shutil.copyfile(root / "test" / "pizza" / "12.jpg", root / "test" / "curry" / "1.jpg")
    model = tg.Classifier(nae, classes=CLASSES)
    run = tg.fit(model, root, features=features)
    assert [row["n"] for row in run.evaluation["per_class"]] == [6, 0, 6]
    assert any("steak" in warning for warning in run.samples.warnings)
    assert [entry.name for entry in run.samples.left_out] == ["test/curry/1.jpg"]
    judged = tg.evaluate(model, root, store=features.store)
    assert judged.document["accuracy"] == run.evaluation["accuracy"]
    assert judged.document["n_unknown_class"] == 1
    assert model.predict(next((root / "train" / "sushi").iterdir())).label == "sushi"


def test_val_gives_the_curves_where_there_is_a_test_too(dishes, nae, features, tmp_path):
    root = shutil.copytree(dishes, tmp_path / "photos")
    for path in sorted((root / "train").rglob("*.jpg")):
        if path.stem in {"00", "01", "02"}:
            target = root / "val" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), root, settings=QUICK, features=features)
    assert run.classifier.notes["head"]["validation"] == "val"
    assert run.classifier.notes["photos"] == {"test": 18, "train": 27, "val": 9}
    val = run.table.val @ run.classifier.head.weight.detach().numpy().T
    val += run.classifier.head.bias.detach().numpy()
    hits = (val.argmax(axis=1) == run.samples.labels[run.samples.val_rows]).mean()
    assert run.history[-1]["val_acc"] == pytest.approx(hits)
    assert run.evaluation["split"] == "test"


def test_augmented_views_are_learned_from_and_stored(dishes, nae, features, decoded):
    with_views = FeatureSettings(views=2, store=features.store)
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=with_views)
    assert len(decoded) == 54 + 2 * 36
    assert len(run.table.train) == 3 * 36
    assert run.out_of_fold.shape == (36, 3)
    assert run.classifier.notes["views"] == 2
    decoded.clear()
    again = tg.fit(tg.Classifier(nae, classes=CLASSES), dishes, settings=QUICK, features=with_views)
    assert decoded == []
    assert again.evaluation == run.evaluation
    frames = run.table.train_photos.take(slice(None))
    views = run.table.train.take(slice(None)).reshape(3, 36, -1)
    assert np.array_equal(views[0], frames)
    near = [np.corrcoef(views[number, 0], frames[0])[0, 1] for number in (1, 2)]
    assert min(near) > np.corrcoef(frames[0], frames[20])[0, 1]


def test_views_of_another_engine_do_not_mix_with_frames(dishes, nae, features):
    """Frames that one engine has stored, views that another one computes: still one space."""
    tg.fit(
        tg.Classifier(nae, classes=CLASSES),
        dishes,
        settings=QUICK,
        features=FeatureSettings(engine="torch", store=features.store),
    )
    for engine in ("openvino", "auto"):
        run = tg.fit(
            tg.Classifier(nae, classes=CLASSES),
            dishes,
            settings=QUICK,
            features=FeatureSettings(engine=engine, views=1, store=features.store),
        )
        frames, mirrored = run.table.train.take(slice(None)).reshape(2, 36, -1)
        alike = (frames * mirrored).sum(axis=1) / np.linalg.norm(frames, axis=1) / np.linalg.norm(mirrored, axis=1)
        assert alike.mean() > 0.9


def test_groups_and_copies_stay_together_in_cross_validation(dishes, nae, features, tmp_path):
    rows = ["path,label,split,group"]
    for path in sorted(dishes.rglob("*.jpg")):
        split = path.parent.parent.name
        rows.append(f"{path},{path.parent.name},{split},{path.parent.name}-{int(path.stem) // 3}-{split}")
    copies = [shutil.copyfile(dishes / "train" / name / "00.jpg", tmp_path / f"{name}.jpg") for name in CLASSES]
    rows += [f"{path},{path.stem},train,copy-{path.stem}" for path in copies]
    manifest = tmp_path / "photos.csv"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), manifest, settings=QUICK, features=features)
    training = run.samples.take(run.samples.train_rows)
    names = run.table.groups_of(run.samples.train_rows).tolist()
    assert training.groups is not None
    by_group, by_content = {}, {}
    for name, group, digest in zip(names, training.groups, training.digests, strict=True):
        assert by_group.setdefault(group, name) == name
        assert by_content.setdefault(digest, name) == name
    assert len(set(names)) == 12


def test_unreadable_photos_are_named_and_left_out_with_all_their_copies(dishes, nae, features, tmp_path, capsys):
    root = shutil.copytree(dishes, tmp_path / "photos")
    for name in ("train/pizza/03.jpg", "train/sushi/05.jpg", "test/steak/14.jpg"):
        (root / name).write_bytes((root / name).read_bytes()[:1000])
    shutil.copyfile(root / "train/pizza/03.jpg", root / "train/pizza/copy.jpg")
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), root, settings=QUICK, features=features)
    expected = ["test/steak/14.jpg", "train/pizza/03.jpg", "train/pizza/copy.jpg", "train/sushi/05.jpg"]
    assert sorted(entry.name for entry in run.samples.left_out) == expected
    assert all("cut off" in entry.reason for entry in run.samples.left_out)
    talk = capsys.readouterr().err
    assert all(name in talk for name in expected)
    assert run.evaluation["n"] == 17
    assert (root / "train/pizza/03.jpg").stat().st_size == 1000, "no file of the person's is touched"


def test_a_class_without_a_readable_photo_is_a_sentence(dishes, nae, features, tmp_path):
    root = shutil.copytree(dishes, tmp_path / "photos")
    for path in (root / "train" / "steak").iterdir():
        path.write_bytes(b"<html>")
    with pytest.raises(RequestError, match=r"(?s)steak.*HTML"):
        tg.fit(tg.Classifier(nae, classes=CLASSES), root, settings=QUICK, features=features)
    for path in (root / "test").rglob("*.jpg"):
        path.write_bytes(b"<html>")
    shutil.rmtree(root / "train" / "steak")
    run = tg.fit(tg.Classifier(nae, classes=("pizza", "sushi")), root, settings=QUICK, features=features)
    assert any("Not one photo of test can be read" in decision for decision in run.samples.decisions)
    assert (run.samples.draw is not None, run.evaluation["n"]) == (True, 4)


@pytest.mark.parametrize("classes", [("pizza", "steak"), ("pizza", "steak", "sushi", "soup"), ("a", "b", "c")])
def test_photos_of_other_classes_are_refused(dishes, nae, features, classes):
    with pytest.raises(RequestError, match="pizza, steak, sushi"):
        tg.fit(tg.Classifier(nae, classes=classes), dishes, features=features)


def test_the_callers_samples_stay_as_they_are(dishes, nae, features):
    samples = load(dishes, index=features.store)
    labels, classes = samples.labels.copy(), samples.classes
    tg.fit(tg.Classifier(nae, classes=CLASSES[::-1]), samples, settings=QUICK, features=features)
    assert np.array_equal(samples.labels, labels)
    assert samples.classes == classes


def test_an_interrupted_fit_leaves_the_classifier_as_it_was(dishes, nae, features, monkeypatch):
    model = tg.Classifier(nae, classes=CLASSES)
    before = state_of(model)
    monkeypatch.setattr("tsugiki.training.fit.fit_head", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        tg.fit(model, dishes, features=features)
    assert same(state_of(model), before)
    assert (model.temperature, model.unknown, model.notes) == (1.0, None, {})


def test_the_fingerprint_knows_photos_classes_and_splits_and_nothing_else(dishes, features, tmp_path):
    samples = load(dishes, index=features.store)
    moved = shutil.copytree(dishes, tmp_path / "moved")
    for path in list(moved.rglob("*.jpg")):
        path.rename(path.with_name(f"x{path.name}"))
    assert fingerprint(load(moved, index=features.store)) == fingerprint(samples)
    other = moved / "train" / "pizza" / "x00.jpg"
    other.rename(moved / "train" / "steak" / "x99.jpg")
    assert fingerprint(load(moved, index=features.store)) != fingerprint(samples)


def test_calibration_uses_training_photos_only(dishes, nae, features, tmp_path):
    """Other held-out photos, the same temperature and threshold."""
    root = shutil.copytree(dishes, tmp_path / "photos")
    for path in (root / "test").rglob("*.jpg"):
        with Image.open(path) as photo:
            turned = photo.rotate(180)
        turned.save(path)
    one, other = (tg.Classifier(nae, classes=CLASSES) for _ in range(2))
    tg.fit(one, dishes, settings=QUICK, features=features)
    tg.fit(other, root, settings=QUICK, features=features)
    assert one.temperature == other.temperature
    assert one.unknown is not None
    assert other.unknown is not None
    assert one.unknown.threshold == other.unknown.threshold
    assert torch.equal(one.head.weight, other.head.weight)


def test_a_leak_is_counted_beside_the_score(dishes, nae, features, tmp_path):
    root = shutil.copytree(dishes, tmp_path / "photos")
    with Image.open(root / "train" / "pizza" / "00.jpg") as photo:
        smaller = photo.resize((photo.width * 3 // 4, photo.height * 3 // 4))
    smaller.save(root / "test" / "pizza" / "99.jpg", quality=70)
    shutil.copyfile(root / "train" / "sushi" / "00.jpg", root / "test" / "sushi" / "98.jpg")
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), root, settings=QUICK, features=features)
    assert {entry["path"]: entry["twin"] for entry in run.evaluation["leaks"]["photos"]} == {
        "test/pizza/99.jpg": "train/pizza/00.jpg",
        "test/sushi/98.jpg": "train/sushi/00.jpg",
    }
    assert run.evaluation["leaks"]["n_clean"] == 18


def test_all_four_stories_decode_each_photo_once(dishes, nae, features, monkeypatch):
    """Whatever is asked, and in whatever order: a photo that was decoded is known."""
    decoded = []
    for name in ("tsugiki.data.images.pixels.read_pixels", "tsugiki.data.images.decode.open_photo"):
        module, _, function = name.rpartition(".")
        real = getattr(sys.modules[module], function)

        def counted(content, *words, real=real, **options):
            decoded.append(content_digest(content))
            return real(content, *words, **options)

        for user in [one for one in list(sys.modules.values()) if getattr(one, function, None) is real]:
            if user.__name__.startswith("tsugiki."):
                monkeypatch.setattr(user, function, counted)
    samples = tg.load(dishes, index=features.store)
    assert decoded == []
    run = tg.fit(tg.Classifier(nae, classes=samples.classes), samples, settings=QUICK, features=features)
    assert len({*decoded}) == len(samples)
    for data in (samples, dishes):
        assert tg.evaluate(run.classifier, data, store=features.store).document["n"] == 18
        assert tg.audit(data, backbone=nae, features=features).samples.names == samples.names
    held_out = {samples.digests[row] for row in samples.held_out_rows}
    # The exact path asks the one decoder, the fast path is one itself.
    assert Counter(decoded) == {digest: 2 if digest in held_out else 1 for digest in samples.digests}


def test_the_same_photos_are_held_out_whatever_is_asked(flat, nae, features):
    for number, path in enumerate(sorted(flat.rglob("*.jpg"))[::4]):
        path.write_bytes(path.read_bytes()[:900] if number % 2 else b"")
    time.sleep(0.06)
    samples = tg.load(flat, index=features.store)
    assert len(samples) == 40
    assert all(samples.counts()["test"].values())
    held_out = set(samples.of("test").names)
    run = tg.fit(tg.Classifier(nae, classes=samples.classes), flat, settings=QUICK, features=features)
    audited = tg.audit(flat, backbone=nae, features=features)
    judged = tg.evaluate(run.classifier, flat, store=features.store)
    for names in (run.samples.of("test").names, audited.samples.of("test").names, judged.predictions.names):
        assert set(names) == held_out


def test_photos_that_only_decoding_finds_broken_are_drawn_without(flat, nae, features, capsys, monkeypatch):
    """Bytes can promise more than they hold: then the draw is made again, and the table is told again."""
    broken = [path.relative_to(flat).as_posix() for path in sorted(flat.rglob("*.jpg"))[::4]]
    for name in broken:
        (flat / name).write_bytes((flat / name).read_bytes()[:900])
    time.sleep(0.06)
    with monkeypatch.context() as believed:
        believed.setattr("tsugiki.data.images.decode.is_proven_whole", lambda _: True)
        promised = tg.load(flat, index=features.store)
    assert len(promised) == 54
    run = tg.fit(tg.Classifier(nae, classes=CLASSES), promised, settings=QUICK, features=features)
    assert sorted(entry.name for entry in run.samples.left_out) == sorted(broken)
    assert "Photos were held out anew" in capsys.readouterr().err
    for name in broken:
        (flat / name).unlink()
    assert tg.load(flat, index=features.store).of("test").names == run.samples.of("test").names


def test_nothing_held_out_is_scored_out_of_fold_and_says_so(dishes, nae, features, capsys, tmp_path):
    paths = sorted((dishes / "train").rglob("*.jpg"))
    labels = [path.parent.name for path in paths]
    samples = tg.Samples.from_lists(paths, labels, ["train"] * len(paths), index=features.store)
    assert (samples.held_out, samples.held_out_rows) == ("", [])
    run = tg.fit(tg.Classifier(nae, classes=samples.classes), samples, settings=QUICK, features=features)
    assert run.evaluation["split"] == "out-of-fold"
    hits = run.out_of_fold.argmax(axis=1) == samples.labels
    assert (run.evaluation["correct"], run.evaluation["n"]) == (hits.sum(), 36)
    said = capsys.readouterr().err
    assert "each by a head that had not learned from it" in said
    assert "held-out photos answered" not in said
    folder = tg.save_run(run, tmp_path / "run")
    assert tg.Classifier.load(folder).predict(paths[0]).label in samples.classes
    assert (
        tg.fit(
            tg.Classifier(nae, classes=samples.classes),
            tg.load(dishes / "train", held_out=0),
            settings=QUICK,
            features=features,
        ).evaluation["correct"]
        == hits.sum()
    )
    with pytest.raises(DataError, match="Nothing is held out"):
        tg.fit(tg.Classifier(nae, classes=samples.classes), samples, method="fine-tune", features=features)
