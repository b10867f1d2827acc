"""Data sets as they are downloaded, and archives of anything: a folder and its archive are understood the same way."""

import io
import json
import random
import re
import shutil
import tarfile
import zipfile

import pytest

from tests.data.conftest import refusal, said, table
from tsugiki.core.errors import DataError, RequestError, TsugikiError
from tsugiki.data.load import list_photos

ONE_HOT = "filename, cat, dog\n0.png, 1, 0\n1.png, 0, 1\n"
HUB = "file_name,label\n0.png,cat\n1.png,dog\n"


def zip_of(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


# -- data sets as they are downloaded -------------------------------------------------------------------------------------

TINY = {
    **{f"train/n{number}/images": 2 for number in range(3)},
    "val/images": ["v0.JPEG", "v1.JPEG", "v2.JPEG"],
    "val/val_annotations.txt": "v0.JPEG\tn0\t1\t2\t3\t4\nv1.JPEG\tn1\t1\t2\t3\t4\nv2.JPEG\tn2\t1\t2\t3\t4\n",
    "test/images": 2,
}
FOOD = {
    "images/pie": 3,
    "images/cake": 3,
    "meta/train.txt": "pie/0\npie/1\ncake/0\ncake/1\n",
    "meta/test.txt": "pie/2\ncake/2\n",
    "meta/classes.txt": "cake\npie\n",
}
FOOD_JSON = {
    "images/pie": 3,
    "images/cake": 3,
    "meta/train.json": '{"pie": ["pie/0", "pie/1"], "cake": ["cake/0", "cake/1"]}',
    "meta/test.json": '{"pie": ["pie/2"], "cake": ["cake/2"]}',
}
CUB = {
    "images/001.Gull": 3,
    "images/002.Tern": 3,
    "images.txt": "".join(
        f"{3 * kind + n + 1} 00{kind + 1}.{('Gull', 'Tern')[kind]}/{n}.png\n" for kind in (0, 1) for n in range(3)
    ),
    "train_test_split.txt": "1 1\n2 1\n3 0\n4 1\n5 1\n6 0\n",
    "image_class_labels.txt": "1 1\n",
}
VAL_MAP = {"train/n1": 2, "train/n2": 2, "val": ["v_1.JPEG", "v_2.JPEG"]}
HAM = {
    "part_1": ["ISIC_1.jpg", "ISIC_2.jpg"],
    "part_2": ["ISIC_3.jpg"],
    "meta.csv": "lesion_id,image_id,dx,age\nL1,ISIC_1,mel,80\nL1,ISIC_2,mel,80\nL2,ISIC_3,nv,8\n",
}
KAGGLE = {"train": 3, "test": 3, "train.csv": "id,breed\n0,pug\n1,husky\n2,pug\n", "sample_submission.csv": "id,breed\n0,pug\n"}
GTSRB = {
    "Train/0": 2,
    "Train/1": 2,
    "Test": ["00000.png", "00001.png"],
    "Meta": ["0.png", "1.png"],
    "Test.csv": "Width,ClassId,Path\n27,0,Test/00000.png\n27,1,Test/00001.png\n",
}
LAYOUTS = {
    "classes": {"a": 3, "b": 2},
    "splits": {"train/a": 3, "train/b": 2, "val/a": 1, "extra/c": 1},
    "wrapped": {"photos/data/a": 2, "photos/data/b": 2, "readme.txt": "x"},
    "parts of names": {"seg_train/a": 2, "seg_train/b": 2, "seg_test/a": 1, "seg_pred": 2},
    "doubled": {"train/train/a": 2, "train/train/b": 2, "test/test/a": 1},
    "empty class": {"a": 2, "b": 2, "c/notes.txt": "x"},
    "stray photos": {"a": 2, "b": 2, "": ["stray.png"]},
    "a table beside classes": {"a": 4, "b": 4, "review.csv": "path,label\na/0.png,b\na/1.png,b\n"},
    "a table in a wrapper": {"d/p": 3, "d/list.csv": "path,label\np/0.png,x\np/1.png,y\n"},
    "flat with a table": {"": 4, "labels.csv": "path,label\n0.png,x\n1.png,y\n2.png,y\n"},
    "tables per split": {
        "img": 4,
        "train.csv": "path,label\nimg/0.png,a\nimg/1.png,b\n",
        "val.csv": "path,label\nimg/2.png,a\n",
    },
    "several tables": {"img": 4, "x.csv": "path,label\nimg/0.png,a\n", "y.csv": "path,label\nimg/2.png,a\n"},
    "several labels": {"img": 2, "x.csv": "path,label\nimg/0.png,a|b\nimg/1.png,b\n"},
    "metadata.csv": {"": 2, "metadata.csv": HUB},
    "metadata.csv per split": {"train": 2, "test": 2, "train/metadata.csv": HUB, "test/metadata.csv": HUB},
    "a text list of labels": {"": 3, "labels.txt": "0.png cat\n1.png dog\n2.png cat\n"},
    "_classes.csv": {"train": 2, "valid": 2, "train/_classes.csv": ONE_HOT, "valid/_classes.csv": ONE_HOT},
    "Tiny ImageNet": TINY,
    "Food-101": FOOD,
    "Food-101, JSON": FOOD_JSON,
    "CUB": CUB,
    "ImageNet": {**VAL_MAP, "val_map.txt": "v_1.JPEG n1\nv_2.JPEG n2\n"},
    "HAM10000": HAM,
    "Kaggle": KAGGLE,
    "GTSRB": GTSRB,
    "masks": {"images": 2, "masks": 2},
    "folds": {"fold_1/a": 2, "fold_2/a": 2},
    "sites": {"s/0": 2, "s/1": 2, "t/0": 1, "t/1": 1},
    "species": {"Felis/catus": 1, "Felis/leo": 1, "Canis/lupus": 1},
    "results": {"a": 1, "b": 1, "run/classifier.json": "{}", "run/weights.safetensors": "", "run/p.png": "x"},
    "zips": {"a.zip": zip_of({"0.png": "x"}), "b.zip": zip_of({"0.png": "y"})},
    "splits in classes": {"cat/train": 2, "cat/test": 1, "dog/train": 2, "dog/test": 1},
    "nothing": {"notes.txt": "x"},
}


@pytest.mark.robust("layouts", case="a folder, and a zip or tar of it", right="always understood the same way")
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_and_its_archive_are_understood_the_same_way(build, tmp_path, name):
    root = build(LAYOUTS[name])

    def told(source, base):
        try:
            listing = list_photos(source)
        except RequestError as fault:
            return re.sub(r"\S*/\S*", "<path>", str(fault).replace(str(base), "<path>"))
        skip = [sentence for sentence in listing.decisions if "was unpacked to" not in sentence]
        said_alike = [re.sub(r"/\S+", "<path>", sentence.replace(str(base), "")) for sentence in skip]
        left_out = {(entry.name, entry.reason) for entry in listing.left_out}
        return listing.names, listing.labels, listing.splits, listing.groups, left_out, said_alike

    expected = told(root, root)
    for kind in ("zip", "tar"):
        archive = shutil.make_archive(str(tmp_path / "packed"), kind, root_dir=root)
        assert told(archive, archive) == expected, kind


@pytest.mark.robust(
    "layouts",
    case="Tiny ImageNet: train/CLASS/images, val/images with val_annotations.txt, test without labels",
    right="val has the labels of its list; test is named as not used",
    source="tjmoon0104/pytorch-tiny-imagenet#4",
)
def test_tiny_imagenet(build):
    listing = list_photos(build(TINY))
    assert table(listing) == {**{f"train:n{n}": 2 for n in range(3)}, **{f"val:n{n}": 1 for n in range(3)}}
    assert "Labels of val/images are those in val/val_annotations.txt." in said(listing)
    assert "class folders inside: test." in said(listing)


@pytest.mark.robust("layouts", case="Food-101: images/ with meta/train.txt or .json", right="the splits of the lists")
@pytest.mark.parametrize("spec", [FOOD, FOOD_JSON])
def test_food_101(build, spec):
    listing = list_photos(build(spec))
    assert table(listing) == {"train:pie": 2, "train:cake": 2, "test:pie": 1, "test:cake": 1}
    assert "Splits are those of meta/test." in said(listing)


@pytest.mark.robust(
    "layouts",
    case="autosplit_train.txt, TrainImages.txt beside class folders",
    right="the splits of the lists, and said",
    source="ultralytics/ultralytics#20460",
)
@pytest.mark.parametrize(
    ("train", "val"),
    [("autosplit_train.txt", "autosplit_val.txt"), ("TrainImages.txt", "ValImages.txt"), ("train.txt", "val.txt")],
)
def test_lists_of_splits_beside_class_folders(build, train, val):
    listing = list_photos(build({"a": 3, "b": 3, train: "./a/0.png\n./a/1.png\nb/0.png 1\nb/1.png 1\n", val: "a/2.png\nb/2\n"}))
    assert table(listing) == {"train:a": 2, "train:b": 2, "val:a": 1, "val:b": 1}
    assert f"Splits are those of {train} (train), {val} (val)." in said(listing)


def test_what_two_lists_name_is_not_held_out(build):
    lists = {"train.txt": "a/0\na/1\nb/0\nb/1\n", "test.txt": "a/1\na/2\nb/2\n"}
    listing = list_photos(build({"a": 3, "b": 3, **lists}))
    assert table(listing) == {"train:a": 2, "train:b": 2, "test:a": 1, "test:b": 1}
    assert "Photos that two of them name, and that are not held out: 1." in said(listing)


def test_lists_that_contradict_each_other_are_not_used_and_named(build):
    lists = {
        "labels/train1.txt": "a/0\nb/0\n",
        "labels/test1.txt": "a/1\n",
        "labels/train2.txt": "a/1\n",
        "labels/test2.txt": "a/0\n",
    }
    listing = list_photos(build({"a": 3, "b": 3, **lists}))
    assert table(listing) == {"a": 3, "b": 3}
    assert "Lists of splits that are not used" in said(listing)
    assert "labels/train2.txt" in said(listing)


@pytest.mark.robust("layouts", case="CUB-200: images.txt and train_test_split.txt", right="the splits of the lists")
def test_cub(build):
    listing = list_photos(build(CUB))
    assert table(listing) == {"train:001.Gull": 2, "train:002.Tern": 2, "test:001.Gull": 1, "test:002.Tern": 1}


@pytest.mark.robust(
    "layouts",
    case="ImageNet: a flat val with a map",
    right="read where the map has the names of the class folders; a map of numbers is named as not used",
    source="huggingface/pytorch-image-models#1081",
)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("val_map.txt", "v_1.JPEG n1\nv_2.JPEG n2\n"),
        ("val.csv", "ImageId,Class\nv_1,n1\nv_2,n2\n"),
        ("LOC_val_solution.csv", "ImageId,PredictionString\nv_1,n1 111 108 230 396\nv_2,n2 1 1 1 1 n2 2 2 2 2\n"),
    ],
)
def test_imagenet_with_a_flat_val(build, name, text):
    assert table(list_photos(build({**VAL_MAP, name: text}))) == {"train:n1": 2, "train:n2": 2, "val:n1": 1, "val:n2": 1}


