"""Folders as people bring them, from downloads and other tools: read and said, or refused with the way out."""

import io
import zipfile
from collections import Counter

import pytest

from tests.data.conftest import refusal, said, table
from tsugiki.core.errors import DataError
from tsugiki.data.load import list_photos, load
from tsugiki.data.sources.split_words import are_parts, split_in

# -- split words as parts of names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("seg_train", "train"),
        ("train_crop", "train"),
        ("TrainingSet", "train"),
        ("trainset", "train"),
        ("val2017", "val"),
        ("Test Images", "test"),
        ("学習データ", "train"),
        ("テスト画像", "test"),
        ("train_val_mixed", None),
        ("contest", None),
        ("latest", None),
        ("valley", None),
        ("training_set", "train"),
    ],
)
def test_a_split_word_is_found_in_a_name_and_in_no_other_word(name, split):
    assert split_in(name) == split


@pytest.mark.robust(
    "layouts",
    case="seg_train/ beside seg_test/, train_crop/ beside test_crop/",
    right="read as splits, and said; folders without labels are named",
    source="huggingface/datasets#7880",
)
@pytest.mark.parametrize("names", [("seg_train", "seg_test"), ("train_crop", "test_crop"), ("Training_Data", "Testing_Data")])
def test_split_words_inside_names_are_splits_and_no_classes(build, names):
    train, test = names
    listing = list_photos(build({f"{train}/a": 3, f"{train}/b": 2, f"{test}/a": 1, f"{test}/b": 1, "seg_pred": 4}))
    assert table(listing) == {"train:a": 3, "train:b": 2, "test:a": 1, "test:b": 1}
    assert f"The folder {train} is read as train." in said(listing)
    assert "class folders inside: seg_pred" in said(listing)


@pytest.mark.robust("layouts", case="train_crop/ and test_crop/ without class folders", right="refused: these are no classes")
def test_split_words_without_class_folders_are_no_classes(build):
    assert "not in class folders" in refusal(build({"train_crop": 3, "test_crop": 3}))


@pytest.mark.robust("layouts", case="classes called bullet_train and car, valid and invalid", right="classes as they are")
@pytest.mark.parametrize("names", [("bullet_train", "car"), ("bullet_train", "freight_train"), ("valid", "invalid")])
def test_a_word_in_one_name_makes_no_split(build, names):
    assert set(table(list_photos(build(dict.fromkeys(names, 2))))) == set(names)


@pytest.mark.robust(
    "layouts", case="fold_1/ fold_2/, batch1/ batch2/", right="refused as parts of one set, not learned as classes"
)
@pytest.mark.parametrize("inner", ["", "/a"])
@pytest.mark.parametrize("names", [("fold_1", "fold_2"), ("batch1", "batch2"), ("images_001", "images_002")])
def test_numbered_parts_are_no_classes(build, names, inner):
    text = refusal(build({f"{name}{inner}": 2 for name in names}))
    assert "parts of one set of photos" in text
    assert "train" in text


def test_numbers_alone_and_grades_are_classes(build):
    assert not are_parts(["1", "2"])
    assert not are_parts(["grade_1", "grade_2"])
    assert set(table(list_photos(build({"grade_1": 1, "grade_2": 1})))) == {"grade_1", "grade_2"}


@pytest.mark.robust(
    "layouts",
    case="train/train and test/test doubled, training_set/training_set",
    right="the inner folders are read, and said",
)
@pytest.mark.parametrize("names", [("train", "test"), ("training_set", "test_set"), ("seg_train", "seg_test")])
def test_doubled_split_folders(build, names):
    train, test = names
    listing = list_photos(build({f"{name}/{name}/{label}": 1 for name in names for label in "ab"}))
    assert table(listing) == {"train:a": 1, "train:b": 1, "test:a": 1, "test:b": 1}
    assert f"The folder {train}/{train} is read as train." in said(listing)
    assert f"{test}/{test}/a/0.png" in listing.names


# -- what cannot be classes -----------------------------------------------------------------------------------------------


@pytest.mark.robust("layouts", case="images/ beside annotations/ or masks/", right="refused: photos and what belongs to them")
@pytest.mark.parametrize(
    "names", [("images", "annotations"), ("images", "masks"), ("JPEGImages", "SegmentationClass"), ("img", "gt")]
)
def test_masks_are_no_class(build, names):
    root = build({names[0]: ["a.png", "b.png"], names[1]: ["a_mask.png", "c.png"]})
    text = refusal(root)
    assert "photos and what belongs to them" in text
    assert f"name that folder instead: {root / names[0]}" in text


