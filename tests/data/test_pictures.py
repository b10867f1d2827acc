"""Pictures that a program holds become files of the cache: once, without loss, or they are refused in a sentence."""

import errno
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset, random_split
from torchvision import transforms
from torchvision.datasets import FakeData, ImageFolder

import tsugiki as tg
from tests.data.hub_stand_in import ClassLabel, Dataset, Value
from tests.data.hub_stand_in import Image as ImageFeature
from tsugiki.core.errors import DataError, RequestError, TsugikiError
from tsugiki.core.files import cache_folder
from tsugiki.data.images.decode import open_photo
from tsugiki.data.sources.in_memory import pictures

ANIMALS = ("ant", "bee", "cow")
LABELS = [0, 1, 2] * 5


@pytest.fixture(scope="module")
def array():
    return np.random.default_rng(0).integers(0, 256, (15, 24, 32, 3)).astype(np.uint8)


class Animals(torch.utils.data.Dataset[tuple[Image.Image, object]]):
    """A map-style data set as people write them."""

    def __init__(self, photos, labels=LABELS, classes=ANIMALS, change=lambda photo: photo):
        self.photos, self.labels, self.change, self.asked = photos, labels, change, 0
        if classes:
            self.classes = list(classes)

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, at):
        self.asked += 1
        return self.change(Image.fromarray(self.photos[at])), self.labels[at]


def content(photo, kind="PNG", **settings):
    stream = io.BytesIO()
    photo.save(stream, kind, **settings)
    return stream.getvalue()


def pixels_of(samples):
    """By split and number, what the files hold, and their classes."""
    return [np.asarray(open_photo(path)) for path in samples.paths], samples.label_names()


@pytest.mark.robust(
    "surface",
    case="`tg.load` of a Dataset of (PIL image, label), of arrays with labels, of PIL images by class",
    right="the same photos and classes as their files, written once without loss",
)
def test_the_same_pictures_in_any_object_are_the_same_files(array):
    names = [ANIMALS[label] for label in LABELS]
    photos = [Image.fromarray(photo) for photo in array]
    held = [
        Animals(array),
        (array, names),
        (torch.from_numpy(array), names),
        (list(array), np.array(names)),
        (photos, tuple(names)),
        list(zip(photos, names, strict=True)),
        [{"image": photo, "label": name} for photo, name in zip(photos, names, strict=True)],
        Animals(array, labels=names, classes=None),
        Subset(Animals(array), range(15)),
        ConcatDataset([Animals(array[:6]), Animals(array[6:])]),
    ]
    for photos_held in held:
        samples = tg.load(photos_held)
        found, labels = pixels_of(samples)
        assert np.array_equal(found, array)
        assert labels == names
        assert [path.name for path in samples.paths] == [f"{number:08}.png" for number in range(15)]
    assert len({os.fspath(tg.load(photos_held).paths[0]) for photos_held in held}) == 1  # one folder for all of them


def test_splits_numbers_and_classes_are_those_of_the_object(array, capsys):
    parts = {"train": (array[:9], LABELS[:9]), "test": (array[9:, :, :, 0].copy(), np.array(LABELS[9:])[:, None])}
    samples = tg.load(parts)
    assert (samples.classes, Counter(samples.splits)) == (("0", "1", "2"), {"train": 9, "test": 6})
    assert samples.names[0] == "train/00000000.png"
    assert np.array_equal(np.asarray(open_photo(samples.paths[9]))[:, :, 1], array[9, :, :, 0])
    assert "Pictures of this program were written to" in capsys.readouterr().err
    train, test = random_split(Animals(array), [9, 6], torch.Generator().manual_seed(0))
    assert tg.load({"train": train, "test": test}).classes == ANIMALS
    assert tg.load({"ant": array[:5], "bee": list(array[5:])}).counts()["train"] == {"ant": 4, "bee": 8}


def test_several_labels_of_a_picture(array):
    samples = tg.load((array, [["ant"], ["bee", "ant"], []] * 5))
    assert samples.targets.sum(axis=0).tolist() == [10, 5]
    marks = np.eye(3, dtype=int)[LABELS]
    with pytest.raises(RequestError, match=r"(?s)nobody said which classes.*pandas.DataFrame\(labels"):
        tg.load((array, marks))
    assert tg.load((array, pd.DataFrame(marks, columns=ANIMALS))).classes == ANIMALS


