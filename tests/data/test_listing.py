"""Class folders as people really have them; nothing is opened while listing."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.data.conftest import refusal, said
from tsugiki.core.errors import RequestError
from tsugiki.data.load import list_photos
from tsugiki.data.natural_order import natural
from tsugiki.data.sources.listing import LeftOut
from tsugiki.data.sources.lists import list_paths


def table(listing):
    return Counter(zip(listing.splits, listing.labels, strict=True))


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val", "VALIDATION"])
def test_train_and_val_by_any_name(put_classes, name):
    root = put_classes({"train/cat": 2, "train/dog": 1, f"{name}/cat": 1, "Test/dog": 3})
    listing = list_photos(root)
    assert table(listing) == {("train", "cat"): 2, ("train", "dog"): 1, ("val", "cat"): 1, ("test", "dog"): 3}
    assert f"{name}/cat/0.png" in listing.names
    assert all(path.is_file() for path in listing.paths)


def test_flat_folder_of_classes_has_no_splits(put_classes):
    assert table(list_photos(put_classes({"猫": 2, "犬": 1}))) == {("", "猫"): 2, ("", "犬"): 1}


def test_a_path_as_text_is_a_path(put_classes):
    assert len(list_photos(str(put_classes({"a": 1, "b": 1})))) == 2


def test_train_alone_is_unsplit_and_explained(put_classes):
    listing = list_photos(put_classes({"train/cat": 2, "train/dog": 1}))
    assert table(listing) == {("", "cat"): 2, ("", "dog"): 1}
    assert "neither val nor test" in said(listing)


def test_held_out_photos_alone_are_listed_as_such(put_classes):
    assert table(list_photos(put_classes({"test/cat": 2}))) == {("test", "cat"): 2}


def test_a_class_may_be_called_train(put_classes):
    listing = list_photos(put_classes({"train": 2, "car": 1}))
    assert table(listing) == {("", "train"): 2, ("", "car"): 1}
    assert "it counts as a class" in said(listing)


def test_what_was_never_meant_is_no_class_and_no_photo(put, put_classes):
    put_classes({"train/cat": 2, "val/cat": 1, "train/dog": 1})
    put(
        "train/.ipynb_checkpoints/0.png",
        "train/cat/.ipynb_checkpoints/1.png",
        "__MACOSX/train/cat/._0.png",
        "train/cat/._0.png",
    )
    put("train/Thumbs.db", "train/cat/thumbs.db", "train/.DS_Store", "train/@eaDir/x.png", content=b"x")
    listing = list_photos(put())
    assert table(listing) == {("train", "cat"): 2, ("train", "dog"): 1, ("val", "cat"): 1}
    assert listing.left_out == ()
    assert listing.decisions == ()


def test_endings_in_capitals_count(put):
    listing = list_photos(put("a/1.JPG", "a/2.Jpeg", "b/3.PNG", "b/4.webp", "b/5.tiff", "b/6.HEIC"))
    assert len(listing) == 6


def test_other_files_are_counted_by_ending_not_opened(put_classes, put):
    put_classes({"a": 1, "b": 1})
    root = put("a/notes.txt", "a/more.TXT", "b/README", "clip.mp4", content=b"x")
    assert "2 .txt, 1 .mp4, 1 without an ending" in said(list_photos(root))


def test_an_empty_class_is_said_and_is_none(put_classes):
    root = put_classes({"train/cat": 1, "train/dog": 1, "val/cat": 1})
    (root / "train" / "owl").mkdir()
    listing = list_photos(root)
    assert "owl" not in listing.labels
    assert "The folder train/owl holds no photos" in said(listing)


def test_subfolders_belong_to_the_class(put):
    listing = list_photos(put("cat/2021/spring/1.png", "cat/2.png", "dog/3.png"))
    assert Counter(listing.labels) == {"cat": 2, "dog": 1}


def test_order_is_natural_and_the_same_everywhere(put):
    listing = list_photos(put("a10/1.png", "a9/10.png", "a9/9.png", "A9/1.png", "b/é.png"))
    assert listing.names == ("A9/1.png", "a9/9.png", "a9/10.png", "a10/1.png", "b/é.png")
    assert sorted(["b", "a10", "A2", "a2", "1", "01"], key=natural) == ["01", "1", "A2", "a2", "a10", "b"]


def test_two_spellings_of_one_letter_are_one_class(put):
    listing = list_photos(put("train/cafe\u0301/1.png", "train/b/1.png", "val/caf\u00e9/2.png"))
    assert set(listing.labels) == {"caf\u00e9", "b"}
    assert all(path.is_file() for path in listing.paths)


def test_photos_outside_of_class_folders_are_named(put, put_classes):
    put_classes({"train/a": 1, "train/b": 1, "val/a": 1})
    listing = list_photos(put("stray.png", "train/loose.png", "test/unlabelled.png"))
    assert set(listing.left_out) == {
        LeftOut("stray.png", "in no class folder"),
        LeftOut("train/loose.png", "in no class folder"),
    }
    assert "class folders inside: test" in said(listing)


def test_folders_beside_the_splits_are_named(put_classes):
    listing = list_photos(put_classes({"train/a": 1, "train/b": 1, "val/a": 1, "extra/a": 1}))
    assert "extra" in said(listing)
    assert len(listing) == 3


def test_linked_photos_and_folders_are_followed_loops_are_not(put_classes, tmp_path):
    root = put_classes({"a": 2, "b": 1})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.png").write_bytes((root / "a" / "0.png").read_bytes())
    (root / "b" / "link.png").symlink_to(elsewhere / "x.png")
    (root / "c").symlink_to(elsewhere, target_is_directory=True)
    (root / "a" / "again").symlink_to(root / "a", target_is_directory=True)
    (root / "a" / "round.png").symlink_to(root / "a" / "round.png")
    (root / "a" / "nowhere.png").symlink_to(root / "none.png")
    listing = list_photos(root)
    assert Counter(listing.labels) == {"a": 4, "b": 2, "c": 1}
    assert listing.left_out == (LeftOut("a/again", "a link that leads back to its own folder"),)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_never_opened(put_classes):
    root = put_classes({"a": 1, "b": 1})
    os.mkfifo(root / "a" / "pipe.png")
    assert list_photos(root).left_out == (LeftOut("a/pipe.png", "no regular file"),)


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
def test_names_that_are_not_utf8_are_named(put_classes):
    root = put_classes({"a": 1, "b": 1})
    try:
        (Path(os.fsdecode(os.fsencode(root) + b"/a/\xff.png"))).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    (left,) = list_photos(root).left_out
    assert "rename it" in left.reason
    left.name.encode()


def test_layouts_that_are_something_else_are_refused_with_a_cure(put_classes, tmp_path):
    root = put_classes({"x/train/a": 1, "x/train/b": 1, "x/val/a": 1, "y/c": 1})
    assert f"name that folder instead: {root / 'x'}" in refusal(root)
    assert "no photos" in refusal(root / "x" / "val" / "none") or "There is no" in refusal(root / "x" / "val" / "none")
    assert "not in class folders" in refusal(root / "x" / "train" / "a")
    (tmp_path / "empty").mkdir()
    assert "There are no photos" in refusal(tmp_path / "empty")
    (tmp_path / "empty" / "class").mkdir()
    assert "There are no photos" in refusal(tmp_path / "empty")


def test_one_level_too_high_is_read_and_said(put_classes):
    root = put_classes({"photos/a": 1, "photos/b": 1})
    listing = list_photos(root)
    assert (listing.root, listing.names) == (root / "photos", ("a/0.png", "b/0.png"))
    assert "Read: the folder photos, the only one with photos." in said(listing)


def test_splits_without_class_folders_are_refused(put):
    assert "not in class folders" in refusal(put("train/1.png", "test/2.png"))


def test_a_mistyped_folder_is_answered_with_the_nearest(put_classes):
    root = put_classes({"a": 1, "b": 1})
    assert f"did you mean {root.name}?" in refusal(root.parent / (root.name + "x"))


def test_a_file_of_another_kind_is_refused(put):
    assert "sample:NAME" in refusal(put("notes.docx", content=b"x") / "notes.docx")
    assert "CSV UTF-8" in refusal(put("list.xlsx", content=b"x") / "list.xlsx")


def test_many_photos_ask_the_system_no_more_than_few(put_classes, monkeypatch):
    asked = []

    def counted(call):
        return lambda *words, **options: asked.append(call.__name__) or call(*words, **options)

    def calls_for(count):
        root = put_classes({f"{count}/a": count, f"{count}/b": count}) / str(count)
        asked.clear()
        with monkeypatch.context() as watched:
            for name in ("stat", "lstat", "open", "scandir", "listdir"):
                watched.setattr(os, name, counted(getattr(os, name)))
            assert len(list_photos(root)) == 2 * count
        return sorted(asked)

    assert calls_for(200) == calls_for(2)


@pytest.mark.robust(
    "hostile",
    case="paths and labels of a table or of a program's lists that are no UTF-8, as JSON's \\ud800",
    right="such a photo is named and left out, such a class is refused in a sentence",
)
def test_names_that_no_file_of_a_run_could_hold(tmp_path, photo_bytes):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(photo_bytes(name))
    rows = [{"path": "a.png", "label": "x"}, {"path": "b.png", "label": "y"}, {"path": "c\ud800.png", "label": "y"}]
    (tmp_path / "list.json").write_text(json.dumps(rows), encoding="utf-8")
    listing = list_photos(tmp_path / "list.json")
    assert listing.names == ("a.png", "b.png")
    assert listing.left_out == (LeftOut("c\\ud800.png", "its name is not valid UTF-8: rename it"),)
    (tmp_path / "list.json").write_text(json.dumps([*rows, {"path": "d.png", "label": "z\udcff"}]), encoding="utf-8")
    assert "Names of classes are not valid UTF-8.\n  got: z\\udcff" in refusal(tmp_path / "list.json")
    paths, strange = [tmp_path / name for name in ("a.png", "b.png")], tmp_path / os.fsdecode(b"c\xff.png")
    assert list_paths([*paths, strange], ["x", "y", "y"]).left_out[0].reason == "its name is not valid UTF-8: rename it"
    with pytest.raises(RequestError, match="Names of classes are not valid UTF-8"):
        list_paths(paths, ["x", "y\ud800"])