@pytest.mark.robust(
    "layouts",
    case="ImageNet: a map of numbers, whose order nobody notes",
    right="not guessed: named as not used",
    source="raoyongming/DynamicViT#17",
)
def test_imagenet_with_numbers_is_not_guessed(build):
    listing = list_photos(build({**VAL_MAP, "val.txt": "v_1.JPEG 0\nv_2.JPEG 1\n"}))
    assert table(listing) == {"n1": 2, "n2": 2}
    assert "val.txt is not used for the photos of val: its labels (0, 1) are no names of class folders." in said(listing)


@pytest.mark.robust(
    "layouts", case="HAM10000: photos in two parts, a table with image_id and lesion_id", right="labels and groups of the table"
)
def test_photos_in_parts_with_a_table(build):
    listing = list_photos(build(HAM))
    assert table(listing) == {"mel": 2, "nv": 1}
    assert listing.groups == ("L1", "L1", "L2")
    assert "Labels are those in meta.csv." in said(listing)
    assert "group: lesion_id" in said(listing)


@pytest.mark.robust(
    "layouts",
    case="Kaggle: train.csv with an id column, photos in train/ and test/",
    right="read; what no row names is counted",
    source="fastai/fastai#1126",
)
def test_kaggle(build):
    root = build(KAGGLE)
    for source in (root, root / "train.csv"):
        listing = list_photos(source)
        assert dict(zip(listing.names, listing.labels, strict=True)) == {
            "train/0.png": "pug",
            "train/1.png": "husky",
            "train/2.png": "pug",
        }
        assert "path: id; label: breed" in said(listing)
    assert "Photos that no row names, so they are not used: 3" in said(list_photos(root))


