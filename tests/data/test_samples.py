"""Samples from lists: roles in one place, with or without splits, groups and labels."""

import numpy as np
import pandas as pd
import pytest

from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.images.decode import check_content, is_proven_whole
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.inspection.audit import audit


@pytest.fixture
def lists(put):
    names = [f"{name}/{number}.png" for name in "ab" for number in range(10)]
    root = put(*names)
    return [root / name for name in names], [name[0] for name in names]


def test_lists_are_split_like_a_folder(lists):
    paths, labels = lists
    samples = Samples.from_lists(paths, labels)
    assert samples.paths == paths
    assert samples.label_names() == labels
    assert samples.counts() == {"train": {"a": 8, "b": 8}, "test": {"a": 2, "b": 2}}
    assert sorted(samples.train_rows + samples.held_out_rows) == list(range(20))
    assert samples.val_rows == []


def test_splits_and_groups_are_taken_as_they_are(lists):
    paths, labels = lists
    splits = ["train", "val", "train", "train", "test"] * 4
    samples = Samples.from_lists(paths, labels, splits, [f"s{row // 2}" for row in range(20)])
    assert (samples.splits, samples.held_out, samples.draw) == (tuple(splits), "test", None)
    assert [splits[row] for row in samples.val_rows] == ["val"] * 4
    assert [splits[row] for row in samples.held_out_rows] == ["test"] * 4
    without_test = Samples.from_lists(paths, labels, ["train", "val"] * 10)
    assert (without_test.held_out, without_test.val_rows) == ("val", [])


def test_training_photos_alone_hold_nothing_out(lists):
    paths, labels = lists
    samples = Samples.from_lists(paths, labels, ["train"] * 20)
    assert (samples.held_out, samples.held_out_rows, len(samples.train_rows)) == ("", [], 20)


def test_photos_without_labels(lists):
    paths, _ = lists
    paths[3].write_bytes(b"")
    samples = Samples.from_lists(paths)
    assert (len(samples), samples.classes) == (19, ())
    assert (samples.labels == UNKNOWN_CLASS).all()
    assert [entry.reason for entry in samples.left_out] == ["empty file"]
    with pytest.raises(RequestError, match="have no labels"):
        samples.with_classes(("a", "b"))
    with pytest.raises(RequestError, match="have no labels"):
        audit(samples)
    for path in paths:
        path.write_bytes(b"")
    with pytest.raises(DataError, match="Not one photo"):
        Samples.from_lists(paths)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"labels": ["a"]}, "labels: 20"),
        ({"labels": "ab"}, "labels is no list"),
        ({"labels": ["a", "b"] * 10, "groups": ["x", ["x", "y"]] * 10}, "Entry 1 of groups holds several values"),
        ({"labels": [None, ""] * 10}, "Not one of the photos has a label"),
        ({"labels": ["a", "b"] * 10, "splits": ["train"]}, "splits: 20"),
        ({"labels": ["a", "b"] * 10, "splits": ["sometimes"] * 20}, "no such split"),
        ({"labels": ["a", "b"] * 10, "groups": ["x"] * 21}, "groups: 20"),
    ],
)
def test_lists_that_do_not_fit_are_refused(lists, columns, words):
    with pytest.raises(RequestError, match=words):
        Samples.from_lists(lists[0], **columns)
    with pytest.raises(RequestError, match="empty"):
        Samples.from_lists([])
    with pytest.raises(RequestError, match="paths is no list"):
        Samples.from_lists(str(lists[0][0]), ["a"])
    with pytest.raises(RequestError, match="Entry 1 of paths is no path"):
        Samples.from_lists([lists[0][0], float("nan")], ["a", "b"])


@pytest.mark.robust(
    "tables",
    case="columns of NumPy and pandas as lists, with their empty cells",
    right="read like lists; a photo without a label is named",
)
def test_columns_of_numpy_and_pandas_are_lists(lists):
    paths, labels = lists
    frame = pd.DataFrame({"path": paths, "label": labels, "split": ["train"] * 16 + ["test"] * 4, "group": 7})
    frame.loc[3, "label"] = None
    columns = (frame["path"], frame["label"], frame["split"], frame["group"])
    expected = Samples.from_lists([*paths[:3], *paths[4:]], [*labels[:3], *labels[4:]], ["train"] * 15 + ["test"] * 4)
    for read in (Samples.from_lists(*columns), Samples.from_lists(*(column.to_numpy() for column in columns))):
        assert (read.names, read.splits, read.label_names()) == (expected.names, expected.splits, expected.label_names())
        assert set(read.groups) == {"7"}
        assert [(entry.name, entry.reason) for entry in read.left_out] == [("a/3.png", "no label")]
    for nothing in (float("nan"), pd.NA, pd.NaT):
        assert len(Samples.from_lists(paths, [*labels[:-1], nothing], ["train"] * 20)) == 19


