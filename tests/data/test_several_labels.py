"""Several labels per photo, by every door: tables, lists, columns of 0 and 1, JSON, class folders, objects of a program."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.data.conftest import refusal, said
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.label_sets import LabelReading, LabelSet
from tsugiki.data.load import label_reading, list_photos, load
from tsugiki.data.sources.data_sets import get_data
from tsugiki.data.sources.listing import LeftOut
from tsugiki.data.sources.lists import list_paths

ASKED = LabelReading(multi_label=True)
PHOTOS = tuple(f"x/{number}.png" for number in range(6))


@pytest.fixture
def written(put):
    """``written(text, name="list.csv")``: a table beside six photos; gives its path."""

    def write(text, name="list.csv", photos=PHOTOS):
        put(*photos)
        return put(name, content=text.encode()) / name

    return write


def rows(*lines, header="path,label"):
    return "\n".join([header, *lines]) + "\n"


def shown(listing):
    """What each photo shows, as text."""
    return dict(zip(listing.names, map(str, listing.label_sets), strict=True))


def unknown(listing):
    """What nobody knows of each photo."""
    return {
        name: "|".join(sorted(one.unknown)) for name, one in zip(listing.names, listing.label_sets, strict=True) if one.unknown
    }


TWO = {"x/0.png": "cat|dog", "x/1.png": "cat", "x/2.png": "bird"}

# -- names in one cell ----------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "tables", case="cat|dog in a column of labels", right="two labels of one photo: said, with the row and what stands between"
)
def test_names_with_a_bar_between_them_are_several_labels(written):
    listing = list_photos(written(rows("x/0.png,dog | cat|dog", "x/1.png,cat", "x/2.png,bird")))
    assert shown(listing) == TWO
    assert listing.labels == ("cat|dog", "cat", "bird")
    assert said(listing) == (
        "Photos may have several labels (multi-label): row 2 of list.csv has dog | cat|dog; names are separated by '|'."
    )


@pytest.mark.robust(
    "tables",
    case="a list as the label: in CSV (['cat', 'dog'], {cat,dog}, {\"choices\": [...]}), JSON, JSON lines, Parquet",
    right="its names are the labels of the photo",
)
@pytest.mark.parametrize(
    "cell",
    [
        "\"['cat', 'dog']\"",
        '"[""cat"",""dog""]"',
        "['cat' 'dog']",
        '"[cat, dog]"',
        '"{cat,dog}"',
        "\"('cat', 'dog')\"",
        '"{""choices"":[""cat"",""dog""]}"',
        '"[""\\u0063at"",""dog""]"',
    ],
)
def test_lists_that_are_written_out_as_text(written, cell):
    listing = list_photos(written(rows(f"x/0.png,{cell}", "x/1.png,cat", "x/2.png,bird", "x/3.png,[]")))
    assert shown(listing) == {**TWO, "x/3.png": ""}
    assert "row 2 of list.csv has a list of them (cat, dog)." in said(listing)


@pytest.mark.parametrize("kind", ["json", "jsonl", "names"])
def test_lists_in_json(written, kind):
    found = [("x/0.png", ["dog", "cat"]), ("x/1.png", ["cat"]), ("x/2.png", "bird"), ("x/3.png", []), ("x/4.png", None)]
    objects = [{"file_name": name, "tags": names} for name, names in found]
    if kind == "json":
        path = written(json.dumps(objects), "labels.json")
    elif kind == "jsonl":
        path = written("\n".join(map(json.dumps, objects)), "metadata.jsonl")
    else:
        lists = {name: [names] if isinstance(names, str) else names for name, names in found if names is not None}
        path = written(json.dumps(lists), "labels.json")
    listing = list_photos(path)
    assert shown(listing) == {**TWO, "x/3.png": ""}
    assert (kind == "names") or listing.left_out == (LeftOut("x/4.png", "row 5 has no path or no label"),)
    assert (kind == "names") or "that shows none of the classes, write [] alone." in said(listing)
    assert "Photos that show none of the classes, and count as such: 1." in listing.decisions


def test_lists_of_parquet_and_numbers_with_names(written, put):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    written("")
    features = {"labels": {"feature": {"names": ["cat", "dog", "bird"], "_type": "ClassLabel"}, "_type": "Sequence"}}
    table = pa.table({"path": list(PHOTOS[:4]), "labels": [[0, 1], [0], [2], []]})
    note = json.dumps({"info": {"features": features}})
    parquet.write_table(table.replace_schema_metadata({"huggingface": note}), put() / "list.parquet")
    assert shown(list_photos(put() / "list.parquet")) == {**TWO, "x/3.png": ""}
    parquet.write_table(
        pa.table({"path": list(PHOTOS[:3]), "tags": [["cat", "dog"], ["cat"], ["bird"]]}), put() / "list.parquet"
    )
    assert shown(list_photos(put() / "list.parquet")) == TWO


def test_brackets_beyond_measure_are_no_list(written):
    deep = "[" * 20000 + "]" * 20000
    assert len(list_photos(written(rows(f"x/0.png,{deep}", "x/1.png,cat")))) == 2
    assert shown(list_photos(written(rows("x/0.png,\"['a\\d', 'b']\"", "x/1.png,cat"))))["x/0.png"] == r"a\d|b"


def test_lists_of_one_are_lists_and_that_is_said(written):
    listing = list_photos(written(json.dumps([{"path": f"x/{number}.png", "label": ["cat"]} for number in range(3)]), "a.json"))
    assert said(listing) == "Photos may have several labels (multi-label): the labels of a.json are lists."


@pytest.mark.parametrize("label", ["\"{'a': 1}\"", '"(0, 10]"', '"[0, 10)"'])
def test_brackets_around_something_else_are_no_lists_of_names(written, label):
    assert "looks like a list, and is none of names" in refusal(written(rows(f"x/0.png,{label}", "x/1.png,b")))


def test_empty_cells_are_left_out_and_a_bar_alone_shows_none(written):
    listing = list_photos(written(rows("x/0.png,cat|dog", "x/1.png,cat", "x/2.png,|", "x/3.png,", "x/4.png,nan")))
    assert shown(listing) == {"x/0.png": "cat|dog", "x/1.png": "cat", "x/2.png": ""}
    assert [entry.name for entry in listing.left_out] == ["x/3.png", "x/4.png"]
    assert "Rows without a label are left out: 2. For a photo that shows none of the classes, write | alone." in said(listing)


@pytest.mark.robust(
    "tables",
    case="labels such as cat;dog or cat, dog that are several labels or one name",
    right="refused: nobody said which; the option that says it is named",
)
@pytest.mark.parametrize(("cell", "separator"), [("cat;dog", ";"), ('"cat, dog"', ",")])
def test_other_signs_between_names_are_asked_about(written, cell, separator):
    path = written(rows("x/0.png,cat", f"x/1.png,{cell}"))
    text = refusal(path)
    assert f"Row 3 of {path} seems to have several labels with {separator} between them." in text
    assert f"add label_separator='{separator}'" in text
    listing = list_photos(path, LabelReading(separator=separator))
    assert shown(listing) == {"x/0.png": "cat", "x/1.png": "cat|dog"}
    assert f"names are separated by '{separator}'." in said(listing)
    with pytest.raises(RequestError, match="seems to have several labels"):
        list_photos(path, ASKED)


def test_a_bar_alone_is_no_class(written):
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,dog", "x/2.png,|")))
    assert shown(listing) == {"x/0.png": "cat", "x/1.png": "dog", "x/2.png": ""}
    assert "row 4 of list.csv has |; names are separated by '|'." in said(listing)


def test_other_signs_are_parts_of_names_where_bars_stand_between_them(written):
    listing = list_photos(
        written(rows('x/0.png,"Pepper, bell|Tomato, red"', 'x/1.png,"Tomato, red"', 'x/2.png,"Pepper, bell"'))
    )
    assert shown(listing)["x/0.png"] == "Pepper, bell|Tomato, red"
    numbers = [{"path": f"x/{number}.png", "label": [number * 20 + one for one in range(9)]} for number in range(6)]
    assert len(list_photos(written(json.dumps(numbers), "many.json")).label_sets) == 6


@pytest.mark.robust(
    "tables", case="tags with spaces between them (haze primary water)", right="classes as they stand; the option is pointed to"
)
def test_words_that_recur_in_labels_are_pointed_to(written):
    tags = ("haze primary", "clear primary water", "haze water", "clear primary", "haze primary water", "clear water")
    path = written(rows(*(f"{photo},{tag}" for photo, tag in zip(PHOTOS, tags, strict=True)), header="image_name,tags"))
    listing = list_photos(path)
    assert listing.label_sets is None
    assert "If they are several labels of one photo, add label_separator=' '." in said(listing)
    listing = list_photos(path, LabelReading(separator=" "))
    assert shown(listing)["x/1.png"] == "clear|primary|water"
    assert "made of others" not in said(listing)


def test_signs_of_japanese_between_labels_are_pointed_to(written):
    path = written(rows("x/0.png,猫", "x/1.png,犬", "x/2.png,猫、犬", "x/3.png,犬、猫"))
    assert "add label_separator='、'." in said(list_photos(path))
    assert shown(list_photos(path, LabelReading(separator="、")))["x/2.png"] == "犬|猫"


def test_columns_that_are_called_after_several_labels(written):
    path = written(rows("x/0.png,1972,Crime|Drama", "x/1.png,1994,Drama", "x/2.png,1999,Action", header="poster,year,Genre"))
    listing = list_photos(path)
    assert shown(listing)["x/0.png"] == "Crime|Drama"
    assert "label: Genre" in said(listing)


def test_names_of_two_words_are_no_combinations(written):
    names = ("golden retriever", "labrador retriever", "red fox", "polar bear", "brown bear", "arctic fox")
    listing = list_photos(written(rows(*(f"{photo},{name}" for photo, name in zip(PHOTOS, names, strict=True)))))
    assert listing.decisions == ()


def test_a_separator_that_is_nowhere_is_said(written):
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,dog")), LabelReading(separator=";"))
    assert shown(listing) == {"x/0.png": "cat", "x/1.png": "dog"}
    assert "No label holds the separator ';'." in listing.decisions


def test_an_empty_separator_is_refused():
    with pytest.raises(RequestError, match="label_separator is empty") as caught:
        label_reading(multi_label=False, label_separator="")
    assert "next: label_separator=';'" in str(caught.value)
    assert label_reading(multi_label=False, label_separator=" ").split(" a   b ") == ["a", "b"]


def test_names_that_hold_the_bar_are_refused(written):
    path = written(rows("x/0.png,a|b;c", "x/1.png,c"))
    with pytest.raises(RequestError, match=r"hold \|.*\n.*a\|b"):
        list_photos(path, LabelReading(separator=";"))


def test_asked_for_where_each_photo_has_one_label(written):
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,dog")), ASKED)
    assert listing.label_sets == (LabelSet(frozenset({"cat"})), LabelSet(frozenset({"dog"})))
    assert said(listing) == "Photos may have several labels (multi-label), because that was asked for."


@pytest.mark.robust(
    "tables",
    case="lines of a path and several numbers of classes (x.jpg 1 9)",
    right="the first is read, and the others are named; with --label-separator they are several labels",
    source="BVLC/caffe#3653",
)
def test_lists_of_paths_with_several_labels(written):
    assert shown(list_photos(written("x/0.png cat|dog\nx/1.png cat\nx/2.png bird\n", "train.txt"))) == TWO
    listing = list_photos(written("x/0.png|cat|12\nx/1.png|dog|13\n", "train.txt"))
    assert listing.labels == ("cat", "dog")
    numbers = written("x/0.png 3 7\nx/1.png 3\n", "train.txt")
    assert list_photos(numbers).labels == ("3", "3")
    assert "what comes after the label (7)" in said(list_photos(numbers))
    assert shown(list_photos(numbers, LabelReading(separator=" "))) == {"x/0.png": "3|7", "x/1.png": "3"}


# -- columns of 0 and 1 ---------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "tables",
    case="columns of 0 and 1 with several 1s in a row, or none",
    right="several labels, or a photo that shows none of the classes",
)
def test_several_ones_in_a_row(written):
    listing = list_photos(written("filename, cat, dog, bird\nx/0.png, 1, 1, 0\nx/1.png, 1, 0, 0\nx/2.png, 0, 0, 0\n"))
    assert shown(listing) == {"x/0.png": "cat|dog", "x/1.png": "cat", "x/2.png": ""}
    assert listing.classes == ("cat", "dog", "bird")
    assert listing.left_out == ()
    assert "row 2 of list.csv has a 1 in several columns (cat, dog)." in said(listing)
    assert "Photos that show none of the classes, and count as such: 1." in listing.decisions


@pytest.mark.robust(
    "tables",
    case="columns of 0 and 1 with cells that are empty, NaN or -1 (CheXpert)",
    right="not known: nothing is learned from these cells, and they are counted",
)
def test_partly_known_cells(written):
    table = "Path,Sex,Edema,Fracture\nx/0.png,F,1.0,\nx/1.png,M,-1.0,0.0\nx/2.png,F,0.0,1.0\nx/3.png,F,nan,\n"
    listing = list_photos(written(table))
    assert shown(listing) == {"x/0.png": "Edema", "x/1.png": "", "x/2.png": "Fracture"}
    assert unknown(listing) == {"x/0.png": "Fracture", "x/1.png": "Edema"}
    assert listing.left_out == (LeftOut("x/3.png", "row 5 has no path or no label"),)
    assert "Cells that nobody has answered (empty, NaN or -1): 2 of 6, most of them for Fracture (1)." in said(listing)
    assert "show none of the classes" not in said(listing), "nobody knows that of x/1.png"


@pytest.mark.robust("tables", case="columns of 1 and -1 without a 0 (CelebA)", right="-1 is read as absent, and that is said")
def test_columns_of_one_and_minus_one(written):
    listing = list_photos(written("image_id,Young,Smiling\nx/0.png,1,1\nx/1.png,-1,1\nx/2.png,-1,-1\n"))
    assert shown(listing) == {"x/0.png": "Smiling|Young", "x/1.png": "Smiling", "x/2.png": ""}
    assert unknown(listing) == {}
    assert "-1 is read as 0 in list.csv" in said(listing)


@pytest.mark.robust(
    "tables", case="columns of 1 and empty cells, without a 0", right="refused: what an empty cell means is asked"
)
def test_ones_beside_nothing(written):
    text = refusal(written("path,cat,dog\nx/0.png,1,1\nx/1.png,,1\nx/2.png,1,\n"))
    assert "have 1 or nothing, and nowhere a 0" in text
    assert "write 0 where a photo does not show the class" in text
    one_each = list_photos(written("path,cat,dog\nx/0.png,1,\nx/1.png,,1\n"))
    assert one_each.label_sets is None
    assert one_each.labels == ("cat", "dog")


def test_cells_that_nobody_has_answered_make_classes_answers_of_their_own(written):
    listing = list_photos(written("path,cat,dog\nx/0.png,1,0\nx/1.png,0,\nx/2.png,0,1\n"))
    assert unknown(listing) == {"x/1.png": "dog"}
    assert "list.csv answers for each class by itself." in said(listing)


def test_exactly_one_in_every_row_is_one_label_unless_more_are_asked_for(written):
    path = written("path,cat,dog,checked\nx/0.png,1,0,1\nx/1.png,0,1,\n")
    listing = list_photos(path)
    assert (listing.label_sets, listing.labels, listing.classes) == (None, ("cat", "dog"), ())
    assert "that are not read: checked." in said(listing)
    assert shown(list_photos(path, ASKED)) == {"x/0.png": "cat|checked", "x/1.png": "dog"}


@pytest.mark.robust("labels", case="'No Finding' beside names of findings (chest X-rays)", right="a class, and said to be one")
def test_a_name_for_none_of_the_classes_is_a_class_and_said_to_be_one(written):
    listing = list_photos(written(rows("x/0.png,cat|dog", "x/1.png,No Finding", "x/2.png,No Finding", "x/3.png,dog")))
    assert (
        "none of the classes, and count as a class beside the others, so that both may be answered: 'No Finding' (2)."
        in said(listing)
    )
    single = list_photos(written(rows("x/0.png,cat", "x/1.png,No Finding", "x/2.png,No Finding", "x/3.png,cat")))
    assert "No Finding" not in said(single)


@pytest.mark.robust("layouts", case="_classes.csv in each of train, valid and test (Roboflow)", right="all read alike")
def test_a_table_of_columns_in_every_split(build, tmp_path):
    header = "filename, cat, dog\n"
    folder = build(
        {
            "train": 4,
            "valid": 2,
            "test": 2,
            "train/_classes.csv": header + "0.png, 1, 1\n1.png, 1, 0\n2.png, 0, 1\n3.png, 0, 0\n",
            "valid/_classes.csv": header + "0.png, 1, 0\n1.png, 0, 0\n",
            "test/_classes.csv": header + "0.png, 1, 0\n1.png, 0, 1\n",
        }
    )
    listing = list_photos(folder)
    assert shown(listing) == {
        "train/0.png": "cat|dog",
        "train/1.png": "cat",
        "train/2.png": "dog",
        "train/3.png": "",
        "valid/0.png": "cat",
        "valid/1.png": "",
        "test/0.png": "cat",
        "test/1.png": "dog",
    }
    assert listing.splits == ("test",) * 2 + ("train",) * 4 + ("val",) * 2
    assert listing.classes == ("cat", "dog")
    assert listing.left_out == ()
    assert said(listing).count("Photos may have several labels") == 1
    packed = list_photos(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    assert (packed.label_sets, packed.splits) == (listing.label_sets, listing.splits)


def test_names_count_before_columns_of_ones(written):
    path = written(rows("x/0.png,cat,1,1", "x/1.png,dog,0,1", header="path,label,cat,dog"))
    assert list_photos(path).labels == ("cat", "dog")
    listing = list_photos(path, ASKED)
    assert shown(listing) == {"x/0.png": "cat", "x/1.png": "dog"}
    assert "to go by the columns of 0 and 1 instead (cat, dog), take it out." in said(listing)


# -- one photo in several rows --------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "tables", case="one photo in several rows with a label each", right="refused; with --multi-label it has all"
)
def test_a_photo_in_several_rows(written):
    path = written(rows("x/0.png,cat,test", "x/1.png,dog,train", "./x/0.png,dog,", "x/0.png,cat,", header="path,label,split"))
    assert "if both are, and photos may have several labels, add multi_label=True" in refusal(path)
    listing = list_photos(path, ASKED)
    assert shown(listing) == {"x/0.png": "cat|dog", "x/1.png": "dog"}
    assert listing.splits == ("test", "train")
    assert "Photos that several rows name have all the labels of these rows: 1." in listing.decisions


def test_what_one_row_knows_is_known(written):
    path = written("path,a,b,c\nx/0.png,1,-1,0\nx/0.png,-1,0,1\nx/1.png,1,1,-1\nx/1.png,1,,-1\n")
    assert "gives one photo two labels" in refusal(path)
    listing = list_photos(path, ASKED)
    assert shown(listing) == {"x/0.png": "a|c", "x/1.png": "a|b"}
    assert unknown(listing) == {"x/1.png": "c"}
    assert "one row says 1 and another one 0 in the same column: 1. The 1 counts." in said(listing)


# -- labels of other tools ------------------------------------------------------------------------------------------------


def coco():
    notes = [(0, 1), (0, 0), (0, 0), (1, 0), (2, 2)]
    return {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(4)],
        "annotations": [{"image_id": photo, "category_id": kind, "bbox": [0, 0, 1, 1]} for photo, kind in notes],
        "categories": [{"id": number, "name": name} for number, name in enumerate(["cat", "dog", "bird"])],
    }


def label_studio():
    choices = [["dog", "cat"], ["cat"], ["bird"], []]
    tasks = [
        {"data": {"image": f"/data/upload/1/{number}.png"}, "annotations": [{"result": [{"value": {"choices": names}}]}]}
        for number, names in enumerate(choices)
    ]
    return [*tasks, {"data": {"image": "/data/upload/1/4.png"}, "annotations": []}]


@pytest.mark.robust(
    "tables",
    case="COCO with things of several classes in a photo, Label Studio with several choices; photos with none",
    right="several labels, and photos that show none of the classes",
)
@pytest.mark.parametrize("document", [coco(), label_studio()], ids=["coco", "label studio"])
def test_several_labels_in_json(put, document):
    folder = put(*PHOTOS)
    put("labels.json", content=json.dumps(document).encode())
    listing = list_photos(folder)
    assert shown(listing) == {**TWO, "x/3.png": ""}
    assert "row 1 of labels.json has a list of them (cat, dog)." in said(listing)
    assert "Photos that show none of the classes, and count as such: 1." in listing.decisions


@pytest.mark.robust("tables", case="metadata.csv beside photos, with cat|dog or lists", right="read")
def test_metadata_beside_photos(put):
    folder = put(*PHOTOS)
    put("x/metadata.csv", content=rows("0.png,cat|dog", "1.png,cat", "2.png,bird", header="file_name,label").encode())
    assert (
        shown(list_photos(folder / "x")) == shown(list_photos(folder)) == {"0.png": "cat|dog", "1.png": "cat", "2.png": "bird"}
    )


# -- class folders --------------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "layouts",
    case="class folders called cat+dog or cat,dog for photos of both",
    right="a class of its own; with --label-separator two labels",
    source="birdnet-team/BirdNET-Analyzer#241",
)
def test_class_folders_with_several_labels_asked_for(put_classes):
    folder = put_classes({"train/cat": 2, "train/cat+dog": 1, "test/dog": 1})
    listing = list_photos(folder, ASKED)
    assert shown(listing)["train/cat+dog/0.png"] == "cat+dog"
    assert listing.decisions == ("Photos may have several labels (multi-label), because that was asked for.",)
    listing = list_photos(folder, LabelReading(separator="+"))
    assert shown(listing)["train/cat+dog/0.png"] == "cat|dog"
    assert "names of class folders are divided at '+'." in said(listing)


@pytest.mark.robust(
    "layouts",
    case="one photo copied into the folders of all classes that it shows",
    right="named as a contradiction; with --multi-label one photo with all of them",
    source="ultralytics/ultralytics#6837",
)
def test_copies_in_several_class_folders(put_classes, put, photo_bytes, capsys):
    put_classes({"cat": 5, "dog": 5})
    folder = put("dog/copy.png", content=photo_bytes("cat/0.png"))
    assert "add multi_label=True." in "\n".join(load(folder, held_out=0).warnings)
    samples = load(folder, held_out=0, multi_label=True)
    assert dict(zip(samples.names, samples.label_names(), strict=True))["cat/0.png"] == "cat|dog"
    assert len(samples) == 10
    assert "10 photos, 2 classes, multi-label: 1.1 labels per photo, 2 at most, 0 photos with none" in capsys.readouterr().err


def test_a_table_of_several_labels_beside_class_folders(put_classes, put):
    put_classes({"train/cat": 2, "train/dog": 2})
    put("test/0.png", "test/1.png")
    folder = put("test/labels.csv", content=rows("0.png,cat|dog", "1.png,dog").encode())
    listing = list_photos(folder)
    assert shown(listing)["test/0.png"] == "cat|dog"
    assert shown(listing)["train/cat/0.png"] == "cat"


@pytest.mark.robust(
    "layouts", case="an archive whose table asks what stands between labels", right="refused, with the option that says it"
)
def test_an_archive_of_photos_with_several_labels(put, tmp_path):
    put("images/0.png", "images/1.png", "images/2.png")
    put("list.csv", content=rows("images/0.png,cat", "images/1.png,cat;dog", "images/2.png,dog").encode())
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", put())
    with pytest.raises(DataError, match=r"holds no labelled photos(?s:.*)add label_separator=';'"):
        get_data(archive, to=tmp_path / "data")
    folder = get_data(archive, to=tmp_path / "data", label_separator=";")
    assert shown(list_photos(folder, LabelReading(separator=";")))["images/1.png"] == "cat|dog"
    assert get_data(archive, to=tmp_path / "data", label_separator=";") == folder


# -- objects of a program -------------------------------------------------------------------------------------------------


@pytest.fixture
def paths(put):
    folder = put(*PHOTOS)
    return [folder / "x" / f"{number}.png" for number in range(4)]


def names(listing):
    return [str(one) for one in listing.label_sets]


@pytest.mark.robust(
    "surface",
    case="`Samples.from_lists(paths, labels)` with lists, tuples, sets, arrays or a column of lists",
    right="several labels; [] is a photo with none, None one without a label",
)
@pytest.mark.parametrize(
    "labels",
    [
        [["cat", "dog"], ("cat",), {"bird"}, []],
        pd.Series([["cat", "dog"], ["cat"], ["bird"], []]),
        np.array([["cat", "dog"], ["cat"], ["bird"], []], dtype=object),
        [np.array(["cat", "dog"]), np.array(["cat"]), np.array(["bird"]), np.array([])],
        ["dog|cat", "cat", "bird", "|"],
    ],
    ids=["lists", "pandas", "numpy", "arrays", "text"],
)
def test_lists_of_labels(paths, labels):
    listing = list_paths(paths, labels)
    assert names(listing) == ["cat|dog", "cat", "bird", ""]
    assert "(multi-label): row 0 of labels has" in said(listing)


def test_a_photo_without_a_list_has_no_label(paths):
    listing = list_paths(paths, [["cat", "dog"], None, float("nan"), []])
    assert names(listing) == ["cat|dog", ""]
    assert [entry.reason for entry in listing.left_out] == ["no label"] * 2


@pytest.mark.robust(
    "surface", case="an array of 0, 1 and NaN as labels", right="read where somebody says which classes its columns are"
)
def test_arrays_of_marks(paths):
    marks = np.array([[1, 1, 0], [1, 0, 0], [0, np.nan, 1], [0, 0, -1]])
    with pytest.raises(RequestError, match=r"nobody said which classes these are(?s:.*)classes="):
        list_paths(paths, marks)
    listing = list_paths(paths, marks, classes=["cat", "dog", "bird"])
    assert names(listing) == ["cat|dog", "cat", "bird", ""]
    assert [sorted(one.unknown) for one in listing.label_sets] == [[], [], ["dog"], ["bird"]]
    assert listing.classes == ("cat", "dog", "bird")
    same = list_paths(paths, pd.DataFrame(marks, columns=["cat", "dog", "bird"]))
    assert same.label_sets == listing.label_sets
    assert list_paths(paths, marks.tolist(), classes=("cat", "dog", "bird")).label_sets == listing.label_sets
    one_each = list_paths(paths[:2], [[1, 0], [0, 1]], classes=["cat", "dog"])
    assert names(one_each) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        ([[1, 0]] * 4, ["a", "b", "c"], "Entry 0 of labels does not say"),
        ([[1, 0]] * 3 + [[1, 2]], ["a", "b"], "Entry 3 of labels does not say"),
        (["a", "b"] * 2, ["a", "b"], "Entry 0 of labels does not say"),
        ([[1, 0]] * 4, ["a", "a"], "classes are to be names, each one once"),
        ([[1, 0]] * 3, ["a", "b"], "do not fit together"),
        ([[0, 1], [1, 0]] * 2, None, "nobody said which classes"),
        ([[["a"]]] * 4, None, "Entry 0 of labels holds several values"),
    ],
)
def test_labels_that_make_no_sense_are_refused(paths, labels, classes, words):
    with pytest.raises(RequestError, match=words):
        list_paths(paths, labels, classes=classes)


def test_a_path_that_is_given_several_times(paths):
    twice = [*paths[:2], paths[0]]
    with pytest.raises(RequestError, match=r"two labels(?s:.*)add multi_label=True"):
        list_paths(twice, ["cat", "dog", "bird"])
    listing = list_paths(twice, ["cat", "dog", "bird"], ["train", "test", ""], reading=ASKED)
    assert names(listing) == ["bird|cat", "dog"]
    assert listing.splits == ("train", "test")


@pytest.mark.robust(
    "surface",
    case="a DataFrame with a column of lists or columns of 0 and 1, pairs of path and labels",
    right="as the same table in a file",
)
def test_frames_and_pairs(paths):
    lists = pd.DataFrame({"path": paths[:3], "label": [["cat", "dog"], ["cat"], ["bird"]]})
    marks = pd.DataFrame({"path": paths[:3], "cat": [1, 1, 0], "dog": [True, False, False], "bird": [0.0, 0.0, 1.0]})
    texts = lists.assign(label=["cat|dog", "cat", "bird"])
    pairs = [(paths[0], ["cat", "dog"]), (paths[1], ("cat",)), (paths[2], "bird")]
    by_path = {str(paths[0]): ["cat", "dog"], str(paths[1]): ["cat"], str(paths[2]): ["bird"]}
    for source in (lists, marks, texts, pairs, by_path):
        listing = list_photos(source)
        assert names(listing) == ["cat|dog", "cat", "bird"]
        assert f"(multi-label): row 0 of {type(source).__name__} has" in said(listing)
    assert list_photos(marks).classes == ("cat", "dog", "bird")
    assert list_photos(marks[1:]).label_sets is None


def test_all_parts_of_a_dictionary_are_read_alike(paths):
    marks = pd.DataFrame({"path": paths, "cat": [1, 1, 0, 0], "dog": [1, 0, 1, 0]})
    listing = list_photos({"train": marks[:2], "test": marks[2:]})
    assert names(listing) == ["cat|dog", "cat", "dog", ""]
    assert listing.splits == ("train", "train", "test", "test")
    assert listing.left_out == ()


def test_frames_are_asked_about_as_tables_are(paths):
    frame = pd.DataFrame({"path": paths[:3], "label": ["cat;dog", "cat", "bird"]})
    assert "add label_separator=';'" in refusal(frame)
    assert names(list_photos(frame, LabelReading(separator=";"))) == ["cat|dog", "cat", "bird"]