@pytest.mark.robust("layouts", case="GTSRB: Train/CLASS, a flat Test with Test.csv", right="Test has the labels of its table")
def test_traffic_signs(build):
    listing = list_photos(build(GTSRB))
    assert table(listing) == {"train:0": 2, "train:1": 2, "test:0": 1, "test:1": 1}
    assert "Meta" in said(listing)


@pytest.mark.robust(
    "layouts", case="metadata.csv of the Hub, at the top or per split", right="read", source="huggingface/datasets#4069"
)
def test_metadata_of_the_hub(build):
    spec = LAYOUTS["metadata.csv per split"]
    assert table(list_photos(build(spec))) == {"train:cat": 1, "train:dog": 1, "test:cat": 1, "test:dog": 1}


@pytest.mark.robust(
    "layouts", case="_classes.csv per split (one column per class)", right="read", source="roboflow/supervision#625"
)
def test_one_hot_tables_per_split(build):
    listing = list_photos(build(LAYOUTS["_classes.csv"]))
    assert table(listing) == {"train:cat": 1, "train:dog": 1, "val:cat": 1, "val:dog": 1}


@pytest.mark.robust(
    "layouts", case="a review.csv beside class folders", right="class folders count, the table is named, zip or not"
)
def test_photos_without_labels_point_to_the_table_beside(build):
    root = build({"train": 3, "test": 3, "train.csv": "id,breed\n0,pug\n", "a.csv": "x\n"})
    assert f"name the table beside it, if it has their labels: {root / 'train.csv'}" in refusal(root / "train")


