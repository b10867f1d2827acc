"""Tables as spreadsheets, competitions and other tools write them: read and said, or refused with the row."""

import json
import unicodedata
from collections import Counter

import pytest

from tests.data.conftest import refusal, said
from tsugiki.core.errors import RequestError
from tsugiki.data.load import list_photos, load
from tsugiki.data.sources.listing import LeftOut
from tsugiki.data.sources.manifest import list_manifest


@pytest.fixture
def written(put):
    """``written(text, name="list.csv", photos=("x/0.png", ...))``: a table beside photos; gives its path."""

    def write(text, name="list.csv", photos=tuple(f"x/{number}.png" for number in range(6))):
        put(*photos)
        return put(name, content=text.encode()) / name

    return write


def rows(*lines, header="path,label"):
    return "\n".join([header, *lines]) + "\n"


def labels(listing):
    return dict(zip(listing.names, listing.labels, strict=True))


# -- encodings ------------------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "tables",
    case="a table that a spreadsheet saved as Shift_JIS, GBK, Windows-1252 or UTF-16",
    right="read as what it is, and that is said where it was guessed",
)
@pytest.mark.parametrize(
    ("encoding", "words", "language"),
    [
        ("cp932", ("良品", "不良品", "ソースの表示", "キズ"), "Japanese (cp932)"),
        ("gbk", ("良品", "不良品", "划痕", "裂纹"), "Chinese (simplified) (gbk)"),
        ("cp1252", ("café", "thé", "Käse", "für"), "Western European (cp1252)"),
        ("cp1251", ("кошка", "собака", "птица", "рыба"), "Russian (cp1251)"),
        ("utf-16", ("良品", "不良品", "café", "кошка"), ""),
    ],
)
def test_tables_in_the_encoding_of_a_system(put, encoding, words, language):
    put(*(f"x/{number}.png" for number in range(8)))
    text = rows(*(f"x/{number}.png,{words[number % 4]}" for number in range(8)))
    listing = list_photos(put("list.csv", content=text.encode(encoding)) / "list.csv")
    assert listing.labels == words * 2
    assert (language in said(listing)) if language else not listing.decisions


def test_a_spreadsheet_under_the_name_of_a_table(put):
    put("x/0.png")
    assert "a file of a spreadsheet program" in refusal(put("list.csv", content=b"PK\x03\x04\0\0\xff\xfe") / "list.csv")


# -- cells and quotes -----------------------------------------------------------------------------------------------------


@pytest.mark.robust("tables", case="a row with more cells than headings (a.jpg,cat, black)", right="refused, with the row")
def test_more_cells_than_headings(written):
    text = refusal(written(rows("x/0.png,cat", "x/1.png,cat, black", "x/2.png,dog")))
    assert "Row 3 of" in text
    assert "more cells than the header" in text
    assert '"cat, black"' in text


def test_empty_cells_at_the_end_of_rows_are_no_cells(written):
    listing = list_photos(written(rows("x/0.png,cat,,", "x/1.png,dog,,", header="path,label,,")))
    assert labels(listing) == {"x/0.png": "cat", "x/1.png": "dog"}
    assert listing.decisions == ()


@pytest.mark.robust("tables", case="a quote that never closes", right="refused, with the row: no row is swallowed")
@pytest.mark.parametrize(
    ("lines", "row"),
    [
        (("x/0.png,cat", 'x/1.png,"cat', "x/2.png,dog", "x/3.png,dog"), 3),
        (('x/0.png,"cat', "x/1.png,cat", 'x/2.png,dog"', "x/3.png,dog"), 2),
        (("x/0.png,cat", 'x/1.png,"5" pipe"'), 3),
    ],
)
def test_quotes_that_do_not_close(written, lines, row):
    text = refusal(written(rows(*lines)))
    assert f"ow {row} of" in text
    assert "quote" in text


def test_a_quote_in_a_column_that_is_not_read_swallows_no_rows_either(written):
    lines = ('x/0.png,cat,"nice', "x/1.png,cat,y", 'x/2.png,dog,"', "x/3.png,dog,z")
    assert "goes on over other rows" in refusal(written(rows(*lines, header="path,label,note")))
    fine = list_photos(written(rows('x/0.png,cat,"a nice\nday"', "x/1.png,dog,z", header="path,label,note")))
    assert len(fine) == 2


def test_what_spreadsheets_add_to_csv(written):
    listing = list_photos(written('sep=;\r\n"path"; "label"\r\n"x/0.png"; "black; white"\r\nx/1.png;b\r\n'))
    assert labels(listing) == {"x/0.png": "black; white", "x/1.png": "b"}


