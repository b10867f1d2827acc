"""New photos that are near copies of photos of a run are on their side, and what is learned from judges nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.data.samples import Samples
from tsugiki.data.splits import Draw
from tsugiki.data.synthetic.sample import draw_photo
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.training.more_photos.near_copies import with_copies_on_one_side
from tsugiki.training.more_photos.then_and_now import extended_sentence


def beside(splits, labels, groups=None):
    """Photos 0 to 7 of a run, learned from but for 6 and 7, and new ones with these splits and labels."""
    labels = [*"abababab", *labels]
    classes = tuple(sorted(set(labels)))
    return Samples(
        Path("photos"),
        tuple(f"{row}.jpg" for row in range(len(labels))),
        np.array([classes.index(label) for label in labels]),
        (*["train"] * 6, *["test"] * 2, *splits),
        classes,
        tuple(f"{row:064x}" for row in range(len(labels))),
        groups,
    )


KNOWN = frozenset(f"{row:064x}" for row in range(8))
DRAWN = Draw(42, 0.25, settled=True)


def new_splits(samples, near, draw=DRAWN):
    return with_copies_on_one_side(samples, near, known=KNOWN, draw=draw).splits[8:]


def test_near_copies_of_photos_of_before_join_their_side():
    samples = beside(["train", "train", "test", "train"], "abab")
    found = with_copies_on_one_side(samples, [(6, 8), (8, 9), (0, 10)], known=KNOWN, draw=DRAWN)
    assert found.splits[:8] == samples.splits[:8]
    assert found.splits[8:] == ("test", "test", "train", "train")
    assert "3 new photos changed sides for that. Held out now: 4 of 12 photos." in found.decisions[-1]


def test_where_nothing_is_parted_nothing_changes():
    samples = beside(["train", "test"], "ab")
    assert with_copies_on_one_side(samples, [(0, 8), (7, 9), (0, 6)], known=KNOWN, draw=DRAWN) is samples


def test_a_photo_that_is_learned_from_already_takes_its_copies_along():
    # Of 0 and 6 one is learned from, the other one held out: that leak is there. 8 is a copy of both.
    assert new_splits(beside(["test", "test"], "ab"), [(0, 6), (0, 8), (6, 8)]) == ("train", "test")


def test_what_somebody_has_held_out_is_never_learned_from():
    samples = beside(["test", "train"], "ab")
    assert new_splits(samples, [(0, 8), (7, 9)], draw=None) == ("test", "test")


def test_a_class_keeps_photos_to_learn_from():
    samples = beside(["train", "train", "train"], "cca")
    assert new_splits(samples, [(6, 8), (6, 9), (6, 10)]) == ("train", "train", "test")
    assert new_splits(samples, [(6, 8), (6, 10)]) == ("test", "train", "test")


def test_near_copies_among_new_photos_are_together_where_these_were_drawn():
    samples = beside([*["test", "train", "train", "train"] * 3], "cccc" * 3)
    near = [(row, row + 1) for row in range(8, 20) if row % 4 != 3]
    splits = new_splits(samples, near)
    assert all({*splits[start : start + 4]} in ({"train"}, {"test"}) for start in range(0, 12, 4))
    assert {*splits} == {"train", "test"}
    assert new_splits(samples, near, draw=None) == samples.splits[8:]  # as somebody has named them


def test_a_subject_has_a_side_that_copies_of_it_join():
    groups = (*["anna", *[""] * 7], "anna", "ben", "ben")
    samples = beside(["train", "test", "train"], "aab", groups)
    assert new_splits(samples, [(7, 10)]) == ("train", "test", "test")
    assert new_splits(samples, [(7, 8)]) == (
        "train",
        "test",
        "train",
    )  # anna is learned from: a copy of another is told as leak


@pytest.fixture
def run(dishes, nae, tmp_path):
    """A run on pizza and steak, and where features are kept."""
    for dish in ("pizza", "steak"):
        for split in ("train", "test"):
            shutil.copytree(dishes / split / dish, tmp_path / "old" / split / dish)
    features = FeatureSettings(store=FeatureStore(tmp_path / "features"))
    with quiet():
        tg.fit(tg.Classifier(nae, classes=("pizza", "steak")), tmp_path / "old", features=features).save(tmp_path / "run")
    return tmp_path / "run", features


@pytest.mark.robust(
    "scores", case="near copies of held-out photos among those that a run learns more from", right="never learned from"
)
def test_near_copies_of_held_out_photos_are_not_learned_from(run, tmp_path, capsys):
    folder, features = run
    new = tmp_path / "new"
    for dish in ("pizza", "steak"):
        (new / dish).mkdir(parents=True)
        for path in sorted((tmp_path / "old" / "test" / dish).iterdir()):
            with Image.open(path) as photo:
                photo.crop((1, 1, photo.width - 1, photo.height - 1)).save(new / dish / f"copy-{path.name}", quality=90)
    (new / "sushi").mkdir()
    for number in range(8):
        (new / "sushi" / f"{number}.jpg").write_bytes(draw_photo("sushi", number))
    more = tg.extend(folder, new, features=features)
    copies = {split for name, split in zip(more.samples.names, more.samples.splits, strict=True) if "copy-" in name}
    assert copies == {"test"}
    assert more.evaluation["extended"]["n"] == 12
    assert more.evaluation["extended"]["n_leaked"] == 0
    assert more.table.computed == 20 + 10  # two were drawn at once; the others are looked at fast first, and then exactly
    assert capsys.readouterr().err.count("Near copies are on one side") == 1


def test_held_out_photos_whose_subject_is_learned_from_are_not_compared(run, dishes, tmp_path, capsys):
    folder, features = run
    old = tmp_path / "old"
    rows = [(old / "test" / "pizza" / "12.jpg", "pizza", "anna"), (old / "train" / "pizza" / "00.jpg", "pizza", "anna")]
    rows += [(old / "test" / "pizza" / "13.jpg", "steak", ""), (old / "test" / "pizza" / "14.jpg", "sushi", "")]
    rows += [(path, "sushi", "") for path in sorted((dishes / "train" / "sushi").iterdir())]
    (tmp_path / "new.csv").write_text("path,label,group\n" + "\n".join(",".join(map(str, row)) for row in rows))
    told = tg.extend(folder, tmp_path / "new.csv", features=features).evaluation["extended"]
    assert [told[name] for name in ("n", "n_leaked", "n_other_classes", "n_relabelled")] == [10, 1, 1, 1]
    said = capsys.readouterr().err
    assert "Left out of this: 1 whose twin or subject is in another split." in said
    assert "Left out of this: 1 that are of new classes now." in said
    assert "Judged by their labels of now, which 1 of them did not have then." in said


def test_what_is_said_of_then_and_now_is_true_of_any_number_of_classes():
    told = {"n": 9, "before": 0.5, "after": 0.6, "classes_before": 3, "classes": 3, "p_value": 1.0, "verdict": "cannot tell"}
    assert extended_sentence(told) == "The 9 held-out photos of before: 50.0% right then, 60.0% now (no difference is proven)."
    assert "with 4 classes to choose from instead of 3" in extended_sentence({**told, "classes": 4})
    assert "mean average precision 50.0% then, 60.0% now" in extended_sentence({**told, "task": "multi"})
    assert "cannot be compared" in extended_sentence({"n": 0, "n_leaked": 9, "classes": 3, "classes_before": 3})
