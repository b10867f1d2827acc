"""What a Python program holds already is taken as it is, or refused in a sentence."""

import os

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import ImageFolder

import tsugiki as tg
from tsugiki.core.errors import DataError, RequestError


@pytest.fixture(scope="module")
def frame(dishes):
    rows = [(str(path), path.parent.name, path.parts[-3]) for path in sorted(dishes.rglob("*.jpg"))]
    return pd.DataFrame(rows, columns=["path", "label", "split"])


def _seen(samples):
    return sorted(zip(map(os.fspath, samples.paths), samples.label_names(), samples.splits, strict=True))


@pytest.mark.robust("surface", case="`tg.load(DataFrame)`", right="the same photos, classes and splits as its folder")
def test_a_frame_is_read_as_its_folder_would_be(frame, dishes, monkeypatch):
    expected = _seen(tg.load(dishes))
    assert _seen(tg.load(frame)) == expected
    assert _seen(tg.load(frame.rename(columns={"path": " Path", "label": "LABEL"}))) == expected
    assert _seen(tg.load({"train": frame[frame.split == "train"], "valid": frame[frame.split == "test"]})) == [
        (path, label, "val" if split == "test" else split) for path, label, split in expected
    ]
    monkeypatch.chdir(dishes)
    relative = frame.assign(path=[os.path.relpath(path, dishes) for path in frame.path])
    assert _seen(tg.load(relative)) == expected


@pytest.mark.robust("surface", case="a DataFrame with columns, rows or cells that are not used", right="each is named")
def test_what_a_frame_holds_besides_is_said(frame, capsys):
    odd = pd.concat([frame, frame[:1], pd.DataFrame({"path": ["gone.jpg", "x.jpg"], "label": ["pizza", None]})])
    samples = tg.load(odd.assign(patient=1))
    assert len(samples) == len(frame)
    assert len(samples.left_out) == 3
    said = capsys.readouterr().err
    for words in ("Columns of DataFrame that are not read: patient", "gone.jpg", "no label", "the first counts"):
        assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="label"), "no column label"),
        (lambda frame: frame.assign(split="sometimes"), "no such split"),
        (lambda frame: pd.concat([frame, frame[:1].assign(label="soup")]), "two labels"),
        (lambda frame: frame[:0], "names no photos"),
    ],
)
def test_a_frame_that_cannot_be_meant_is_refused(frame, change, words):
    with pytest.raises(RequestError, match=words):
        tg.load(change(frame))


@pytest.mark.robust(
    "surface",
    case="a DataFrame with is_valid, patient_id, one-hot or differently called columns, labels like a|b, numbers that measure",
    right="as the same table in a file: read and said, or refused",
)
def test_a_frame_is_read_as_a_table_is(frame, capsys):
    renamed = frame.drop(columns="split").rename(columns={"path": "filename", "label": "クラス"})
    samples = tg.load(renamed.assign(is_valid=frame.split == "test", patient_id=range(len(frame))))
    assert set(samples.splits) == {"train", "val"}
    assert samples.groups is not None
    one_hot = pd.concat([frame[["path"]], pd.get_dummies(frame.label)], axis=1)
    assert tg.load(one_hot).classes == ("pizza", "steak", "sushi")
    assert "path: filename; label: クラス; split: is_valid; group: patient_id" in capsys.readouterr().err
    unassigned = frame.assign(split=["UNASSIGNED" if number % 9 == 0 else word for number, word in enumerate(frame.split)])
    assert "counted as training photos" in "\n".join(tg.load(unassigned).decisions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.assign(Label="x"), "several columns that are called label"),
        (lambda frame: frame.assign(label=[f"{name};x" for name in frame.label]), "seems to have several labels with ;"),
        (lambda frame: frame.assign(label=[number * 0.37 for number in range(len(frame))]), "look like a measurement"),
    ],
)
def test_what_a_table_is_refused_for_a_frame_is_refused_for_too(frame, change, words):
    with pytest.raises(RequestError, match=words.replace("|", ".")):
        tg.load(change(frame))


def test_numbers_with_a_gap_are_the_classes_that_they_were(frame):
    codes = frame.label.map({"pizza": 0, "steak": 1, "sushi": 2}).astype(float)
    codes[0] = np.nan
    assert tg.load(frame.assign(label=codes)).classes == ("0", "1", "2")
    assert tg.load(frame.assign(label=frame.label.str.encode("utf-8"))).classes == ("pizza", "steak", "sushi")


@pytest.mark.robust("surface", case="`tg.load(ImageFolder)`, a Subset of it, pairs of path and label", right="accepted")
def test_folders_of_torchvision_subsets_and_pairs(dishes):
    folder, test = ImageFolder(dishes / "train"), ImageFolder(dishes / "test")
    expected = _seen(tg.load(dishes))
    assert _seen(tg.load({"train": folder, "test": test})) == expected
    assert len(tg.load(folder).held_out_rows) > 0  # nobody held any out, so a share is
    part = Subset(folder, torch.arange(0, 36, 2))
    assert {path for path, _, _ in _seen(tg.load(part))} == {path for path, _ in folder.samples[::2]}
    pairs = [(path, folder.classes[label]) for path, label in folder.samples]
    assert _seen(tg.load(pairs)) == _seen(tg.load(dict(pairs))) == _seen(tg.load(folder))
    by_class = {name: [path for path, label in pairs if label == name] for name in folder.classes}
    assert _seen(tg.load(by_class)) == _seen(tg.load(folder))
    assert tg.load(folder.samples).classes == ("0", "1", "2")


@pytest.mark.robust("surface", case="`tg.load` of a tensor, a list of paths, None", right="a sentence that says what is taken")
@pytest.mark.parametrize("photos", [None, 3, TensorDataset(torch.zeros(2, 3)), np.zeros((2, 2)), ["a.jpg", "b.jpg"], [], {}])
def test_anything_else_is_refused_in_a_sentence(photos):
    with pytest.raises(RequestError, match=r"(?s)(cannot be listed|names no photos).*ImageFolder.*DataFrame"):
        tg.load(photos)


def test_photos_that_are_not_there_are_no_photos(tmp_path):
    with pytest.raises(DataError):
        tg.load([(tmp_path / "a.jpg", "a"), (tmp_path / "b.jpg", "b")])


@pytest.mark.robust("surface", case="`tg.audit(samples)`, `tg.evaluate(model, samples)`", right="accepted, as their folder is")
def test_samples_are_taken_wherever_a_folder_is(dish_run, dishes, capsys):
    samples = tg.load(dishes)
    capsys.readouterr()
    assert tg.load(samples) is samples
    assert "54 photos" in capsys.readouterr().err
    assert tg.evaluate(dish_run.classifier, samples).document == tg.evaluate(dish_run.classifier, dishes).document
    assert tg.audit(samples).to_dict() == tg.audit(dishes).to_dict()
    test = ImageFolder(dishes / "test")
    assert tg.evaluate(dish_run.classifier, {"test": test}).document["n"] == 18