def test_rows_are_numbered_as_editors_do(written):
    text = refusal(written(rows('x/0.png,cat,"two\nlines"', "", "x/1.png,{'a': 1},z", header="path,label,note")))
    assert "row 5 of" in text


# -- columns --------------------------------------------------------------------------------------------------------------


@pytest.mark.robust("tables", case="a column is_valid", right="read as the split, and said")
@pytest.mark.parametrize(
    ("name", "cells", "splits"),
    [
        ("is_valid", ("False", "False", "True", "True"), ("train", "train", "val", "val")),
        ("is_test", ("0", "0", "1", "1"), ("train", "train", "test", "test")),
        ("subset", ("Training", "Training", "PublicTest", "PublicTest"), ("train", "train", "test", "test")),
        ("Usage", ("train", "train", "dev", "dev"), ("train", "train", "val", "val")),
    ],
)
def test_columns_that_mean_splits(written, name, cells, splits):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{cell}" for number, cell in enumerate(cells)]
    listing = list_photos(written(rows(*lines, header=f"path,label,{name}")))
    assert listing.splits == splits
    assert f"were read as split: {name}." in said(listing)


@pytest.mark.robust(
    "tables",
    case="columns 分割, 用途 or any other with the words for train and test in it",
    right="read as the split, and said",
)
@pytest.mark.parametrize(
    ("name", "cells"), [("用途", ("学習用", "学習用", "評価用", "評価用")), ("mode", ("TRAIN", "TRAIN", "holdout", "holdout"))]
)
def test_columns_of_split_words_under_other_names(written, name, cells):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{cell}" for number, cell in enumerate(cells)]
    listing = list_photos(written(rows(*lines, header=f"path,label,{name}")))
    assert listing.splits == ("train", "train", "test", "test")
    assert f"were read as split: {name}." in said(listing)


@pytest.mark.robust(
    "tables", case="rows without a split (UNASSIGNED, -)", right="split by the others, and counted for training, as is said"
)
def test_rows_that_nobody_has_put_into_a_split(written):
    cells = ("TRAIN", "TRAIN", "TEST", "TEST", "UNASSIGNED", "-")
    lines = [f"x/{number}.png,{'ab'[number % 2]},{cell}" for number, cell in enumerate(cells)]
    samples = load(written(rows(*lines, header="path,label,set")))
    assert samples.splits == ("train", "train", "test", "test", "train", "train")
    assert "Photos without a split, counted as training photos: 2." in samples.decisions


@pytest.mark.robust("tables", case="is_train beside is_test", right="both read, where each row has exactly one of them")
def test_several_columns_of_yes_and_no(written):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{int(number < 2)},{int(number > 1)}" for number in range(4)]
    listing = list_photos(written(rows(*lines, header="path,label,is_train,is_test")))
    assert listing.splits == ("train", "train", "test", "test")
    assert "were read as split: is_train, is_test." in said(listing)
    contradicting = [line[:-1] + "1" for line in lines]
    listing = list_photos(written(rows(*contradicting, header="path,label,is_train,is_test")))
    assert listing.splits == ("",) * 4
    assert "that are not read: is_train, is_test." in said(listing)


@pytest.mark.robust(
    "tables",
    case="a table with columns under names of its own (id_code, emotion, 正解ラベル)",
    right="read by what is in them, and said",
)
@pytest.mark.parametrize(
    ("path", "label"), [("image", "emotion"), ("key", "Id"), ("画像名", "正解ラベル"), ("ｐａｔｈ", "クラス")]
)
def test_columns_under_other_names(written, path, label):
    lines = [f"{number},{'ab'[number % 2]},{number / 7}" for number in range(6)]
    listing = list_photos(written(rows(*lines, header=f"{path},{label},score")))
    assert labels(listing) == {f"x/{number}.png": "ab"[number % 2] for number in range(6)}
    assert f"label: {label}" in said(listing)
    assert "that are not read: score." in said(listing)