@pytest.mark.robust("layouts", case="two would-be classes with the same file names", right="refused, with one of the names")
def test_the_same_file_names_in_two_folders_are_refused(build):
    names = ["2007_000027.png", "2008_004321.png", "2010_001111.png", "2009_000042.png"]
    text = refusal(build({"left": names, "right": names}))
    assert "hold files of the same names (2007_000027)" in text
    assert "path,label,group" in text


def test_files_that_are_only_numbered_may_have_the_same_names(build):
    assert table(list_photos(build({"cat": 5, "dog": 5}))) == {"cat": 5, "dog": 5}


@pytest.mark.robust("layouts", case="site_a/{0,1} beside site_b/{0,1}", right="refused, both readings named")
def test_would_be_classes_with_the_same_folders_are_refused(build):
    text = refusal(build({"site_a/0": 2, "site_a/1": 2, "site_b/0": 2, "site_b/1": 2}))
    assert "hold the same folders: 0, 1" in text
    assert "site_a, site_b" in text
    root = build({"train/site_a/0": 2, "train/site_a/1": 2, "train/site_b/0": 2, "train/site_b/1": 2, "test/x/y": 1})
    assert "hold the same folders" in refusal(root), "inside a split as well"


def test_dates_inside_of_classes_are_no_classes(build):
    listing = list_photos(build({f"{name}/{year}": 1 for name in ("cat", "dog") for year in ("2020", "2021-05")}))
    assert table(listing) == {"cat": 2, "dog": 2}
    assert "cat (2020, 2021-05)" in said(listing)


@pytest.mark.robust("layouts", case="genus/species", right="the species count as their genus, and it is said")
def test_merged_subfolders_are_said(build):
    listing = list_photos(build({"Felis/catus": 2, "Felis/silvestris": 2, "Canis/lupus": 3}))
    assert table(listing) == {"Canis": 3, "Felis": 4}
    assert "count as that class: Canis (lupus), Felis (catus, silvestris)." in said(listing)


@pytest.mark.robust("layouts", case="masks beside the photos in a class folder (1.png, 1_mask.png)", right="left out by name")
def test_masks_beside_photos_are_left_out(build):
    listing = list_photos(build({"a": ["b (1).png", "b (1)_mask.png", "b (1)_mask_1.png"], "b": ["face_mask.png"]}))
    assert table(listing) == {"a": 1, "b": 1}
    assert [entry.reason for entry in listing.left_out] == ["by its name a mask of a/b (1)"] * 2


@pytest.mark.robust(
    "layouts",
    case="runs/ of the program among the classes, its plots in a class folder",
    right="skipped and said",
    source="ultralytics/ultralytics#4310",
)
def test_what_programs_wrote_is_no_class(build):
    from matplotlib.figure import Figure

    from tsugiki.reporting.plots.figures import save_picture

    root = build({"a": 5, "b": 5, "runs/x/plots": 2, "audit/audit.json": "{}", "audit/audit.html": "", "audit/y.png": "x"})
    for name in ("classifier.json", "weights.safetensors"):
        (root / "runs/x" / name).write_bytes(b"")
    save_picture(Figure(figsize=(1, 1)), root / "a" / "curves.png")
    listing = list_photos(root)
    assert set(listing.labels) == {"a", "b"}
    assert "a program wrote its results there: runs/x, audit." in said(listing) or "audit, runs/x." in said(listing)
    samples = load(root)
    assert [(entry.name, entry.reason) for entry in samples.left_out] == [("a/curves.png", "a picture that this program drew")]


@pytest.mark.robust("layouts", case="unlabeled/ among the classes", right="counts, and it is said")
def test_a_folder_called_unlabeled_is_said(build):
    listing = list_photos(build({"a": 2, "b": 2, "unlabeled": 2}))
    assert "although their names say that they are none: unlabeled." in said(listing)


@pytest.mark.robust(
    "layouts",
    case="no_label/ of CVAT, 未分類/, 'dog - コピー', 新しいフォルダー among the classes, at any place",
    right="count, and it is said",
)
@pytest.mark.parametrize("name", ["no_label", "未分類", "b - コピー", "新しいフォルダー", "Not labeled", "b - Copy (2)"])
@pytest.mark.parametrize("place", ["", "train/"])
def test_classes_whose_names_say_that_they_are_none(build, name, place):
    listing = list_photos(build({f"{place}a": 2, f"{place}b": 2, f"{place}{name}": 2}))
    assert f"although their names say that they are none: {name}." in said(listing)


