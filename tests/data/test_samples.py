"""Samples from lists: roles in one place, with or without splits, groups and labels."""

import numpy as np
import pytest

from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.images.decode import check_content, is_proven_whole
from tsugiki.data.samples import UNKNOWN_CLASS, Samples


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
    with pytest.raises(RequestError, match="classes are not the classifier's"):
        samples.with_classes(("a", "b"))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"labels": ["a"]}, "labels: 20"),
        ({"labels": "ab"}, "labels: 20"),
        ({"labels": ["a", "b"] * 10, "splits": ["train"]}, "splits: 20"),
        ({"labels": ["a", "b"] * 10, "splits": ["dev"] * 20}, "no such split"),
        ({"labels": ["a", "b"] * 10, "groups": ["x"] * 21}, "groups: 20"),
    ],
)
def test_lists_that_do_not_fit_are_refused(lists, columns, words):
    with pytest.raises(RequestError, match=words):
        Samples.from_lists(lists[0], **columns)
    with pytest.raises(RequestError, match="empty"):
        Samples.from_lists([])


def test_unreadable_photos_are_drawn_without_and_classes_are_kept(lists):
    paths, labels = lists
    samples = Samples.from_lists(paths, labels)
    gone = dict.fromkeys(samples.rows_of("test")[:3], "cut off")
    kept = samples.without_unreadable(gone)
    alone = [row for row in range(20) if row not in gone]
    again = Samples.from_lists([paths[row] for row in alone], [labels[row] for row in alone])
    assert kept.splits == again.splits
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