def test_of_several_columns_that_could_be_classes_none_is_taken(written):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{'cd'[number // 3]}" for number in range(6)]
    text = refusal(written(rows(*lines, header="file,mood,place")))
    assert "has no column label" in text
    assert "it may be one of these: mood, place" in text
    lines = [f"x/{number}.png,{number % 2}" for number in range(6)]
    assert "has no column label" in refusal(written(rows(*lines, header="file,width")))


@pytest.mark.robust(
    "tables", case="class_name beside a number or copy of it", right="the names are read, and the other column is named"
)
def test_two_columns_that_say_the_same(written):
    lines = [f"x/{number}.png,{number % 2},{'ab'[number % 2]}" for number in range(6)]
    listing = list_photos(written(rows(*lines, header="path,target,category")))
    assert set(listing.labels) == {"a", "b"}
    assert "that are not read: target." in said(listing)


@pytest.mark.robust("tables", case="a title, a comment or empty lines above the header", right="passed over, and said")
@pytest.mark.parametrize("above", ["# exported 2026", "欠陥の一覧,,", "\n\nMy photos\n"])
def test_lines_above_the_header(written, above):
    lines = [f"x/{number}.png,{'ab'[number % 2]}," for number in range(6)]
    listing = list_photos(written(f"{above}\n" + rows(*lines, header="path,label,")))
    assert len(listing) == 6
    assert f"Lines above the header of list.csv are not read: {above.strip().strip(',')}." in said(listing)


def test_empty_lines_above_the_header_and_single_quotes(written):
    listing = list_photos(written("\n\n" + rows("'x/0.png','a, b'", "'x/1.png','c'", header="'path','label'")))
    assert labels(listing) == {"x/0.png": "a, b", "x/1.png": "c"}
    assert listing.decisions == ()


def test_full_width_commas(written):
    assert "put an ordinary comma between the cells" in refusal(written(rows("x/0.png，a", header="path，label")))


@pytest.mark.robust("tables", case="columns that are not read (fold, age)", right="named, with what to rename")
def test_columns_that_are_not_read_are_named(written):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{number},{number}" for number in range(4)]
    listing = list_photos(written(rows(*lines, header="path,label,fold,age")))
    assert listing.splits == ("",) * 4
    assert "that are not read: fold, age." in said(listing)
    assert "If fold should hold photos out, rename it to split" in said(listing)


@pytest.mark.robust(
    "tables",
    case="a column patient_id",
    right="read as the group: no patient in two splits",
    source="microsoft/InnerEye-DeepLearning#363",
)
def test_patients_are_groups(written):
    photos = [f"x/{number}.png" for number in range(40)]
    lines = [f"{photo},{'ab'[number // 2 % 2]},p{number // 2}" for number, photo in enumerate(photos)]
    samples = load(written(rows(*lines, header="path,label,patient_id"), photos=photos))
    sides = {(group, split) for group, split in zip(samples.groups, samples.splits, strict=True)}
    assert len(sides) == 20, "each patient is in one split"
    assert "group: patient_id" in "\n".join(samples.decisions)


def test_of_two_subjects_the_coarser_one_keeps_photos_together(written):
    lines = ["x/0.png,a,l1,p1", "x/1.png,b,l2,p2", "x/2.png,a,l3,p1", "x/3.png,b,l2,p2"]
    listing = list_photos(written(rows(*lines, header="path,label,lesion_id,patient_id")))
    assert listing.groups == ("p1", "p2", "p1", "p2")
    crossed = ["x/0.png,a,v1,p1", "x/1.png,b,v2,p2", "x/2.png,a,v2,p1", "x/3.png,b,v1,p2"]
    listing = list_photos(written(rows(*crossed, header="path,label,video,patient_id")))
    assert listing.groups is None
    assert "rename it to group" in said(listing)


@pytest.mark.robust("tables", case="Label beside label", right="refused, both named")
def test_two_columns_of_one_name(written):
    text = refusal(written(rows("x/0.png,0,cat", "x/1.png,1,dog", header="path,label,Label")))
    assert "'label', 'Label'" in text


def test_several_columns_that_could_be_the_classes(written):
    text = refusal(written(rows("x/0.png,cat,pug", "x/1.png,dog,pug", header="path,species,breed")))
    assert "got: species, breed" in text
    assert "rename the one that is meant to label" in text


@pytest.mark.robust("tables", case="no heading line", right="refused: the line to write is said")
def test_a_table_without_a_heading(written):
    assert "first line: path,label" in refusal(written("x/0.png,cat\nx/1.png,dog\n"))


@pytest.mark.robust("tables", case="columns of 0 and 1, one per class", right="one class per photo is read")
def test_one_hot_columns(written):
    table = "filename, cat, dog\nx/0.png, 1, 0\nx/1.png, 0, 1\nx/2.png, 0, 0\n"
    listing = list_photos(written(table))
    assert labels(listing) == {"x/0.png": "cat", "x/1.png": "dog"}
    assert listing.left_out == (LeftOut("x/2.png", "row 4 has no path or no label"),)


def test_words_that_only_contain_a_split_are_said(written):
    lines = [f"x/{number}.png,{'ab'[number % 2]},{'trainval' if number < 3 else 'test_final'}" for number in range(6)]
    listing = list_photos(written(rows(*lines, header="path,label,split")))
    assert listing.splits == ("train",) * 3 + ("test",) * 3
    assert "Words for splits were read as test_final = test." in said(listing)


@pytest.mark.robust("tables", case="metadata.jsonl", right="read; what is not is named", source="huggingface/datasets#4069")
def test_lines_of_json(written):
    lines = [{"file_name": "x/0.png", "label": "a", "caption": "hm"}, {"file_name": "x/1.png", "label": "b"}]
    listing = list_photos(written("\n".join(map(json.dumps, lines)), "metadata.jsonl"))
    assert labels(listing) == {"x/0.png": "a", "x/1.png": "b"}
    assert "not read: caption" in said(listing)
    assert "row 1" in refusal(written("no json", "metadata.jsonl"))


def test_a_list_of_paths_and_labels(written):
    listing = list_photos(written("x/0.png a\nx/a b.png b\n", "train.txt", photos=("x/0.png", "x/a b.png")))
    assert labels(listing) == {"x/0.png": "a", "x/a b.png": "b"}


# -- labels ---------------------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "tables",
    case="lists of paths and labels with spaces, with the label first, with numbers after the label",
    right="read, and what is not read is said",
)
@pytest.mark.parametrize(
    ("line", "found", "unread"),
    [
        ("my cat {}.png hot dog", "hot dog", ""),
        ("my cat {}.png\thot dog", "hot dog", ""),
        ("my cat {}.png dog 12 7.5", "dog", "12 7.5"),
        ("my cat {}.png,dog,12,7", "dog", "12,7"),
        ('"my cat {}.png" dog', "dog", ""),
        ("dog my cat {}.png", "dog", ""),
    ],
)
def test_lines_of_lists(put, line, found, unread):
    put("my cat 1.png", "my cat 2.png")
    text = "# made by hand\n" + "".join(f"{line.format(number)}\n" for number in (1, 2))
    listing = list_photos(put("list.txt", content=text.encode()) / "list.txt")
    assert labels(listing) == {"my cat 1.png": found, "my cat 2.png": found}
    assert (f"after the label ({unread})" in said(listing)) if unread else not listing.decisions


@pytest.mark.robust("tables", case="one path with two labels", right="refused, with both rows")
def test_one_photo_with_two_labels(written):
    text = refusal(written(rows("x/0.png,cat", "x/1.png,dog", "./x/0.png,dog")))
    assert "x/0.png: cat in row 2, dog in row 4" in text


@pytest.mark.robust("tables", case="NaN as a label", right="no class: the row is left out and named")
def test_missing_labels(written):
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,nan", "x/2.png,dog", "x/3.png,NaN")))
    assert labels(listing) == {"x/0.png": "cat", "x/2.png": "dog"}
    assert [entry.name for entry in listing.left_out] == ["x/1.png", "x/3.png"]
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,#N/A", "x/2.png,dog", "x/3.png,#REF!")))
    assert set(listing.labels) == {"cat", "dog"}
    listing = list_photos(written(rows("x/0.png,0", "x/1.png,1", "x/2.png,-1", "x/3.png,なし")))
    assert "count as classes: '-1' (1), 'なし' (1)" in said(listing)
    listing = list_photos(written(rows("x/0.png,cat", "x/1.png,None", "x/2.png,dog", "x/3.png,NA")))
    assert set(listing.labels) == {"cat", "dog", "None", "NA"}
    assert "may mean that there is none, and count as classes: 'None' (1), 'NA' (1)" in said(listing)


def test_names_that_begin_alike_before_a_comma_are_names(written):
    found = ("Pepper, bell", "Pepper, bell healthy", "crane, bird", "crane, machine")
    listing = list_photos(written(rows(*(f'x/{number}.png,"{name}"' for number, name in enumerate(found)))))
    assert listing.labels == found


def test_names_with_commas_and_spaces_are_names(written):
    listing = list_photos(written(rows('x/0.png,"Smith, John"', 'x/1.png,"Doe, Jane"', "x/2.png,hot dog", "x/3.png,dog")))
    assert set(listing.labels) == {"Smith, John", "Doe, Jane", "hot dog", "dog"}
    assert listing.decisions == ()
    mixed = list_photos(written(rows("x/0.png,scab rust", "x/1.png,scab", "x/2.png,rust", "x/3.png,rust scab")))
    assert "made of others count as classes of their own" in said(mixed)
    assert "add label_separator=' '" in said(mixed)


@pytest.mark.robust("tables", case="numbers that measure something", right="refused: no classes; many whole numbers are said")
def test_numbers_that_are_no_classes(written):
    text = refusal(written(rows(*(f"x/{number}.png,{number * 1.37}" for number in range(6)))))
    assert "look like a measurement" in text
    assert "6 different numbers in 6 rows, 0 to 6.85" in text
    commas = refusal(written(rows(*(f"x/{number}.png;{number},5" for number in range(6)), header="path;label")))
    assert "0.5 to 5.5" in commas
    photos = [f"x/{number}.png" for number in range(90)]
    ages = list_photos(written(rows(*(f"{photo},{number % 30}" for number, photo in enumerate(photos))), photos=photos))
    assert "30 different whole numbers, 0 to 29" in said(ages)
    digits = list_photos(written(rows(*(f"{photo},{number % 10}" for number, photo in enumerate(photos))), photos=photos))
    assert digits.decisions == ()


@pytest.mark.robust("tables", case="bytes as labels in Parquet", right="refused, with the row")
def test_labels_of_bytes(written, put):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    written("")
    parquet.write_table(pa.table({"path": ["x/0.png"], "label": [b"cat"]}), put() / "list.parquet")
    text = refusal(put() / "list.parquet")
    assert "Row 1 of" in text
    assert "bytes in the column label" in text


@pytest.mark.robust(
    "tables", case="Parquet of the Hub: photos inside, numbers with names", right="read with the names, and said"
)
def test_photos_inside_parquet(put, photo_bytes):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(name, numbers):
        photos = [{"bytes": photo_bytes(f"{name}{row}"), "path": f"{row}.png"} for row in range(len(numbers))]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        table = pa.table({"image": pa.array(photos, kind), "label": numbers})
        note = json.dumps({"info": {"features": features}})
        parquet.write_table(
            table.replace_schema_metadata({"huggingface": note}), put("data/x.txt", content=b"") / "data" / name
        )

    write("train-00000-of-00002.parquet", [0, 1, 0])
    write("train-00001-of-00002.parquet", [1])
    write("test-00000-of-00001.parquet", [0, 1])
    listing = list_photos(put())
    counts = Counter(zip(listing.splits, listing.labels, strict=True))
    assert counts == {("train", "cat"): 2, ("train", "dog"): 2, ("test", "cat"): 1, ("test", "dog"): 1}
    assert "were unpacked to" in said(listing)
    one = list_photos(put() / "data" / "train-00000-of-00002.parquet")
    assert one.labels == ("cat", "dog", "cat")
    assert [path.read_bytes() for path in one.paths] == [photo_bytes(f"train-00000-of-00002.parquet{row}") for row in range(3)]
    assert load(put()).counts() == {"train": {"cat": 2, "dog": 2}, "test": {"cat": 1, "dog": 1}}


# -- labels in other files -------------------------------------------------------------------------------------------------


def coco():
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(6)]
    notes = [{"image_id": number, "category_id": number % 2, "bbox": [0, 0, 1, 1]} for number in range(6)]
    return {"images": images, "annotations": notes, "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]}


def label_studio():
    return [
        {"data": {"image": f"/data/upload/1/{number}.png"}, "annotations": [{"result": [{"value": {"choices": [name]}}]}]}
        for number, name in enumerate(["cat", "dog"] * 3)
    ]


@pytest.mark.robust(
    "tables",
    case="labels in JSON: a list of objects, names with labels, classes with names, COCO, Label Studio",
    right="read; what is not read is said",
)
@pytest.mark.parametrize(
    "document",
    [
        [{"image": f"x/{number}.png", "label": ["cat", "dog"][number % 2]} for number in range(6)],
        {"images": [{"file_name": f"{number}.png", "class": ["cat", "dog"][number % 2]} for number in range(6)]},
        {f"{number}.png": ["cat", "dog"][number % 2] for number in range(6)},
        {"cat": ["0.png", "2.png", "4.png"], "dog": ["1.png", "3.png", "5.png"]},
        coco(),
        label_studio(),
    ],
    ids=["objects", "objects inside", "names", "classes", "coco", "label studio"],
)
def test_labels_in_json(put, document):
    folder = put(*(f"x/{number}.png" for number in range(6)))
    put("labels.json", content=json.dumps(document).encode())
    listing = list_photos(folder)
    assert labels(listing) == {f"x/{number}.png": ["cat", "dog"][number % 2] for number in range(6)}
    assert "Labels are those in labels.json." in said(listing)
    assert ("that are not read: bbox." in said(listing)) == ("categories" in document)


@pytest.mark.robust(
    "tables", case="train.txt and test.txt, or train.json and test.json, beside images/", right="read as splits"
)
@pytest.mark.parametrize("kind", ["txt", "json"])
def test_lists_of_labels_by_split(put, kind):
    folder = put(*(f"images/{number}.png" for number in range(8)))
    for split, numbers in {"train": range(6), "test": range(6, 8)}.items():
        found = {f"images/{number}.png": "ab"[number % 2] for number in numbers}
        lines = "".join(f"{name} {label}\n" for name, label in found.items())
        put(f"{split}.{kind}", content=(json.dumps(found) if kind == "json" else lines).encode())
    listing = list_photos(folder)
    assert Counter(listing.splits) == {"train": 6, "test": 2}
    assert set(listing.labels) == {"a", "b"}


@pytest.mark.robust("tables", case="a web page or a Git LFS pointer under the name of a table", right="refused as what it is")
@pytest.mark.parametrize(
    ("text", "words"),
    [("<!DOCTYPE html><html>", "a web page"), ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer")],
)
def test_files_that_are_no_tables(written, text, words):
    path = written(text)
    assert words in refusal(path)
    assert words in said(list_photos(path.parent))


@pytest.mark.robust(
    "tables",
    case="photos without class folders beside .xlsx, .json of something else, .xml or .txt of boxes",
    right="refused, with what to do about these very files",
)
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels.xlsx", "PK", "save labels.xlsx as CSV UTF-8"),
        ("labels.json", "{'a': 1}", "labels.json is not read as labels"),
        ("labels/{}.txt", "0 .5 .5 .1 .1", "labels here are of things in the photos (boxes)"),
        ("images/{}.json", '{"shapes": []}', "labels here are of things in the photos (boxes)"),
        ("Annotations/{}.xml", "<a/>", "labels here are of things in the photos (boxes)"),
    ],
)
def test_labels_that_are_not_read_are_pointed_out(put, name, content, words):
    folder = put(*(f"images/{number}.png" for number in range(6)))
    for number in range(6):
        put(name.format(number), content=content.encode())
    text = refusal(folder)
    assert "not in class folders" in text
    assert words in text