@pytest.mark.parametrize("name", ["trash", "unknown", "background", "other", "none"])
def test_classes_that_may_be_meant_are_not_doubted(build, name):
    assert "say that they are none" not in said(list_photos(build({"a": 2, "b": 2, name: 2})))


@pytest.mark.robust("layouts", case="train/Cat beside test/cat", right="refused, with the names that differ")
def test_held_out_classes_that_only_look_like_the_training_classes(build):
    with pytest.raises(DataError) as caught:
        load(build({"train/Cat": 2, "train/Dog": 2, "test/cat": 2, "test/dog": 2}))
    assert "'cat' -> 'Cat', 'dog' -> 'Dog'" in str(caught.value)


# -- one class ------------------------------------------------------------------------------------------------------------


@pytest.mark.robust("layouts", case="one level too high or too low", right="read or pointed to", source="pytorch/vision#669")
def test_one_class_points_to_where_several_are(build):
    root = build({"PetImages/Cat": 2, "PetImages/Dog": 2, "readme.txt": "x"})
    assert table(list_photos(root)) == {"Cat": 2, "Dog": 2}
    assert f"name the folder above, if its folders are the classes: {root / 'PetImages'}" in refusal(root / "PetImages" / "Dog")
    deep = build({"only/cat/a": 2, "only/cat/b": 1, "only/cat": 1})
    with pytest.raises(DataError) as caught:
        load(deep / "only")
    assert caught.value.what == "There is only one class."
    assert caught.value.cure.endswith(str(deep / "only" / "cat"))


@pytest.mark.robust(
    "layouts", case="cat.0.jpg and dog.1.jpg in one folder", right="refused, the words named", source="jolibrain/deepdetect#752"
)
def test_classes_in_file_names_are_pointed_out(build):
    text = refusal(build({"train": ["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"], "test1": ["1.jpg"]}))
    assert "begin with what may be the classes (cat, dog)" in text


@pytest.mark.robust(
    "layouts",
    case="yes/ and no/ beside brain_tumor_dataset/ with yes/ and no/ once more",
    right="the copy is not used, and named",
)
def test_a_data_set_inside_itself_is_no_class(build):
    names = ["y7.png", "x3.png", "q.png"]
    listing = list_photos(build({"yes": names, "no": 3, "brain_tumor_dataset/yes": names, "brain_tumor_dataset/no": 3}))
    assert table(listing) == {"yes": 3, "no": 3}
    assert "the classes beside it once more (no, yes): brain_tumor_dataset." in said(listing)


@pytest.mark.robust(
    "layouts",
    case="test/unknown/ beside train/ with classes (as Keras wants it)",
    right="not used, and others held out, as is said",
)
@pytest.mark.parametrize("inner", ["unknown", "test", "images", "no_label", "all"])
def test_a_test_split_in_one_folder_that_is_no_class(build, inner):
    samples = load(build({"train/a": 4, "train/b": 4, f"test/{inner}": 3}))
    assert samples.classes == ("a", "b")
    assert len(samples) == 8
    assert len(samples.held_out_rows) > 0
    assert any("Not used" in sentence and sentence.endswith(": test.") for sentence in samples.decisions)


@pytest.mark.robust(
    "layouts", case="cat/train, cat/test, dog/train, dog/test and an undivided bird/", right="refused, with the names"
)
def test_splits_in_some_classes_only(build):
    text = refusal(build({"cat/train": 2, "cat/test": 2, "dog/train": 2, "dog/test": 2, "bird": 2}))
    assert "are divided into splits (cat, dog), and some hold photos outside of these (bird)" in text
    text = refusal(build({"m/cat/train": 2, "m/cat/test": 2, "m/dog/train": 2, "m/dog/test": 2, "m/dog": 2}) / "m")
    assert "are divided into splits (cat, dog), and some hold photos outside of these (dog)" in text


