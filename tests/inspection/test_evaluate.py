"""A score is called what it is, whatever the folder is called: photos of the training, their copies, photos without a class."""

import io
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import tsugiki as tg
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import LeftOut
from tsugiki.evaluation.label_issues import Decisions
from tsugiki.evaluation.predictions import SEEN, UNCHECKED, VALIDATED
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.training.corrections import apply_decisions


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("store"))


def copied(source, target):
    """A folder of photos elsewhere, old enough to be trusted."""
    shutil.copytree(source, target)
    time.sleep(0.06)
    return target


@pytest.mark.robust("scores", case="evaluate RUN DATA/train", right="counted, named, and never called held-out")
@pytest.mark.parametrize("name", ["train", "anything", "test", "val"])
def test_photos_of_the_training_are_never_held_out_whatever_the_folder_is_called(
    dishes, dish_run, store, tmp_path, name, capsys
):
    root = copied(dishes / "train", tmp_path / "data" / name)
    judged = tg.evaluate(dish_run.classifier, root if name in {"train", "anything"} else root.parent, store=store)
    told = capsys.readouterr().err
    assert judged.document["split"] == SEEN
    assert judged.document["n"] == 36
    assert set(judged.predictions.splits) == {SEEN}
    assert "The classifier was trained with all of these photos (" in told
    assert "and 33 more" in told
    assert "of 36 photos answered right, but the classifier was trained with all of them" in told
    assert "held-out" not in told


@pytest.mark.robust(
    "scores", case="a folder test/ of held-out and learned photos", right="only the others are judged, the learned named"
)
def test_learned_photos_are_no_part_of_a_named_split(dishes, dish_run, store, tmp_path, capsys):
    root = copied(dishes / "test", tmp_path / "data" / "test")
    for name in ("pizza", "sushi"):
        shutil.copyfile(dishes / "train" / name / "00.jpg", root / name / "learned.jpg")
    time.sleep(0.06)
    judged = tg.evaluate(dish_run.classifier, root.parent, store=store)
    told = capsys.readouterr().err
    assert judged.document["n"] == dish_run.evaluation["n"]
    assert judged.document["accuracy"] == dish_run.evaluation["accuracy"]
    assert (
        "trained with 2 of these photos (test/pizza/learned.jpg, test/sushi/learned.jpg): only the other 18 are judged" in told
    )


@pytest.mark.robust("scores", case="photos of the training, saved anew", right="known by their features, and said in the score")
def test_copies_of_training_photos_that_were_saved_anew_are_leaks(dishes, dish_run, store, tmp_path, capsys):
    for path in (dishes / "train").rglob("*.jpg"):
        target = tmp_path / "new" / path.parent.name / f"x{path.stem}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(target)
    time.sleep(0.06)
    judged = tg.evaluate(dish_run.classifier, tmp_path / "new", store=store)
    assert judged.document["leaks"]["n"] >= 30
    assert "with a twin among the photos of the training" in capsys.readouterr().err.replace("every one of them has", "with")