@pytest.mark.robust("layouts", case="jpeg/train/ beside train.csv", right="the table is read")
def test_a_table_above_the_folder_that_holds_all_photos(put):
    photos = [f"jpeg/train/{number}.png" for number in range(6)]
    put(*photos, "jpeg/test/9.png")
    lines = [f"{number},{'ab'[number % 2]}" for number in range(6)]
    listing = list_photos(put("train.csv", content=rows(*lines, header="image_name,target").encode()))
    assert listing.names == tuple(photos)
    assert "no row names, so they are not used: 1 (jpeg/test/9.png)" in said(listing)


def test_numbers_without_a_heading_are_no_classes(written):
    assert "first line: path,label" in refusal(written("x/0.png,1,0,1\nx/1.png,1,0,0\nx/2.png,1,0,1\n"))


# -- paths that lead nowhere ----------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "paths",
    case="paths of another machine, with a slash first, without their folder or ending, in other case",
    right="read as the one photo whose path ends like them, and said",
    source="keras-team/keras-preprocessing#92",
)
@pytest.mark.parametrize(
    "path",
    [
        "/kaggle/input/foo/x/{}.png",
        "C:\\Users\\me\\data\\x\\{}.png",
        "/x/{}.png",
        "data/x/{}.png",
        "{}.png",
        "{}",
        "X/{}.PNG",
        ".\\x\\{}.png",
    ],
)
def test_paths_that_lead_nowhere_as_they_stand(written, path):
    listing = list_photos(written(rows(*(f"{path.format(number)},{'ab'[number % 2]}" for number in range(4)))))
    assert labels(listing) == {f"x/{number}.png": "ab"[number % 2] for number in range(4)}