@pytest.mark.robust("tables", case="the same path twice in a list", right="once, and said; refused where the labels differ")
def test_a_path_that_is_named_again(lists):
    paths, labels = lists
    samples = Samples.from_lists([*paths, paths[0]], [*labels, "a"])
    assert samples.names == Samples.from_lists(paths, labels).names
    assert [(entry.name, entry.reason) for entry in samples.left_out] == [("a/0.png", "named again: the first counts")]
    with pytest.raises(RequestError, match="two labels") as told:
        Samples.from_lists([*paths, paths[0]], [*labels, "b"])
    assert "a/0.png: a, b" in str(told.value)


def test_files_on_several_drives_are_known_by_their_whole_paths(lists, monkeypatch):
    def of_two_drives(_):
        raise ValueError("Paths don't have the same drive")

    paths, labels = lists
    monkeypatch.setattr("os.path.commonpath", of_two_drives)
    samples = Samples.from_lists(paths, labels)
    assert samples.paths == paths
    assert samples.names[0] == paths[0].as_posix()


def test_photos_without_a_split_are_said_unless_all_are_asked_for(lists):
    paths, labels = lists
    some = Samples.from_lists(paths, labels, ["train", ""] * 10)
    assert (some.held_out, len(some.train_rows)) == ("", 20)
    assert some.decisions == ("Photos without a split, counted as training photos: 10.",)
    assert Samples.from_lists(paths, labels, held_out=0).decisions == ()


def test_held_out_photos_that_cannot_be_read_are_not_replaced_where_nobody_asked(lists):
    paths, labels = lists
    for path in paths[-2:]:
        path.write_bytes(b"")
    samples = Samples.from_lists(paths, labels, ["train"] * 18 + ["test"] * 2)
    assert samples.decisions == ("Not one photo of test can be read: nothing is held out.",)
    assert samples.held_out == ""


def test_the_photos_of_one_split_stay_in_it_when_one_of_them_turns_out_unreadable(lists):
    paths, labels = lists
    samples = Samples.from_lists(paths, labels)
    training = samples.of("train").without_unreadable({0: "cut off"})
    assert set(training.splits) == {"train"}
    held_out = samples.of("test").without_unreadable({0: "cut off"})
    assert set(held_out.splits) == {"test"}


def test_unreadable_photos_are_drawn_without_and_classes_are_kept(lists):
    paths, labels = lists
    samples = Samples.from_lists(paths, labels)
    gone = dict.fromkeys(samples.rows_of("test")[:3], "cut off")
    kept = samples.without_unreadable(gone)
    alone = [row for row in range(20) if row not in gone]
    again = Samples.from_lists([paths[row] for row in alone], [labels[row] for row in alone])
    assert kept.splits == again.splits
    assert kept.decisions == again.decisions
    assert "of 17 photos" in kept.decisions[0]
    assert [entry.reason for entry in kept.left_out] == ["cut off"] * 3
    with pytest.raises(DataError, match="these classes can be read: b"):
        samples.without_unreadable(dict.fromkeys(range(10, 20), "cut off"))
    fixed = Samples.from_lists(paths, labels, ["train"] * 8 + ["test"] * 2 + ["train"] * 10)
    with pytest.raises(DataError, match="No held-out photo"):
        fixed.without_unreadable({8: "cut off", 9: "cut off"})


def test_the_repr_is_short(lists):
    assert repr(Samples.from_lists(*lists)) == "<Samples: 20 photos, 2 classes (a, b); train 16, test 4>"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_whole_files_are_proven_whole_and_cut_ones_never(photo_bytes, kind):
    content = photo_bytes("a", kind)
    assert is_proven_whole(content)
    check_content(content)
    for end in np.linspace(1, len(content) - 1, 40).astype(int):
        assert not is_proven_whole(content[:end])


def test_a_changed_byte_of_a_png_is_noticed(photo_bytes):
    content = bytearray(photo_bytes("a", "PNG"))
    content[len(content) // 2] ^= 1
    assert not is_proven_whole(bytes(content))


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_what_proves_nothing_is_decoded(photo_bytes, kind):
    content = photo_bytes("a", kind)
    assert not is_proven_whole(content)
    check_content(content)


def test_copies_whose_labels_nobody_fully_knows_contradict_each_other_only_where_both_are_known(put):
    root = put("one.png", "same.png", "other.png", "more.png", "again.png")
    for copy, source in (("same.png", "one.png"), ("again.png", "more.png")):
        (root / copy).write_bytes((root / source).read_bytes())
    paths = [root / name for name in ("one.png", "same.png", "other.png", "more.png", "again.png")]
    cells = np.array([[1, np.nan], [1, 1], [0, 1], [1, 0], [0, 0]])
    samples = Samples.from_lists(paths, cells, classes=["a", "b"], held_out=0)
    said = [warning for warning in samples.warnings if "copies" in warning]
    assert len(said) == 1
    assert "different labels: 1 (more.png = again.png)" in said[0]
