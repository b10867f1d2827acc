"""Cells that are labelled wrong are found, classes that nobody can judge are left alone, and a person's changes add up."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT, parted, set_text
from tsugiki.evaluation.label_issues import read_decisions
from tsugiki.evaluation.multi_label.cell_issues import (
    CellSuspect,
    apply_changes,
    find_cell_suspects,
    unexamined_sentence,
    write_cell_suspects,
)
from tsugiki.locale.messages import speaking


def planted(seed, *, flipped=0.05, distance=4.0, n=500, shares=(0.08, 0.2, 0.4)):
    """Cells, which of them were turned over, and probabilities of heads that have not seen them."""
    dice = np.random.default_rng(seed)
    true = (dice.random((n, len(shares))) < shares).astype(np.int8)
    directions = dice.normal(size=(len(shares), 16))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    features = dice.normal(size=(n, 16)) + distance * true @ directions
    wrong = dice.random(true.shape) < flipped
    given = np.where(wrong, 1 - true, true).astype(np.int8)
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    head = LogisticRegression(C=0.1)
    answers = [cross_val_predict(head, features, column, cv=folds, method="predict_proba")[:, 1] for column in given.T]
    return given, wrong, np.stack(answers, axis=1)


@pytest.mark.robust("scores", case="several labels: one cell in twenty turned over", right="nearly all are found")
def test_planted_wrong_cells_are_found():
    doubted, sure, first, all_wrong = [], [], [], 0
    for seed in range(3):
        given, wrong, chances = planted(seed)
        suspects = find_cell_suspects(given, chances).suspects
        hits = [bool(wrong[one.row, one.cls]) for one in suspects]
        doubted += hits
        sure += [hit for hit, one in zip(hits, suspects, strict=True) if one.confident]
        first += hits[:30]
        all_wrong += wrong.sum()
    measured = {
        "recall": sum(doubted) / all_wrong,
        "precision": np.mean(doubted),
        "recall of confident ones": sum(sure) / all_wrong,
        "precision of confident ones": np.mean(sure),
        "precision of the first 30": np.mean(first),
    }
    wanted = (0.93, 0.5, 0.65, 0.8, 0.95)
    assert all(value > least for value, least in zip(measured.values(), wanted, strict=True)), measured


def test_suspects_are_those_of_loops():
    given, _, chances = planted(3, distance=3.0, n=150, shares=(0.2, 0.3, 0.5))
    given[np.random.default_rng(0).random(given.shape) < 0.2] = NOT_KNOWN
    expected = []
    for column in range(3):
        present = [chances[row, column] for row in range(150) if given[row, column] == PRESENT]
        absent = [1 - chances[row, column] for row in range(150) if given[row, column] == ABSENT]
        for row in range(150):
            chance = chances[row, column]
            if given[row, column] == PRESENT and chance < 0.5:
                expected.append((row, column, PRESENT, 1 - chance, 1 - chance >= sum(absent) / len(absent)))
            if given[row, column] == ABSENT and 1 - chance < 0.5:
                expected.append((row, column, ABSENT, chance, chance >= sum(present) / len(present)))
    found = find_cell_suspects(given, chances)
    assert found.examined == (0, 1, 2)
    assert [(one.row, one.cls, one.given, one.confident) for one in found.suspects] == [
        (row, column, cell, confident) for row, column, cell, _, confident in sorted(expected, key=lambda one: -one[3])
    ]
    assert [one.score for one in found.suspects] == pytest.approx(sorted((one[3] for one in expected), reverse=True))


def test_what_nobody_can_judge_is_not_doubted_and_said():
    given, _, chances = planted(4)
    dice = np.random.default_rng(0)
    given = np.hstack([given, np.eye(500, 1, dtype=np.int8), np.ones((500, 1), np.int8), dice.integers(0, 2, (500, 1))])
    chances = np.hstack([chances, np.full((500, 2), 0.1), dice.random((500, 1))])
    given[:250] = np.where(given[:250] == PRESENT, NOT_KNOWN, given[:250])
    chances[400:] = np.nan  # in no fold
    found = find_cell_suspects(given, chances)
    assert found.examined == (0, 1, 2)
    assert found.too_few == (3, 4)
    assert found.near_chance == (5,)
    assert len(found.suspects) > 20
    assert all(one.cls < 3 and one.row < 400 and given[one.row, one.cls] == one.given for one in found.suspects)
    said = unexamined_sentence(found, ("a", "b", "c", "d", "e", "f"))
    assert "fewer than 5 photos show the class or do not show it: d, e (2)." in said
    assert said.endswith("close to guessing: f (1).")
    with speaking("ja"):
        assert "d, e (2 個)" in unexamined_sentence(found, ("a", "b", "c", "d", "e", "f"))
    assert unexamined_sentence(find_cell_suspects(given[:, :3], chances[:, :3]), ("a", "b", "c")) == ""


def written(tmp_path, targets, suspects, *actions):
    path = tmp_path / "suspects.csv"
    write_cell_suspects(path, suspects, names=("=写真 a.jpg", " b.jpg"), targets=targets, classes=("x", "y", "c10", "c9"))
    text = path.read_text(encoding="utf-8-sig")
    for action in actions:
        text = text.replace("keep", action, 1)
    path.write_text(text, encoding="utf-8-sig")
    return path, text.splitlines()


def suspect(row, cls, given):
    return CellSuspect(row, cls, given, 0.91, confident=True)


@pytest.mark.robust(
    "tables", case="two doubted labels of one photo, both to be changed", right="both changes are made, in either order"
)
def test_the_list_is_read_and_changes_add_up(tmp_path):
    targets = np.array([[1, 0, 1, NOT_KNOWN], [0, 0, 0, 0]], np.int8)
    suspects = [suspect(0, 1, ABSENT), suspect(0, 0, PRESENT), suspect(1, 3, ABSENT)]
    path, lines = written(tmp_path, targets, suspects, "relabel", "relabel", "exclude")
    assert lines == [
        "path,label,suggested,score,action",
        "'=写真 a.jpg,c10|x,c10|x|y,0.9100,relabel",
        "'=写真 a.jpg,c10|x,c10,0.9100,relabel",
        " b.jpg,|,c9,0.9100,exclude",
    ]
    decided = read_decisions(path)
    assert decided.exclude == {" b.jpg"}
    assert list(decided.relabel) == list(decided.changes) == ["=写真 a.jpg"]
    changes = decided.changes["=写真 a.jpg"]
    assert changes == [("c10|x", "c10|x|y"), ("c10|x", "c10")]
    for rows in (changes, changes[::-1], changes * 2):
        assert apply_changes("c10|x", rows) == {"c10", "y"}
    assert apply_changes("c10|y", changes) == {"c10", "y"}  # somebody has made them already
    assert apply_changes("c10|x|z", changes) == {"c10", "y", "z"}  # of the rest nothing was said


def test_the_last_label_can_be_taken_from_a_photo(tmp_path):
    path, lines = written(tmp_path, np.array([[1, 0, 0, 0]] * 2), [suspect(0, 0, PRESENT)], "relabel")
    assert lines[1] == "'=写真 a.jpg,x,|,0.9100,relabel"
    changes = read_decisions(path).changes["=写真 a.jpg"]
    assert apply_changes("x", changes) == frozenset()
    assert (set_text(()), parted("|").present, parted(" a | b ").present) == ("|", frozenset(), {"a", "b"})


def test_changes_by_hand_that_cannot_be_made_are_refused_with_the_cure(tmp_path):
    with pytest.raises(DataError, match=r"contradict each other: y(.|\n)*keep one of these rows"):
        apply_changes("x", [("x", "x|y"), ("x|y", "x")])
    with pytest.raises(DataError, match=r"does not say(.|\n)*in label"):
        apply_changes("x", [("", "y")])
    (tmp_path / "suspects.csv").write_text("path,label,suggested,action\na.jpg,x,,relabel\n", encoding="utf-8")
    with pytest.raises(DataError, match="Line 2"):
        read_decisions(tmp_path / "suspects.csv")