def test_paths_as_labelling_tools_export_them(written, put):
    photos = ("x/my cat.png", "x/ab-1.png")
    found = {"x/my cat.png": "a", "x/ab-1.png": "b"}
    lines = ("/data/upload/1/my%20cat.png,a", "/data/upload/1/ab-1.png,b")
    assert labels(list_photos(written(rows(*lines, header="image,choice"), photos=photos))) == found
    lines = [f"{(put() / photo).as_uri()},{label}" for photo, label in found.items()]
    assert labels(list_photos(written(rows(*lines, header="image,choice"), photos=photos))) == found


def test_a_missing_photo_is_never_taken_for_one_of_another_folder(written):
    lines = ("data/u/0.png,a", "data/u/1.png,b", "data/u/2.png,a", "data/v/9.png,b")
    listing = list_photos(written(rows(*lines), photos=("u/0.png", "u/1.png", "u/2.png", "w/9.png")))
    assert listing.names == ("u/0.png", "u/1.png", "u/2.png", "data/v/9.png")


@pytest.mark.robust(
    "paths",
    case="numbers without their zeros (7 for 007.png), uploads of Label Studio, converted photos, ¥ for a backslash",
    right="the one photo that is meant, and said",
)
@pytest.mark.parametrize(
    ("path", "photo"),
    [
        ("7", "x/007.png"),
        ("7.0", "x/007.png"),
        ("/data/upload/3/0a1b2c3d-dog.png", "x/dog.png"),
        ("x/dog.jpg", "x/dog.png"),
        ("dog.bmp", "x/dog.png"),
        ("x¥dog.png", "x/dog.png"),
    ],
)
def test_paths_as_programs_change_them(written, path, photo):
    listing = list_photos(written(rows(f"{path},a"), photos=("x/007.png", "x/dog.png", "x/8.png")))
    assert listing.names == (photo,)
    assert path in said(listing) or "¥" in path