def test_why_a_table_inside_of_a_split_cannot_be_used_is_said(build):
    spec = {"train": 2, "test": 2, "train/metadata.csv": "file_name,text\n0.png,a cat\n1.png,a dog\n"}
    assert "has no column label" in refusal(build(spec))


@pytest.mark.robust("layouts", case="a folder of several data sets", right="refused: the first of them is named")
def test_several_data_sets_are_no_classes(build):
    root = build({"food/seg_train/a": 1, "food/seg_test/a": 1, "cars": 2})
    assert f"name that folder instead: {root / 'food'}" in refusal(root)


def test_class_folders_win_over_a_table(build):
    root = build(LAYOUTS["a table beside classes"])
    listing = list_photos(root)
    assert table(listing) == {"a": 4, "b": 4}
    assert "not read, because class folders say the labels: review.csv." in said(listing)
    assert f"To go by it instead, name it: {root / 'review.csv'}" in said(listing)


@pytest.mark.robust("layouts", case="a zip of zips, one per class", right="each a class, and said")
@pytest.mark.parametrize("ending", ["", "-samples"])
def test_a_zip_of_zips(tmp_path, photo_bytes, ending):
    path = tmp_path / "samples.zip"
    inner = {f"Class {n}{ending}.zip": zip_of({f"{m}.png": photo_bytes(f"{n}{m}") for m in range(2)}) for n in (1, 2)}
    path.write_bytes(zip_of(inner))
    listing = list_photos(path)
    assert table(listing) == {"Class 1": 2, "Class 2": 2}
    assert "each as a folder: Class 1" in said(listing)
    assert all(place.is_file() for place in listing.paths)


def test_a_damaged_archive_inside_is_named_without_temporary_paths(build):
    with pytest.raises(DataError) as caught:
        list_photos(build({"a.zip": b"PK no zip", "b.zip": zip_of({"1.png": "x"})}))
    assert "a.zip" in str(caught.value)
    assert "under-way" not in str(caught.value)


@pytest.mark.robust("layouts", case="CLASS/train and CLASS/test", right="read as splits of the classes, and said")
def test_splits_inside_of_classes(build):
    listing = list_photos(build({"cat/train": 2, "cat/test": 1, "dog/train": 2, "dog/test": 1}))
    assert table(listing) == {"train:cat": 2, "test:cat": 1, "train:dog": 2, "test:dog": 1}
    assert "Every class folder is divided into splits: train, test." in said(listing)


@pytest.mark.robust(
    "layouts", case="an archive in two pieces (ds-001/ds/cat, ds-002/ds/cat)", right="refused: the same folders"
)
def test_pieces_with_a_wrapper_each_are_no_classes(build):
    text = refusal(build({f"ds-00{piece}/ds/{name}": 2 for piece in (1, 2) for name in ("cat", "dog")}))
    assert "hold the same folders: cat, dog" in text


def test_two_folders_of_one_split_are_said(build):
    listing = list_photos(build({"train/a": 1, "train/b": 1, "valid/a": 1, "validation/b": 1}))
    assert table(listing) == {"train:a": 1, "train:b": 1, "val:a": 1, "val:b": 1}
    assert "The folder valid is read as val.\nThe folder validation is read as val." in said(listing)


