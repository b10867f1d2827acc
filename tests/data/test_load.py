"""From candidates to samples: classes by name, splits that nothing crosses, a reason for everything left out."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.load import describe_samples, list_photos, load
from tsugiki.data.photo_index import Content, PhotoIndex
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import LeftOut, Listing


def settled(root, **options):
    listing = list_photos(root)
    return Samples.from_listing(listing, PhotoIndex().contents(listing.paths), **options)


def said(samples):
    return "\n".join((*samples.decisions, *samples.warnings))


def names_by_label(samples):
    """Class names as the label numbers say, beside those that the folders say."""
    return [(samples.classes[label], Path(name).parent.name) for label, name in zip(samples.labels, samples.names, strict=True)]


# -- reading every file once ----------------------------------------------------------------------------------------------


def test_contents_keep_the_order_and_tell_digests_from_reasons(put, photo_bytes):
    import hashlib

    root = put(*(f"a/{number}.png" for number in range(40)))
    put("a/7.png", content=b"")
    contents = PhotoIndex().contents([root / "a" / f"{number}.png" for number in range(40)] + [root / "gone.png"])
    expected = [Content(hashlib.sha256(photo_bytes(f"a/{number}.png")).hexdigest()) for number in range(40)]
    expected[7] = Content(reason="empty file")
    assert contents == [*expected, Content(reason="no such file")]
    assert PhotoIndex().contents([]) == []


def test_what_cannot_be_read_is_left_out_with_its_reason(put, put_classes, photo_bytes):
    put_classes({"train/a": 3, "train/b": 3, "val/a": 1})
    put("train/a/empty.jpg", content=b"")
    put("train/a/page.jpg", content=b"<!doctype html><html></html>")
    put("train/b/phone.jpg", content=b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom")
    put("val/a/cut.jpg", content=photo_bytes("x", "JPEG")[:-10])
    samples = settled(put())
    assert len(samples) == 7
    assert {photo.name: photo.reason for photo in samples.left_out} == {
        "train/a/empty.jpg": "empty file",
        "train/a/page.jpg": "an HTML page",
        "train/b/phone.jpg": "a video",
        "val/a/cut.jpg": "cut off: the end of the file is missing",
    }
    assert all(len(digest) == 64 for digest in samples.digests)


def test_an_all_bad_folder_stops_with_the_first_reasons(put):
    root = put(*(f"{name}/{number}.jpg" for name in "ab" for number in range(9)), content=b"")
    with pytest.raises(DataError) as caught:
        settled(root)
    assert "Not one photo" in str(caught.value)
    assert "a/0.jpg: empty file" in str(caught.value)
    assert "and 13 more" in str(caught.value)


def test_a_class_whose_photos_are_all_bad_is_no_class(put, put_classes):
    put_classes({"train/a": 2, "train/b": 2, "val/a": 1, "val/c": 1})
    samples = settled(put("train/c/1.jpg", content=b""))
    assert samples.classes == ("a", "b")
    assert LeftOut("val/c/0.png", "the class c is not among the training classes") in samples.left_out


# -- classes by name ------------------------------------------------------------------------------------------------------


def test_val_lacking_the_middle_class_shifts_nothing(put_classes):
    samples = settled(put_classes({"train/a": 2, "train/b": 2, "train/c": 2, "val/a": 1, "val/c": 2}))
    assert samples.classes == ("a", "b", "c")
    assert all(ours == folder for ours, folder in names_by_label(samples))
    assert "val has no photo of: b." in said(samples)


def test_val_with_other_classes_shifts_nothing_and_names_the_stranger(put_classes):
    samples = settled(put_classes({"train/a": 2, "train/b": 2, "train/c": 2, "val/b": 1, "val/c": 1, "val/d": 3}))
    assert samples.classes == ("a", "b", "c")
    assert all(ours == folder for ours, folder in names_by_label(samples))
    assert samples.counts()["val"] == {"a": 0, "b": 1, "c": 1}
    assert "no training photo has their class (d): 3." in said(samples)
    assert LeftOut("val/d/0.png", "the class d is not among the training classes") in samples.left_out
    assert samples.labels.min() >= 0


def test_classes_are_in_natural_order(put_classes):
    assert settled(put_classes({"c10": 2, "c9": 2, "猫": 2})).classes == ("c9", "c10", "猫")


@pytest.mark.parametrize(
    ("counts", "what"),
    [
        ({"a": 5}, "There is only one class."),
        ({"train/a": 5, "val/b": 2}, "There is only one class."),
        ({"test/a": 5, "test/b": 2}, "There are no training photos."),
    ],
)
def test_what_nothing_can_be_learned_from(put_classes, counts, what):
    with pytest.raises(DataError, match=what):
        settled(put_classes(counts))


def test_held_out_photos_of_other_classes_only(put_classes):
    with pytest.raises(DataError) as caught:
        settled(put_classes({"train/a": 2, "train/b": 2, "val/A": 1, "val/x": 1}))
    text = str(caught.value)
    assert "no held-out photos of the training classes" in text
    assert "allowed: a, b" in text
    assert "the class A is not among the training classes" in text


def test_too_few_photos_to_hold_any_out(put_classes):
    with pytest.raises(DataError, match="give every class two photos or more"):
        settled(put_classes({"a": 1, "b": 1}))


@pytest.mark.parametrize(
    ("group", "counts"),
    [(lambda _name, _number: "all", "a: 1, b: 1"), (lambda name, _number: f"only-{name}", "a: 1, b: 1")],
)
def test_groups_that_keep_everything_together_are_named(put, put_classes, group, counts):
    put_classes({"a": 4, "b": 4})
    rows = [f"{name}/{number}.png,{name},{group(name, number)}" for name in "ab" for number in range(4)]
    root = put("list.csv", content="\n".join(["path,label,group", *rows]).encode())
    with pytest.raises(DataError, match="the groups keep") as caught:
        settled(root / "list.csv")
    assert caught.value.got.endswith(counts)
    assert "column split" in caught.value.cure


def test_copies_that_keep_everything_together_are_named(put, photo_bytes):
    for name in "ab":
        put(*(f"{name}/{number}.png" for number in range(3)), content=photo_bytes(name))
    with pytest.raises(DataError, match="exact copies") as caught:
        settled(put())
    assert caught.value.got.endswith("a: 1, b: 1")


def test_a_val_folder_that_is_all_bad_is_replaced_and_said(put, put_classes):
    put_classes({"train/a": 5, "train/b": 5})
    samples = settled(put("val/a/1.png", "val/b/1.png", content=b""))
    assert samples.counts()["test"] == {"a": 1, "b": 1}
    assert "Held out for testing: 2 of 10" in said(samples)
    assert "Not one photo of val can be read: others are held out instead." in said(samples)
    assert len(samples.left_out) == 2


@pytest.mark.parametrize("share", [1, -0.5, 20])
def test_the_share_is_a_share(put_classes, share):
    with pytest.raises(RequestError, match="share"):
        settled(put_classes({"a": 2, "b": 2}), held_out=share)


# -- holding photos out ---------------------------------------------------------------------------------------------------


def test_a_flat_folder_is_split_in_proportion_and_says_so(put_classes):
    samples = settled(put_classes({"a": 50, "b": 10, "c": 2, "d": 1}))
    assert samples.counts()["test"] == {"a": 10, "b": 2, "c": 1, "d": 0}
    assert samples.held_out == "test"
    assert "Held out for testing: 13 of 63 photos (seed 42)" in said(samples)
    assert "test has no photo of: d." in said(samples)
    assert "Only one training photo: c, d." in said(samples)


def test_train_alone_is_split_in_manifests_too(put, put_classes):
    put_classes({"a": 10, "b": 10})
    rows = [f"{name}/{number}.png,{name},train" for name in "ab" for number in range(10)]
    root = put("list.csv", content="\n".join(["path,label,split", *rows]).encode())
    assert settled(root / "list.csv").counts()["test"] == {"a": 2, "b": 2}


def test_rows_without_a_split_train_where_others_are_held_out(put, put_classes):
    put_classes({"a": 2, "b": 2})
    table = "path,label,split\na/0.png,a,\na/1.png,a,test\nb/0.png,b,\nb/1.png,b,train\n"
    samples = settled(put("list.csv", content=table.encode()) / "list.csv")
    assert samples.splits == ("train", "test", "train", "train")
    assert "Photos without a split, counted as training photos: 2." in said(samples)


def test_the_seed_decides_and_nothing_else(put_classes):
    root = put_classes({"a": 30, "b": 30})
    assert settled(root, seed=1).splits == settled(root, seed=1).splits
    assert settled(root, seed=1).splits != settled(root, seed=2).splits


def test_adding_photos_moves_hardly_any_other(put_classes):
    before = settled(put_classes({"a": 100, "b": 100}))
    after = settled(put_classes({"a": 110, "b": 110}))
    later = dict(zip(after.names, after.splits, strict=True))
    moved = sum(split != later[name] for name, split in zip(before.names, before.splits, strict=True))
    assert moved <= 8


def test_moving_and_renaming_the_folder_changes_nothing(put_classes, tmp_path):
    root = put_classes({"a": 20, "b": 20})
    before = settled(root)
    root.rename(tmp_path / "moved")
    assert settled(tmp_path / "moved").splits == before.splits


def parts_that_belong_together(digests, groups):
    """By the slowest way: spread every row's mark to its neighbours until nothing changes."""
    marks = list(range(len(digests)))
    changed = True
    while changed:
        changed = False
        for a in range(len(marks)):
            for b in range(a):
                near = digests[a] == digests[b] or (groups is not None and groups[a] != "" and groups[a] == groups[b])
                if near and marks[a] != marks[b]:
                    marks[a] = marks[b] = min(marks[a], marks[b])
                    changed = True
    return [[row for row, mark in enumerate(marks) if mark == part] for part in set(marks)]