@pytest.mark.robust(
    "paths", case="a whole table beside a part of its photos", right="the photos that are here, and the others named"
)
def test_a_table_of_more_photos_than_are_here(written):
    lines = [f"{number:03}.png,{'ab'[number % 2]}" for number in range(40)]
    photos = tuple(f"images/{number:03}.png" for number in (1, 4, 7, 10, 13, 38))
    samples = load(written(rows(*lines, header="filename,class"), photos=photos))
    assert sorted(samples.names) == sorted(photos)
    assert len(samples.left_out) == 34
    assert samples.left_out[0].reason == "no such file"


def test_masks_are_not_taken_for_converted_photos(written):
    photos = ("masks/1.png", "masks/2.png", "other/3.png")
    assert "Not one of the 2 paths" in refusal(written(rows("1.jpg,a", "2.jpg,b"), photos=photos))
    assert "Not one of the 2 paths" in refusal(written(rows("images/1.jpg,a", "images/2.jpg,b"), photos=photos))


@pytest.mark.robust(
    "paths",
    case="addresses (gs://bucket/x/0.png, https://...) of photos that lie beside the table",
    right="these photos are read, and it is said that nothing was fetched",
)
def test_addresses_of_photos_that_are_here(written):
    lines = [f"https://store.example/a/x/{number}.png?key=1,{'ab'[number % 2]}" for number in range(5)]
    listing = list_photos(written(rows(*lines, "https://store.example/a/x/9.png,a", header="ImageUrl,TagName")))
    assert listing.names == tuple(f"x/{number}.png" for number in range(5))
    assert listing.left_out == (LeftOut("https://store.example/a/x/9.png", "an address on the network: not fetched"),)
    assert "nothing was fetched: 5 (https://store.example/a/x/0.png?key=1 is x/0.png)." in said(listing)