@pytest.mark.robust("scores", case="leaks that training found", right="the same leaks in fit, report and evaluate")
def test_leaks_of_the_training_are_leaks_in_every_evaluation(dishes, nae, store, tmp_path, capsys):
    root = copied(dishes, tmp_path / "leaky")
    for name in ("pizza", "steak", "sushi"):
        for path in sorted((root / "test" / name).iterdir())[:3]:
            path.unlink()
            # Smaller and compressed anew: the same picture, and no file is the same.
            photo = Image.open(root / "train" / name / path.name.replace(path.stem, f"{int(path.stem) - 12:02}"))
            stream = io.BytesIO()
            photo.resize((photo.width * 3 // 4, photo.height * 3 // 4)).save(stream, "JPEG", quality=80)
            path.write_bytes(stream.getvalue())
    time.sleep(0.06)
    model = tg.Classifier(nae, classes=("pizza", "steak", "sushi"))
    run = tg.fit(model, root, settings=HeadSettings(epochs=5), features=FeatureSettings(store=store))
    fitted = capsys.readouterr().err
    count = run.evaluation["leaks"]["n"]
    assert count >= 7
    assert f"counting {count} with a twin in another split" in fitted
    tg.save_run(run, tmp_path / "run")
    again = tg.evaluate(tg.Classifier.load(tmp_path / "run"), root, store=store).document
    assert again["leaks"]["n"] == count
    assert again["leaks"]["accuracy_without"] == run.evaluation["leaks"]["accuracy_without"]
    assert f"counting {count} with a twin among the photos of the training" in capsys.readouterr().err


def test_what_nobody_knows_to_be_held_out_is_not_called_so(dishes, dish_run, store, capsys):
    model = replaced_notes(dish_run.classifier, {})
    judged = tg.evaluate(model, dishes / "test", store=store)
    told = capsys.readouterr().err
    assert judged.document["split"] == UNCHECKED
    assert "whether the classifier was trained with some of them is not known" in told
    assert "held-out" not in told
    assert tg.evaluate(model, dishes, store=store).document["split"] == "test"


def test_a_draw_counts_where_the_notes_do_not_tell(flat, dish_run, store):
    samples = tg.load(flat)
    judged = tg.evaluate(replaced_notes(dish_run.classifier, {}), samples, store=store)
    assert sorted(judged.predictions.names) == sorted(samples.of("test").names)
    assert judged.document["split"] == "test"


def replaced_notes(classifier, notes):
    """The same classifier, with other notes, as one that was made by hand has them."""
    other = tg.Classifier(classifier.backbone, classes=classifier.classes)
    other.head.load_state_dict(classifier.head.state_dict())
    other.notes = notes
    return other


@pytest.mark.robust(
    "scores", case="every photo was left out by a list", right="another sentence than for photos that cannot be read"
)
def test_photos_that_a_list_left_out_are_not_called_unreadable(flat, nae, store):
    loaded = tg.load(flat, index=store)
    gone = loaded.of("train").names[:2]
    samples = apply_decisions(loaded, Decisions(frozenset(gone), {}))
    model = tg.Classifier(nae, classes=samples.classes)
    tg.fit(model, samples, settings=HeadSettings(epochs=5), features=FeatureSettings(store=store))
    only = loaded.take(row for row, name in enumerate(loaded.names) if name in gone)
    with pytest.raises(DataError, match="Every one of these photos was left out in training") as caught:
        tg.evaluate(model, only, store=store)
    assert "cannot be read" not in str(caught.value)


def test_a_classifier_of_the_other_task_is_not_judged(dishes, plates, nae, dish_run):
    of_sets = tg.Classifier(nae, classes=dish_run.classifier.classes, task="multi")
    with pytest.raises(RequestError, match="gives several labels per photo, and these photos have one each"):
        tg.evaluate(of_sets, tg.load(dishes))
    for data in (plates, tg.load(plates)):
        with pytest.raises(RequestError, match="gives one label per photo, and these photos may have several"):
            tg.evaluate(dish_run.classifier, data)


def test_photos_without_labels_are_refused_with_a_sentence(dishes, dish_run):
    paths = sorted((dishes / "test" / "pizza").iterdir())
    with pytest.raises(RequestError, match="These photos have no labels"):
        tg.evaluate(dish_run.classifier, Samples.from_lists(paths))


def test_a_photo_without_a_class_is_no_photo_that_a_list_left_out(dishes, dish_run, store, capsys):
    samples = tg.load(dishes).of("test")
    unlabelled = replace(samples, labels=np.where(np.arange(len(samples)) == 0, -1, samples.labels))
    judged = tg.evaluate(dish_run.classifier, unlabelled, store=store)
    assert judged.document["n"] == len(samples) - 1
    assert judged.document["n_unknown_class"] == 1
    assert "Left out in training" not in capsys.readouterr().err


def test_files_that_samples_left_out_stay_named(dishes, dish_run, store):
    samples = replace(tg.load(dishes), left_out=(LeftOut("test/pizza/broken.jpg", "cut off"),))
    assert [one.name for one in tg.evaluate(dish_run.classifier, samples, store=store).left_out] == ["test/pizza/broken.jpg"]


@pytest.mark.robust("scores", case="held-out photos answered with not sure", right="the same count in fit and evaluate")
def test_refused_photos_are_counted(dishes, dish_run, store):
    refused = dish_run.evaluation["refused"]
    assert refused is not None
    assert refused["n"] == int((~dish_run.predictions.known).sum())
    assert tg.evaluate(dish_run.classifier, dishes, store=store).document["refused"] == refused


@pytest.mark.robust("scores", case="evaluate RUN DATA/val, which validated", right="called validation photos, not learned ones")
def test_validation_photos_are_called_what_they_are(dishes, nae, store, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(dishes, data)
    for dish in ("pizza", "steak", "sushi"):
        (data / "val" / dish).mkdir(parents=True)
        for photo in sorted((data / "train" / dish).iterdir())[:4]:
            photo.rename(data / "val" / dish / photo.name)
    time.sleep(0.06)
    model = tg.Classifier(nae, classes=("pizza", "steak", "sushi"))
    tg.fit(model, data, settings=HeadSettings(epochs=5), features=FeatureSettings(store=store))
    capsys.readouterr()
    judged = tg.evaluate(model, data / "val", store=store)
    told = capsys.readouterr().err
    assert "All of these photos were validation photos of the training (pizza/00.jpg" in told
    assert "of 12 validation photos answered right" in told
    assert "trained with" not in told
    assert "held-out" not in told
    assert judged.document["split"] == VALIDATED
    for photo in (data / "test").rglob("*.jpg"):
        shutil.copyfile(photo, data / "val" / photo.parent.name / f"{photo.parent.name} {photo.name}")
    time.sleep(0.06)
    tg.evaluate(model, data / "val", store=store)
    assert "trained or validated with 12 of these photos" in capsys.readouterr().err