def leaves_training(part, labels):
    inside = [labels[row] for row in part]
    return all(inside.count(name) < labels.count(name) for name in inside)


@pytest.mark.parametrize("trial", range(60))
def test_whatever_comes_the_split_keeps_its_promises(trial):
    dice = random.Random(trial)  # noqa: S311
    count = dice.randint(4, 120)
    labels = [dice.choice("abcd"[: dice.randint(2, 4)]) for _ in range(count)]
    labels[:2] = ["a", "b"]
    digests = [f"{dice.randrange(count * 2):064x}" for _ in range(count)]
    groups = tuple(dice.choice(["", *(f"g{n}" for n in range(count // 3))]) for _ in range(count)) if trial % 2 else None
    listing = Listing(Path(), tuple(f"{n}.png" for n in range(count)), tuple(labels), ("",) * count, groups)
    contents = [Content(digest) for digest in digests]
    if not any(leaves_training(part, labels) for part in parts_that_belong_together(digests, groups)):
        with pytest.raises(DataError):
            Samples.from_listing(listing, contents, seed=trial, held_out=0.25)
        return
    samples = Samples.from_listing(listing, contents, seed=trial, held_out=0.25)

    assert samples.names == listing.names, "order is kept and nothing is lost"
    assert [samples.classes[label] for label in samples.labels] == labels
    sides: dict[tuple[str, str], str] = {}
    for digest, group, split in zip(digests, groups or [""] * count, samples.splits, strict=True):
        assert sides.setdefault(("digest", digest), split) == split
        assert not group or sides.setdefault(("group", group), split) == split
    train = {label for label, split in zip(labels, samples.splits, strict=True) if split == "train"}
    assert train == set(labels), "no class is without training photos"
    if groups is None:  # copies are rare here: the share must be nearly exact
        for name, total in Counter(labels).items():
            held = sum(label == name and split == "test" for label, split in zip(labels, samples.splits, strict=True))
            assert abs(held - max(1, total * 0.25)) <= 2 or total < 3


def test_subjects_are_held_out_whole(put):
    rows = ["path,label,group"]
    for subject in range(10):
        for number in range(5):
            label = "ab"[subject % 2]
            put(f"{subject}/{number}.png")
            rows.append(f"{subject}/{number}.png,{label},{subject}")
    samples = settled(put("list.csv", content="\n".join(rows).encode()) / "list.csv")
    sides = {group: {s for g, s in zip(samples.groups, samples.splits, strict=True) if g == group} for group in samples.groups}
    assert all(len(side) == 1 for side in sides.values())
    assert samples.counts()["test"] == {"a": 5, "b": 5}


# -- what a person should know --------------------------------------------------------------------------------------------


def test_copies_across_given_splits_are_a_leak(put_classes, put, photo_bytes):
    put_classes({"train/a": 3, "train/b": 3, "val/a": 2, "val/b": 2})
    samples = settled(put("val/a/same.png", content=photo_bytes("train/a/1.png")))
    assert "Leak: exact copies of training photos in val: 1 (val/a/same.png = train/a/1.png)" in said(samples)
    assert "val/a/same.png" in samples.names, "it is said, and the person decides"


def test_groups_across_given_splits_are_a_leak(put, put_classes):
    put_classes({"x": 6})
    rows = [f"x/{n}.png,{'ab'[n % 2]},{'train' if n < 4 else 'val'},{'tama' if n in {0, 4} else ''}" for n in range(6)]
    root = put("list.csv", content="\n".join(["path,label,split,group", *rows]).encode())
    assert "Leak: photos in val whose group is in train too: 1 (tama)." in said(settled(root / "list.csv"))


def test_one_picture_with_two_classes_is_named(put_classes, put, photo_bytes):
    put_classes({"a": 5, "b": 5})
    samples = settled(put("b/wrong.png", content=photo_bytes("a/1.png")))
    assert "Exact copies with different classes: 1 (a/1.png = b/wrong.png)." in said(samples)
    split = dict(zip(samples.names, samples.splits, strict=True))
    assert split["a/1.png"] == split["b/wrong.png"]


def test_clean_data_raise_no_alarm(put_classes):
    assert said(settled(put_classes({"train/a": 3, "train/b": 3, "val/a": 2, "val/b": 2}))) == ""


# -- the whole story ------------------------------------------------------------------------------------------------------


def test_load_says_what_was_decided(put_classes, put, capsys):
    put_classes({"train/猫": 12, "train/dog": 3, "val/dog": 1, "val/猫": 1})
    root = put(*(f"train/dog/bad{number}.png" for number in range(12)), content=b"")
    samples = load(root)
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err == describe_samples(samples) + "\n"
    lines = heard.err.splitlines()
    assert lines[0] == "17 photos, 2 classes"
    assert lines[1:5] == ["       train  val", "  dog      3    1", "  猫      12    1", "  all     15    2"]
    assert "  train/dog/bad0.png: empty file" in lines
    assert lines[-1] == "  ... and 2 more"


def test_many_classes_are_told_in_a_page(put_classes):
    samples = settled(put_classes({f"c{number}": 2 for number in range(50)}))
    text = describe_samples(samples)
    assert "50 classes" in text
    assert "... and 20 more" in text
    assert len(text.splitlines()) < 45


def test_real_photos_and_the_placeholder_among_them(material):
    samples = load(material / "data" / "hymenoptera")
    assert samples.counts() == {"train": {"ants": 124, "bees": 121}, "val": {"ants": 70, "bees": 83}}
    assert "Odd: train/ants/imageNotFound.gif, among 397 JPEG files." in said(samples)
    assert samples.left_out == ()
    assert np.array_equal(np.unique(samples.labels), [0, 1])


def test_importing_the_floor_is_light():
    import subprocess
    import sys

    code = "import sys, tsugiki.data; sys.exit(' '.join({'torch', 'PIL', 'numpy'} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