@pytest.mark.robust(
    "tables", case="rows without a label beside photos found by name", right="left out as photos that a row names"
)
def test_photos_of_rows_without_a_label_are_named_once(put):
    put(*(f"train/{number}.png" for number in range(6)))
    lines = [f"{number}.png,{'ab'[number % 2] if number else ''}" for number in range(6)]
    folder = put("train/labels.csv", content=rows(*lines, header="filename,label").encode())
    listing = list_photos(folder)
    assert listing.left_out == (LeftOut("train/0.png", "row 2 has no path or no label"),)
    assert "no row names" not in said(listing)


def test_the_repair_is_said_with_the_path_as_it_was_written(written):
    listing = list_photos(written(rows("/kaggle/input/x/0.png,a", "/kaggle/input/x/1.png,b")))
    assert "2 (/kaggle/input/x/0.png is x/0.png)" in said(listing)


@pytest.mark.robust("paths", case="a name that several photos have", right="refused, both named")
def test_a_path_that_could_be_several_photos(written):
    text = refusal(written(rows("0,a", "1,b", header="id,breed"), photos=("u/0.png", "u/1.png", "v/0.png", "v/1.png")))
    assert "0 could be several photos" in text
    assert "u/0.png, v/0.png" in text


@pytest.mark.robust("paths", case="paths relative to the working folder", right="refused: where they do lead is said")
def test_paths_from_the_working_folder(written, put, tmp_path, monkeypatch):
    monkeypatch.chdir(put())
    written("")
    table = tmp_path / "elsewhere" / "list.csv"
    table.parent.mkdir()
    table.write_text(rows("x/0.png,a", "x/1.png,b"))
    text = refusal(table)
    assert "Not one of the 2 paths" in text
    assert f"from {put()} they lead to files: put the table there" in text


