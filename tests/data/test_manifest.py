"""Tables of photos, as spreadsheets and programs write them."""

import sys

import pytest

from tsugiki.core.errors import RequestError
from tsugiki.data.load import list_photos
from tsugiki.data.sources.listing import LeftOut


@pytest.fixture
def manifest(put):
    put("a.png", "b.png", "x/1.png", "x/2.png", "a,b.png")

    def write(text, name="list.csv", encoding="utf-8"):
        return put(name, content=text.encode(encoding)) / name

    return write


def refusal(path):
    with pytest.raises(RequestError) as caught:
        list_photos(path)
    return str(caught.value)


def test_all_columns(manifest):
    listing = list_photos(manifest("path,label,split,group\nx/1.png,cat,train,tama\nx/2.png,犬,Validation,\n"))
    assert listing.names == ("x/1.png", "x/2.png")
    assert listing.labels == ("cat", "犬")
    assert listing.splits == ("train", "val")
    assert listing.groups == ("tama", "")
    assert listing.root.name == "猫 é"


@pytest.mark.parametrize(
    "text",
    ["path,label\na.png,x\nb.png,y\n", "Label;PATH\r\nx;a.png\r\ny;b.png\r\n", "path\tlabel\tnote\na.png\tx\t1\n\nb.png\ty\t2"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_every_spreadsheets_idea_of_csv(manifest, text, encoding):
    listing = list_photos(manifest(text, encoding=encoding))
    assert (listing.names, listing.labels, listing.splits) == (("a.png", "b.png"), ("x", "y"), ("", ""))
    assert listing.groups is None


def test_quoted_commas_and_newlines(manifest):
    listing = list_photos(manifest('path,label\n"a,b.png","two\u2028lines"\n'))
    assert (listing.names, listing.labels) == (("a,b.png",), ("two\u2028lines",))


def test_missing_columns_are_named_with_those_present(manifest):
    text = refusal(manifest("file,class,label\n7,x,y\n"))
    assert "has no column path" in text
    assert "got: file, class, label" in text
    assert "7.png, looked for in" in refusal(manifest("file,class,label\n7.png,x,y\n"))
    assert "has no column path, label" in refusal(manifest(""))


def test_rows_that_say_too_little_or_twice_are_named(manifest):
    listing = list_photos(manifest("path,label\na.png,x\n,x\nb.png\na.png,x\n./a.png,x\n"))
    assert listing.names == ("a.png",)
    assert listing.left_out == (
        LeftOut("row 3", "row 3 has no path or no label"),
        LeftOut("b.png", "row 4 has no path or no label"),
        LeftOut("a.png", "named again in row 5: row 2 counts"),
        LeftOut("a.png", "named again in row 6: row 2 counts"),
    )


def test_unknown_splits_other_encodings_and_empty_tables_are_refused(manifest):
    assert "Row 2" in refusal(manifest("path,label,split\na.png,x,tets\n"))
    assert "CSV UTF-8" in refusal(manifest("path,label\na.png,\0猫\n", encoding="cp932"))
    assert "names no photos" in refusal(manifest("path,label\n"))


def test_absolute_paths_become_relative(manifest, put):
    root = put("x/1.png")
    (root.parent / "y.png").write_bytes((root / "x/1.png").read_bytes())
    listing = list_photos(manifest(f"path,label\n{root / 'x' / '1.png'},a\n{root.parent / 'y.png'},b\n"))
    assert listing.names == ("x/1.png", "../y.png")
    assert listing.paths[0].is_file()


def test_backslashes_from_windows(manifest, put):
    put("x/1.png")
    assert list_photos(manifest("path,label\nx\\1.png,a\n")).names == ("x/1.png",)


def test_parquet_says_the_same_as_csv(manifest, put):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"path": ["a.png", "b.png", None], "label": [1, 2, 3], "split": ["train", None, None], "pixels": [b"x"] * 3}
    parquet.write_table(pa.table(columns), put() / "list.parquet")
    listing = list_photos(put() / "list.parquet")
    twin = list_photos(manifest("path,label,split\na.png,1,train\nb.png,2,\n"))
    assert (listing.names, listing.labels, listing.splits) == (twin.names, twin.labels, twin.splits)
    assert listing.left_out == (LeftOut("row 3", "row 3 has no path or no label"),)
    parquet.write_table(pa.table({"path": ["a"]}), put() / "half.parquet")
    assert "has no column label" in refusal(put() / "half.parquet")
    assert "cannot be read" in refusal(manifest("no parquet", "text.parquet"))


def test_parquet_without_pyarrow_is_a_sentence(manifest, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'tsugiki[parquet]'" in refusal(manifest("x", "list.parquet"))
