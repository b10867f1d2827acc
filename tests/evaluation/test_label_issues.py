"""Planted wrong labels come first, and the list survives a trip through a spreadsheet."""

import csv
import io

import numpy as np
import pytest

from tsugiki.core.errors import DataError
from tsugiki.evaluation.label_issues import (
    Suspect,
    class_thresholds,
    confident_class,
    find_suspects,
    read_decisions,
    write_suspects,
)


@pytest.fixture
def planted():
    """200 photos of 4 classes, 10 of them labelled wrong; probabilities that know better, with noise."""
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 4
    wrong = rng.choice(200, 10, replace=False)
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + rng.integers(1, 4, 10)) % 4
    logits = rng.normal(size=(200, 4)) + 3 * np.eye(4)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities, set(wrong.tolist()), truth


def test_planted_wrong_labels_are_among_the_first(planted):
    labels, probabilities, wrong, truth = planted
    suspects = find_suspects(labels, probabilities)
    assert len({one.row for one in suspects[:20]} & wrong) >= 9
    for one in suspects:
        assert one.label == labels[one.row] != one.suggested
        if one.row in wrong and one.score > 0.8:
            assert one.suggested == truth[one.row]


def test_scores_fall_and_lie_between_0_and_1(planted):
    labels, probabilities, *_ = planted
    scores = [one.score for one in find_suspects(labels, probabilities)]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1


def test_confident_learning_equals_the_papers_loops(planted):
    labels, probabilities, *_ = planted
    thresholds = [np.mean([p[c] for p, label in zip(probabilities, labels, strict=True) if label == c]) for c in range(4)]
    assert np.allclose(class_thresholds(labels, probabilities), thresholds)
    off_the_diagonal = set()
    for row, (chances, label) in enumerate(zip(probabilities, labels, strict=True)):
        enough = [c for c in range(4) if chances[c] >= thresholds[c]]
        if enough and max(enough, key=lambda c: chances[c]) != label:
            off_the_diagonal.add(row)
    assert off_the_diagonal
    assert set(np.flatnonzero(confident_class(labels, probabilities) != labels).tolist()) == off_the_diagonal
    assert {one.row for one in find_suspects(labels, probabilities) if one.confident} == off_the_diagonal


def test_labels_that_nobody_doubts_give_no_suspects():
    labels = np.array([0, 1] * 20)
    assert find_suspects(labels, np.where(np.eye(2)[labels] > 0, 0.9, 0.1)) == []
    assert find_suspects(np.zeros(5, dtype=int), np.ones((5, 1))) == []


def test_a_class_without_photos_is_never_confident():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.1, 0.1, 0.8]] * 4)
    assert confident_class(labels, probabilities).max() <= 1


def table(tmp_path):
    suspects = [Suspect(1, 0, 1, 0.98765, confident=True), Suspect(0, 1, 0, 0.6, confident=False)]
    write_suspects(tmp_path / "suspects.csv", suspects, names=["蜂/a,b.jpg", "ants/猫.jpg"], classes=["ants", "蜂"])
    return tmp_path / "suspects.csv"


def test_an_unedited_list_changes_nothing(tmp_path):
    path = table(tmp_path)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert lines == ["path,label,suggested,score,action", "ants/猫.jpg,ants,蜂,0.9877,keep", '"蜂/a,b.jpg",蜂,ants,0.6000,keep']
    decisions = read_decisions(path)
    assert (decisions.exclude, decisions.relabel) == (frozenset(), {})


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_an_edited_list_is_understood_whatever_the_spreadsheet_made_of_it(tmp_path, separator):
    rows = [
        ["path", "label", "suggested", "score", "action"],
        ["a.jpg", "ants", "蜂", "0.9", "Relabel"],
        ["b.jpg", "蜂", "ants", "0.8", "exclude "],
        ["c.jpg", "蜂", "ants", "0.7", ""],
    ]
    (tmp_path / "s.csv").write_text("\r\n".join(separator.join(row) for row in rows), encoding="utf-8")
    decisions = read_decisions(tmp_path / "s.csv")
    assert (decisions.exclude, decisions.relabel) == (frozenset({"b.jpg"}), {"a.jpg": "蜂"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no list of suspects"),
        (b"name,score\n", "no list of suspects"),
        (b"path,suggested,action\na.jpg,,delete\n", "Line 2"),
        (b"path,suggested,action\na.jpg,,relabel\n", "Line 2"),
        (b"path,action\n\xff\x00\x81\n", "UTF-8"),
    ],
    ids=["empty", "other table", "unknown action", "relabel to nothing", "no text"],
)
def test_what_cannot_be_understood_is_said(tmp_path, content, says):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_decisions(tmp_path / "s.csv")


@pytest.mark.robust(
    "tables", case="suspects.csv saved by a Japanese spreadsheet (Shift_JIS)", right="read as what it is, and that is said"
)
def test_a_list_in_the_encoding_of_a_spreadsheet(tmp_path, capsys):
    text = "path,label,suggested,score,action\n蜂.jpg,蜂,蟻,0.9,relabel\n花.jpg,蟻,,0.8,exclude\n"
    (tmp_path / "s.csv").write_bytes(text.encode("cp932"))
    decisions = read_decisions(tmp_path / "s.csv")
    assert (decisions.exclude, decisions.relabel) == (frozenset({"花.jpg"}), {"蜂.jpg": "蟻"})
    assert "Japanese (cp932)" in capsys.readouterr().err


@pytest.mark.robust(
    "hostile",
    case="file names that begin or end with a space, a tab, a quote or a sign of a formula, in suspects.csv and back",
    right="every decision meets its photo, also where a spreadsheet has written the table anew",
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_name_comes_back_from_a_list_of_decisions(tmp_path, separator):
    odd = (" lead", "trail ", "  two", "=cmd", "'=q", "''=x", "'", "a,b", 'q"q', "a\nb", "\ttab", "\u3000wide", "+1", "\rcr")
    odd += ("a\r\nb", "a\x0bb", "a\x85b", "a\u2028b", "\ufeffbom", " '=x", "a;b", "x\\", "-1", "@a", "1e5")
    names = [*(f"{name}.jpg" for name in odd), *odd]
    table = tmp_path / "suspects.csv"
    found = [Suspect(row, label=0, suggested=1, score=0.5, confident=True) for row in range(len(names))]
    write_suspects(table, found, names=names, classes=["=a", " b"])
    rows = list(csv.reader(io.StringIO(table.read_bytes().decode("utf-8-sig"), newline="")))
    with table.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=separator).writerows([[*row[:-1], row[-1].replace("keep", "relabel")] for row in rows])
    assert read_decisions(table).relabel == dict.fromkeys(names, " b")