def test_pictures_are_written_once(array, monkeypatch):
    first = tg.load(Animals(array))
    stamps = [path.stat().st_mtime_ns for path in first.paths]

    def written_again(_):
        raise AssertionError

    monkeypatch.setattr(pictures, "_written", written_again)
    again = Animals(array)
    samples = tg.load(again)
    assert again.asked == 16  # the first one also tells what the data set is
    assert [path.stat().st_mtime_ns for path in samples.paths] == stamps


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_that_was_opened_from_a_file_stays_that_file(kind, array, tmp_path):
    files = [content(Image.fromarray(photo), kind) for photo in array]
    for number, file in enumerate(files):
        (tmp_path / f"{number}").write_bytes(file)
    by_name = [Image.open(tmp_path / f"{number}") for number in range(15)]
    for photos in (by_name, [Image.open(io.BytesIO(file)) for file in files]):
        assert [path.read_bytes() for path in tg.load((photos, LABELS)).paths] == files
    for number, photo in enumerate(by_name):
        photo.putpixel((0, 0), (number, 0, 0))  # not what the file holds any more
    found, _ = pixels_of(tg.load((by_name, LABELS)))
    assert [photo[0, 0].tolist() for photo in found] == [[number, 0, 0] for number in range(15)]
    for photo in by_name:
        photo.close()


def test_pictures_of_every_mode_are_read_as_predict_reads_them(array):
    turned = Image.fromarray(array[4])
    turned.getexif()[0x0112] = 6
    clear = np.dstack([array[3], np.full((24, 32), 90, np.uint8)])
    deep = Image.fromarray(array[2][..., 0].astype(np.uint16) * 200)
    photos = [Image.fromarray(array[0]).convert(mode) for mode in ("L", "P", "CMYK", "1")] + [
        deep,
        Image.fromarray(clear),
        turned,
    ]
    labels = ["a", "b"] * 3 + ["b"]
    for photo, path in zip(photos, tg.load((photos, labels)).paths, strict=True):
        assert np.array_equal(np.asarray(open_photo(path)), np.asarray(open_photo(photo)))


def test_a_picture_that_cannot_be_read_is_left_out_by_its_number(array):
    cut = io.BytesIO(content(Image.fromarray(array[0]), "JPEG")[:-90])
    clear = np.zeros((24, 32, 4), np.uint8)
    samples = tg.load(([clear, Image.open(cut), *array[2:]], LABELS))
    assert len(samples) == 13
    assert sorted((entry.name, entry.reason[:7]) for entry in samples.left_out) == [
        ("#0", "nothing"),
        ("00000000.jpg", "cut off"),
    ]


@pytest.mark.robust(
    "surface",
    case="`tg.load` of tensors that a transform made, floats, channels first, too few labels, a number of no class",
    right="a sentence that says what to give instead",
)
@pytest.mark.parametrize(
    ("held", "words"),
    [
        (lambda array: (array / 255, LABELS), r"no array of pictures.*float64 \[15, 24, 32, 3\].*ARRAY \* 255"),
        (lambda array: ((array / 255 - 0.5).astype("f4"), LABELS), "as they were before"),
        (lambda array: (array.transpose(0, 3, 1, 2), LABELS), r"ARRAY.transpose\(0, 2, 3, 1\)"),
        (lambda array: (array[..., :1], LABELS), r"ARRAY\[..., 0\]"),
        (lambda array: (array, LABELS[:4]), r"do not fit together.*15 pictures.*4 labels"),
        (lambda array: (array[:0], []), "list of photos is empty"),
        (lambda array: Animals(array, change=transforms.ToTensor()), r"(?s)numbers, no picture.*transform=None"),
        (lambda array: Animals(array, labels=[7] * 15), r"number of no class.*0 to 2: ant, bee, cow.*got: 7"),
        (lambda array: Animals(array, labels=[-1] * 15), "number of no class"),
        (lambda array: TensorDataset(torch.from_numpy(array) / 255, torch.tensor(LABELS)), "numbers, no picture"),
        (lambda array: [(Image.fromarray(array[0]), "a"), ("b.jpg", "b")], "Entry 1 of str is no picture"),
        (lambda array: [(Image.fromarray(array[0]), "a"), None], "no pair of picture and label"),
        (lambda array: [array[0], array[1]], "cannot be listed"),
        (lambda array: ((array[:9], LABELS[:9]), (array[9:], LABELS[9:])), "say which split each of them is"),
        (lambda array: {"train": (array, LABELS), "more": (array, LABELS)}, "call its parts by their splits"),
        (lambda array: DataLoader(Animals(array)), "LOADER.dataset"),
        (lambda _: HubStream(), "streaming=False"),
        (lambda _: Stream(), r"cannot be listed.*list\(...\)"),
    ],
)
def test_what_is_no_picture_any_more_is_refused(array, held, words):
    with pytest.raises(RequestError, match=f"(?s){words}"):
        tg.load(held(array))