@pytest.mark.robust("layouts", case="only files of other kinds (DICOM)", right="refused: what is there is counted by ending")
def test_other_kinds_of_files_are_counted_in_a_refusal(build):
    text = refusal(build({"a/1.dcm": "x", "b/1.dcm": "x"}))
    assert "There are no photos in" in text
    assert "2 .dcm" in text


@pytest.mark.robust("paths", case="an address as the data set", right="refused, with the command that fetches it")
def test_an_address_is_no_folder():
    assert "next: tsugiki data get https://example.com/a//b.zip" in refusal("https://example.com/a//b.zip")


@pytest.mark.robust(
    "layouts", case="photos without an ending, .jpg_large", right="read by their first bytes, counted and named"
)
def test_photos_without_an_ending(build):
    listing = list_photos(
        build({"a": ["x", "y.jpg_large", "z.1"], "b": ["1.png"], "b/README": "text", "b/page.jpg!d": "<html>"})
    )
    assert table(listing) == {"a": 3, "b": 1}
    assert "because their names have no usual ending: 3 (a/x, a/z.1, a/y.jpg_large)" in said(listing)
    assert "1 without an ending" in said(listing)


def test_a_tar_of_a_wrapped_table(build, tmp_path):
    root = build(LAYOUTS["a table in a wrapper"])
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(root, arcname="deep/er")
    assert table(list_photos(tmp_path / "x.tar")) == {"x": 1, "y": 1} == table(list_photos(root))


_NAMES = "a b cat dog train test val seg_train images masks fold_1 fold_2 2020 0 1 data Train é 猫 runs img valid labels meta"
_FILES = "1.png 2.png 3.jpg x.JPG noend a.txt train.txt test.txt list.csv train.csv metadata.csv _classes.csv a_mask.png a.png"
_MORE_FILES = "images.txt train_test_split.txt v.jsonl train.json z.mp4"
NAMES, FILES = _NAMES.split(), [*_FILES.split(), *_MORE_FILES.split()]
CELLS = [
    "1.png",
    "a/1.png",
    "",
    "nan",
    "cat",
    "a|b",
    "0",
    "1",
    "1.5",
    "train",
    'x"',
    '"q',
    "/x/1.png",
    "http://x/1.png",
    "..",
    "/",
    "a\n",
]
HEADINGS = ["path", "label", "split", "group", "id", "image", "Label", "class", "is_valid", "fold", "patient_id", "", "A", "B"]


def scribble(dice, name):
    """Something that a file of this name may hold, or should not."""
    if name.endswith(".csv"):
        comma = dice.choice(",;\t|")
        lines = [[dice.choice(CELLS) for _ in range(dice.randint(0, 4))] for _ in range(dice.randint(0, 5))]
        return "\n".join(comma.join(line) for line in [dice.sample(HEADINGS, dice.randint(1, 4)), *lines]).encode()
    if name.endswith((".json", ".jsonl")):
        return b"\n".join(
            json.dumps({dice.choice(HEADINGS): dice.choice([*CELLS, 1, None, [1], {"a": 1}, True]) for _ in range(3)}).encode()
            for _ in range(dice.randint(0, 3))
        )
    if name.endswith(".txt"):
        return "\n".join(dice.choices(["a/1.png", "1 a/1.png", "1 1", "1.png cat", "1.png\tcat\t3", "", "x,y"], k=4)).encode()
    return dice.choice([b"\xff\xd8\xff", b"text", b""])


def grow(dice, root, depth=0):
    root.mkdir(parents=True, exist_ok=True)
    for name in dice.sample(FILES, dice.randint(0, 4)):
        (root / name).write_bytes(scribble(dice, name))
    for name in dice.sample(NAMES, dice.randint(0, 4 - depth) if depth < 3 else 0):
        grow(dice, root / name, depth + 1)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_lies_in_a_folder_is_listed_or_refused_and_its_zip_alike(tmp_path, seed):
    root = tmp_path / "root"
    grow(random.Random(seed), root)  # noqa: S311

    def told(source):
        try:
            listing = list_photos(source)
        except TsugikiError as fault:
            return re.sub(r"\S*/\S*", "<path>", fault.what)
        assert all(listing.labels)
        assert len(listing.names) == len(listing.labels) == len(listing.splits) > 0
        return listing.names, listing.labels, listing.splits, listing.groups, set(listing.left_out)

    assert told(shutil.make_archive(str(tmp_path / "packed"), "zip", root_dir=root)) == told(root)
    for file in root.rglob("*.*"):
        if file.suffix in {".csv", ".jsonl", ".txt"}:
            told(file)