def test_paths_that_lead_nowhere_at_all(written):
    text = refusal(written(rows("q/a.png,a", "q/b.png,b")))
    assert "Not one of the 2 paths" in text
    assert "q/a.png, looked for in" in text


def test_a_few_missing_photos_are_left_out_one_by_one(written):
    samples = load(written(rows(*(f"x/{number}.png,{'ab'[number % 2]}" for number in range(8)))))
    assert [(entry.name, entry.reason) for entry in samples.left_out] == [
        ("x/6.png", "no such file"),
        ("x/7.png", "no such file"),
    ]


@pytest.mark.robust("paths", case="letters stored in another way (NFC, NFD)", right="just works")
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_other_unicode_forms(written, form):
    photos = ["がぞう/é.png", "がぞう/ö.png", "plain/1.png", "plain/2.png"]
    lines = [f"{unicodedata.normalize(form, photo)},{'ab'[row % 2]}" for row, photo in enumerate(photos)]
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    for some in (lines, lines[:2]):
        listing = list_photos(written(rows(*some), photos=[unicodedata.normalize(other, photo) for photo in photos]))
        assert all(path.is_file() for path in listing.paths)
        assert listing.decisions == ()


@pytest.mark.robust(
    "paths",
    case="addresses in the path column of a table that lies in the folder of a data set",
    right="printed as written, and said that they are not fetched",
)
def test_addresses_in_a_table_that_nobody_has_named_are_not_fetched(put):
    put("list.csv", content=rows("https://example.com/a//b.png,a", "x/0.png,a", "x/1.png,b").encode())
    listing = list_photos(put("x/0.png", "x/1.png"))
    assert LeftOut("https://example.com/a//b.png", "an address on the network: not fetched") in listing.left_out
    with pytest.raises(RequestError) as caught:
        list_manifest(put("list.csv", content=rows("https://example.com/a//b.png,a", "s3://b/c.png,b").encode()) / "list.csv")
    assert "https://example.com/a//b.png: an address on the network: not fetched" in str(caught.value)
    assert "fetch the photos first" in str(caught.value)


# -- names that look alike ------------------------------------------------------------------------------------------------


@pytest.mark.robust(
    "paths",
    case="class names that differ in width, case, spaces or invisible characters",
    right="a warning, with the names in quotes",
)
def test_class_names_that_look_alike(written, put_classes):
    listing = list_photos(
        written(rows("x/0.png,cat", "x/1.png,Cat", "x/2.png,dog", "x/3.png,ｃａｔ\u200b", "x/4.png,a  b", "x/5.png,a b"))
    )
    assert r"'cat' = 'Cat' = 'ｃａｔ\u200b', 'a  b' = 'a b'" in said(listing)
    assert "look the same" not in said(list_photos(written(rows("x/0.png,cat", "x/1.png,dog"))))
    listing = list_photos(written(rows("x/0.png,1", "x/1.png,01", "x/2.png,1.0", "x/3.png,hot_dog", "x/4.png,hot dog")))
    assert "'1' = '01' = '1.0', 'hot_dog' = 'hot dog'" in said(listing)
    assert "look the same" not in said(list_photos(written(rows("x/0.png,1", "x/1.png,-1", "x/2.png,C", "x/3.png,C-"))))
    listing = list_photos(written(rows("x/0.png,コーヒー", "x/1.png,コ―ヒ―", "x/2.png,ｺｰﾋｰ")))
    assert "'コーヒー' = 'コ―ヒ―' = 'ｺｰﾋｰ'" in said(listing)
    folders = list_photos(put_classes({"f/ネコ": 1, "f/ﾈｺ": 1}) / "f")
    assert "'ﾈｺ' = 'ネコ'" in said(folders) or "'ネコ' = 'ﾈｺ'" in said(folders)