class Stream(IterableDataset[object]):
    def __iter__(self):
        return iter(())


class HubStream(Stream):
    column_names = ("image", "label")


def test_a_transform_that_draws_is_refused_and_one_that_does_not_is_said(array, capsys):
    dice = np.random.default_rng(0)

    def turned(photo):
        return photo.rotate(int(dice.integers(1, 90)))

    with pytest.raises(RequestError, match=r"(?s)was another one.*transform=None"):
        tg.load(Animals(array, change=turned))
    data = FakeData(9, (3, 20, 20), 3, transform=transforms.CenterCrop(10))
    assert {open_photo(path).size for path in tg.load(data).paths} == {(10, 10)}
    assert "The photos of FakeData are what its transform makes of them" in capsys.readouterr().err


def test_a_transform_of_an_image_folder_is_not_applied_and_that_is_said(dishes, capsys):
    assert len(tg.load(ImageFolder(dishes / "train", transform=transforms.ToTensor()))) == 36
    assert "A transform is not applied: the photos of ImageFolder" in capsys.readouterr().err


# -- datasets.Dataset -----------------------------------------------------------------------------------------------------


def hub_sets():
    """The library itself where it is installed; else what stands for it, as far as it is used."""
    yield pytest.param((Dataset, ImageFeature, ClassLabel, Value), id="stand-in")
    try:
        import datasets
    except ImportError:
        return

    def made(columns, features):
        return datasets.Dataset.from_dict(columns, features=datasets.Features(features))

    yield pytest.param((made, datasets.Image, datasets.ClassLabel, datasets.Value), id="datasets")


@pytest.fixture(params=hub_sets())
def hub(request):
    """``hub(files, labels, **columns)``: a data set of the Hub."""
    make, image, class_label, value = request.param

    def made(files, labels, **columns):
        features = {"image": image(), "label": class_label(names=list(ANIMALS))}
        features |= dict.fromkeys(columns, value("string"))
        return make({"image": files, "label": labels, **columns}, features)

    return made


@pytest.mark.robust(
    "surface",
    case="`tg.load(datasets.Dataset)`, of stored bytes or of files, with classes, groups, and a cell without a label",
    right="its own bytes, its names of classes, its other columns as those of a table",
)
def test_a_data_set_of_the_hub_gives_its_own_bytes(hub, array, capsys):
    files = [content(Image.fromarray(photo), "JPEG") for photo in array]
    stored = [{"bytes": file, "path": f"{number}.jpg"} for number, file in enumerate(files)]
    data = hub(stored, [-1, *LABELS[1:]], patient_id=[str(number // 2) for number in range(15)], note=["x"] * 15)
    samples = tg.load(data)
    assert [path.read_bytes() for path in samples.paths] == files[1:]
    assert samples.label_names() == [ANIMALS[label] for label in LABELS[1:]]
    assert samples.groups[:3] == ("0", "1", "1")
    assert [entry.reason for entry in samples.left_out] == ["no label"]
    assert "that are not read: note" in capsys.readouterr().err
    parts = {"train": hub(stored[:9], LABELS[:9]), "validation": hub(stored[9:], LABELS[9:])}
    assert Counter(tg.load(parts).splits) == {"train": 9, "val": 6}


def test_files_that_a_data_set_of_the_hub_names_are_left_where_they_are(hub, array, tmp_path):
    places = [tmp_path / f"{number}.png" for number in range(15)]
    for photo, place in zip(array, places, strict=True):
        Image.fromarray(photo).save(place)
    data = hub([{"bytes": None, "path": str(place)} for place in places], LABELS)
    assert tg.load(data).paths == places


def test_what_a_data_set_of_the_hub_holds_instead_of_a_picture_is_left_out(hub, array):
    stored = [{"bytes": content(Image.fromarray(photo)), "path": None} for photo in array]
    stored[3]["bytes"] = b"no picture at all"
    samples = tg.load(hub(stored, LABELS))
    assert [entry.reason for entry in samples.left_out] == ["a text file"]
    with pytest.raises(DataError):
        tg.load(hub([{"bytes": b"no picture", "path": None}] * 15, LABELS))


def test_a_full_disk_is_said(array, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TsugikiError, match=r"(?s)cannot be written.*No space left.*TSUGIKI_CACHE"):
        tg.load((array, LABELS))
    assert not [*(cache_folder() / "archives").iterdir()]
