"""What a person decided about doubted labels is applied to a copy; the photos and their table stay what they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tsugiki.core.errors import DataError, RequestError, UnknownName
from tsugiki.data.load import load
from tsugiki.data.samples import Samples, with_warnings
from tsugiki.evaluation.label_issues import Decisions, Suspect, write_suspects
from tsugiki.training.corrections import apply_decisions, choose

NAMES = ("train/猫/a.jpg", "train/猫/b.jpg", "train/犬/c.jpg", "train/犬/d.jpg", "val/猫/e.jpg", "val/犬/f.jpg")


@pytest.fixture
def samples():
    splits = ("train",) * 4 + ("val",) * 2
    labels = np.array([0, 0, 1, 1, 0, 1])
    return Samples(Path("photos"), NAMES, labels, splits, ("猫", "犬"), tuple(f"{row:064x}" for row in range(6)))


def test_photos_are_left_out_and_labels_replaced_in_a_copy(samples):
    before = samples.labels.copy()
    changed = apply_decisions(samples, Decisions(frozenset({NAMES[0]}), {NAMES[2]: "猫"}))
    assert changed.names == NAMES[1:]
    assert changed.labels.tolist() == [0, 0, 1, 0, 1]
    assert [one.name for one in changed.left_out] == [NAMES[0]]
    assert len(changed.decisions) == 2
    assert samples.labels.tolist() == before.tolist()
    assert samples.left_out == ()


def test_a_photo_that_is_excluded_and_relabelled_is_excluded(samples):
    changed = apply_decisions(samples, Decisions(frozenset({NAMES[0]}), {NAMES[0]: "犬"}))
    assert NAMES[0] not in changed.names
    assert changed.labels.tolist() == [0, 1, 1, 0, 1]


@pytest.mark.robust("scores", case="a list cures what a warning was about", right="the warning is gone")
def test_what_a_list_has_cured_is_no_warning_any_more(samples):
    digests = (samples.digests[0], samples.digests[1], samples.digests[0], *samples.digests[3:])
    doubled = with_warnings(replace(samples, digests=digests))
    assert any("Exact copies with different classes: 1" in sentence for sentence in doubled.warnings)
    assert apply_decisions(doubled, Decisions(frozenset(), {NAMES[2]: "猫"})).warnings == ("Only one training photo: 犬.",)


def test_changes_of_held_out_photos_are_told(samples):
    changed = apply_decisions(samples, Decisions(frozenset(), {NAMES[5]: "猫"}))
    assert any("Held-out photos among them: 1" in sentence for sentence in changed.decisions)


def test_decisions_about_photos_that_are_gone_count_for_nothing(samples):
    changed = apply_decisions(samples, Decisions(frozenset({"train/猫/gone.jpg", NAMES[0]}), {}))
    assert len(changed) == 5


@pytest.mark.parametrize(
    ("decisions", "error"),
    [
        (Decisions(frozenset(), {NAMES[0]: "鳥"}), UnknownName),
        (Decisions(frozenset({"other/a.jpg"}), {}), RequestError),
        (Decisions(frozenset(NAMES[:2]), {}), DataError),
        (Decisions(frozenset(), {NAMES[0]: "犬", NAMES[1]: "犬"}), DataError),
        (Decisions(frozenset(NAMES[4:]), {}), DataError),
    ],
)
def test_what_cannot_be_trained_is_refused(samples, decisions, error):
    with pytest.raises(error):
        apply_decisions(samples, decisions)


def test_a_list_is_written_edited_and_chosen_from(samples, tmp_path):
    path = tmp_path / "suspects.csv"
    doubted = [Suspect(row, row // 2, 1 - row // 2, score, confident=True) for row, score in ((0, 0.9), (2, 0.7), (3, 0.6))]
    write_suspects(path, doubted, names=samples.names, classes=samples.classes)
    with pytest.raises(RequestError, match="Nothing is decided"):
        choose(exclude=path)
    text = (
        path.read_text(encoding="utf-8-sig").replace("0.9000,keep", "0.9000,exclude").replace("0.7000,keep", "0.7000,relabel")
    )
    path.write_text(text, encoding="utf-8")
    assert choose(exclude=path) == Decisions(frozenset({NAMES[0]}), {})
    assert choose(relabel=path) == Decisions(frozenset(), {NAMES[2]: "猫"})
    assert apply_decisions(samples, choose(path, path)).labels.tolist() == [0, 0, 1, 0, 1]


@pytest.mark.robust(
    "hostile", case="a photo or a class whose name begins or ends with a space in suspects.csv", right="it comes back as it is"
)
def test_spaces_around_a_name_come_back(samples, tmp_path):
    names = (" a.jpg", "a.jpg", "b.jpg ", "x/ c\n.jpg", "d\r.jpg", "e.jpg")
    spaced = replace(samples, names=names, classes=(" 猫", "犬 "))
    suspects = [Suspect(row, int(samples.labels[row]), 1 - int(samples.labels[row]), 0.9, True) for row in range(5)]  # noqa: FBT003
    path = tmp_path / "suspects.csv"
    write_suspects(path, suspects, names=names, classes=spaced.classes)
    path.write_bytes(path.read_bytes().replace(b"keep", b"relabel"))
    assert choose(relabel=path).relabel == {names[row]: spaced.classes[1 - samples.labels[row]] for row in range(5)}
    changed = apply_decisions(spaced, choose(relabel=path))
    assert changed.labels[:5].tolist() == [1 - label for label in samples.labels[:5]]
    typed = apply_decisions(samples, Decisions(frozenset(), {NAMES[2]: " 猫 "}))
    assert typed.labels[2] == 0
    assert typed.corrections[0].label == "犬"


@pytest.mark.robust("hostile", case="suspects.csv with a cell of a megabyte", right="refused in a sentence")
def test_a_cell_that_no_table_has_is_refused(tmp_path):
    path = tmp_path / "suspects.csv"
    path.write_text("path,action\n" + "x" * (1 << 20) + ",exclude\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        choose(exclude=path)


def test_a_list_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RequestError, match="There is no file"):
        choose(exclude=tmp_path / "nothing.csv")


def test_what_a_draw_may_still_change_is_not_counted(flat):
    samples = load(flat)
    held_out = samples.names[samples.held_out_rows[0]]
    changed = apply_decisions(samples, Decisions(frozenset({held_out}), {}))
    assert "Where held-out photos are among them, the score is about the photos as decided." in changed.decisions
    assert not any("Held-out photos among them:" in sentence for sentence in changed.decisions)