@pytest.mark.robust(
    "layouts", case="the pieces of a folder that Google Drive packed (-001.zip, -002.zip)", right="one data set"
)
@pytest.mark.parametrize("mixed", [False, True])
def test_pieces_of_a_download(build, photo_bytes, mixed):
    def packed(names):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(name, photo_bytes(name))
        return stream.getvalue()

    pieces = [[f"photos/{name}/{number}.png" for number in range(3)] for name in ("cat", "dog")]
    if mixed:
        pieces = [pieces[0][:2] + pieces[1][:1], pieces[0][2:] + pieces[1][1:]]
    root = build({f"photos-20260101T000000Z-1-00{n}.zip": packed(piece) for n, piece in enumerate(pieces, start=1)})
    listing = list_photos(root)
    assert table(listing) == {"cat": 3, "dog": 3}
    unpacked = build({f"u/photos-20260101T000000Z-00{n}/photos": 2 for n in (1, 2)}) / "u"
    assert "parts of one set of photos" in refusal(unpacked)


@pytest.mark.robust(
    "layouts", case="a .rar, .7z or .lzh, alone or in a folder", right="refused: unpack it, and name the folder"
)
@pytest.mark.parametrize("name", ["photos.rar", "photos.7z", "写真.lzh"])
def test_archives_that_are_not_unpacked(build, name):
    root = build({name: b"Rar!"})
    assert "unpack it, and name the folder" in refusal(root / name)
    assert f"unpack {name}" in refusal(root)


@pytest.mark.robust(
    "layouts", case="a link inside of a class to the folder above", right="not followed, and named: no photo counts twice"
)
def test_links_back_to_the_folders_above(build):
    root = build({"cat": 3, "dog": 2})
    (root / "cat" / "up").symlink_to("..")
    (root / "self").symlink_to(root)
    listing = list_photos(root)
    assert table(listing) == {"cat": 3, "dog": 2}
    assert {entry.name for entry in listing.left_out} == {"cat/up", "self"}
    assert {entry.reason for entry in listing.left_out} == {"a link that leads back to its own folder"}


@pytest.mark.robust(
    "layouts",
    case="class folders beside a table of splits (is_valid, train.csv and test.csv) or of patients",
    right="the table's splits and groups are read, and said: nothing is drawn anew, no patient is in two splits",
)
@pytest.mark.parametrize("inner", ["", "images/"])
def test_splits_and_groups_in_a_table_beside_class_folders(build, inner):
    photos = [f"{label}/{label}{number}.png" for label in ("cat", "dog") for number in range(4)]
    spec = {f"{inner}{label}": [f"{label}{number}.png" for number in range(4)] for label in ("cat", "dog")}
    lines = [f"{name},{name[-5] in '23'},{name[-5] in '13'}" for name in photos]
    root = build({**spec, "meta.csv": "\n".join(["file,is_valid,patient_id", *lines])})
    listing = list_photos(root)
    assert Counter(listing.splits) == {"train": 4, "val": 4}
    assert set(listing.groups) == {"True", "False"}
    assert set(listing.labels) == {"cat", "dog"}
    assert "Splits are those of meta.csv." in said(listing)
    assert "Groups are those of meta.csv." in said(listing)
    assert "not read" not in said(listing)


def test_tables_of_splits_beside_class_folders(build):
    spec = {label: [f"{label}{number}.png" for number in range(4)] for label in ("cat", "dog")}
    lists = {"train.csv": range(3), "test.csv": range(3, 4)}
    tables = {
        table: "\n".join(["path", *(f"{label}/{label}{number}.png" for label in spec for number in numbers)])
        for table, numbers in lists.items()
    }
    listing = list_photos(build({**spec, **tables}))
    assert table(listing) == {"train:cat": 3, "train:dog": 3, "test:cat": 1, "test:dog": 1}
    contradicting = tables | {"train.csv": tables["train.csv"] + "\ncat/cat3.png"}
    listing = list_photos(build({**spec, **contradicting}))
    assert table(listing) == {"cat": 4, "dog": 4}
    assert "Tables that are not read" in said(listing)


@pytest.mark.robust(
    "layouts", case="class folders beside a table with other labels", right="the folders count, and the photos are named"
)
def test_a_table_that_contradicts_the_class_folders(build):
    lines = ["path,label", "a/0.png,a", "a/1.png,b", "b/0.png,b", "b/1.png,b"]
    listing = list_photos(build({"a": 2, "b": 2, "labels.csv": "\n".join(lines)}))
    assert table(listing) == {"a": 2, "b": 2}
    assert "Photos with another label in it: 1 (a/1.png)." in said(listing)
