"""Which photos to label next: uncertain ones, of different kinds, none that is known already."""

import csv
import shutil

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.classifier.answer import AnswerHead, MultiLabel
from tsugiki.core.console import quiet
from tsugiki.core.errors import DataError, RequestError
from tsugiki.evaluation.metrics import unit_rows
from tsugiki.inspection.next_photos import choose_next, uncertainty, write_next


def clouds(dice, middles, count, spread=0.05):
    """``count`` features around each of ``middles``."""
    return np.concatenate([middle + spread * dice.normal(size=(count, len(middle))) for middle in middles]).astype(np.float32)


def test_chosen_photos_are_uncertain_and_of_different_kinds():
    dice = np.random.default_rng(0)
    features = clouds(dice, np.eye(4, 12), 50)
    uncertain = (0.9 + 0.05 * dice.random(200)).astype(np.float32)
    uncertain[50:100] = 0.01  # the second kind is known well
    rows, scores = choose_next(features, uncertain, None, 3)
    assert {row // 50 for row in rows} == {0, 2, 3}
    assert min(scores) > 0


def test_what_looks_like_a_known_photo_comes_late_and_copies_do_not_come_at_all():
    dice = np.random.default_rng(1)
    features = clouds(dice, np.eye(3, 12), 20)
    known = features[:20] + 0.01 * dice.normal(size=(20, 12)).astype(np.float32)
    rows, _ = choose_next(features, dice.random(60).astype(np.float32), known, 2)
    assert {row // 20 for row in rows} == {1, 2}
    copies = np.repeat(features[[25, 45]], 30, axis=0)
    rows, _ = choose_next(copies, np.ones(60, np.float32), None, 10)
    assert len(rows) == 2
    assert {row // 30 for row in rows} == {0, 1}


def test_a_photo_that_is_like_no_other_does_not_come_first():
    dice = np.random.default_rng(2)
    odd = np.zeros((1, 12), np.float32)
    odd[0, -1] = 1
    features = np.concatenate([clouds(dice, np.eye(3, 12), 30), odd])
    rows, _ = choose_next(features, np.ones(91, np.float32), None, 3)
    assert 90 not in rows


def test_the_same_photos_are_chosen_by_loops():
    """Derived again from the definition, one photo at a time."""
    dice = np.random.default_rng(3)
    features = dice.normal(size=(40, 6)).astype(np.float32)
    uncertain = dice.random(40).astype(np.float32)
    known = dice.normal(size=(5, 6)).astype(np.float32)
    unit, taken = unit_rows(features), []
    candidates = sorted(range(40), key=lambda row: -uncertain[row])[:12]
    for _ in range(3):
        best, most = -1, -1.0
        for row in set(candidates) - set(taken):
            others = [*unit_rows(known), *unit[taken]]
            away = min(1 - float(unit[row] @ other) for other in others)
            alike = sorted((float(unit[row] @ unit[other]) for other in range(40) if other != row), reverse=True)[:10]
            score = uncertain[row] * away * max(np.mean(alike), 0)
            if away > 0.2 and score > most:
                best, most = row, score
        taken.append(best)
    assert choose_next(features, uncertain, known, 3)[0] == taken


def test_uncertainty_is_the_margin_or_the_distance_to_a_threshold():
    one = AnswerHead(("a", "b", "c"), np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    chances = np.array([[0.5, 0.4, 0.1], [0.98, 0.01, 0.01]], np.float32)
    assert uncertainty(one, chances) == pytest.approx([0.9, 0.03])
    several = AnswerHead(("a", "b", "c"), one.weight, one.bias, multi_label=MultiLabel.fresh(3))
    assert uncertainty(several, np.array([[0.9, 0.45, 0.0], [0.1, 0.9, 0.1]], np.float32)) == pytest.approx([0.95, 0.6])


@pytest.fixture
def unlabelled(dishes, tmp_path):
    """Twelve new photos, one of them twice, and two that were in the training."""
    from tsugiki.data.synthetic.sample import DISHES, draw_photo

    folder = tmp_path / "new"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.jpg").write_bytes(draw_photo((*DISHES,)[number % 3], 100 + number))
    shutil.copyfile(folder / "00.jpg", folder / "copy.jpg")
    shutil.copyfile(dishes / "train" / "pizza" / "00.jpg", folder / "learned.jpg")
    shutil.copyfile(dishes / "test" / "pizza" / "12.jpg", folder / "judged.jpg")
    return folder


def test_photos_of_the_training_are_passed_over(dish_run, unlabelled, capsys):
    chosen = tg.next_photos(dish_run.classifier, unlabelled, count=50)
    names = [one.path.name for one in chosen]
    assert len(set(names)) == len(names) <= 12
    assert not {"learned.jpg", "judged.jpg"} & set(names)
    assert not {"00.jpg", "copy.jpg"} <= set(names)
    assert "was judged on them: 2 photos" in capsys.readouterr().err
    with pytest.raises(DataError, match="none to label"), quiet():
        tg.next_photos(dish_run.classifier, [unlabelled / "learned.jpg"])
    with pytest.raises(RequestError, match="no photos at"):
        tg.next_photos(dish_run.classifier, unlabelled / "nothing")
    with pytest.raises(RequestError):
        tg.next_photos(dish_run.classifier, unlabelled, count=0)


@pytest.mark.usefixtures("saved_classifier")
def test_the_engine_chooses_as_the_classifier_does(dish_run, unlabelled, tmp_path):
    from tsugiki.classifier.engine_predictor import EnginePredictor

    with quiet():
        expected = tg.next_photos(dish_run.classifier, unlabelled, count=5)
        found = tg.next_photos(EnginePredictor.load(tmp_path / "run"), unlabelled, count=5)
    assert [one.path for one in found] == [one.path for one in expected]


def test_the_table_is_labelled_and_learned_from(dish_run, dishes, unlabelled, tmp_path):
    from tsugiki.training.more_photos.further_labels import with_further

    with quiet():
        chosen = tg.next_photos(dish_run.classifier, unlabelled, count=5)
    table = tmp_path / "elsewhere" / "next.csv"
    write_next(table, chosen)
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == [""] * len(rows)
    assert [row["suggested"] for row in rows] == [one.answer.label for one in chosen]
    for row in rows[:-1]:  # the last one stays without a label
        row["label"] = "steak"
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with quiet():
        samples = tg.load(dishes)
        more = with_further(samples, table)
    assert len(more) == len(samples) + len(rows) - 1
    assert more.splits[len(samples) :] == ("train",) * (len(rows) - 1)
    assert more.held_out_rows == samples.held_out_rows
    assert all(path.is_file() for path in more.paths)
    assert f"Labels of next.csv: {len(rows) - 1} photos more to learn from" in more.decisions[-1]
    with quiet():
        run = tg.fit(tg.Classifier(dish_run.classifier.backbone, classes=more.classes), more)
        with pytest.raises(DataError, match="none to label"):
            tg.next_photos(run.classifier, [one.path for one in chosen[:-1]])


def test_a_held_out_photo_is_never_learned_from_and_a_new_class_is_refused(dishes, tmp_path):
    from tsugiki.core.errors import UnknownName
    from tsugiki.training.more_photos.further_labels import with_further

    with quiet():
        samples = tg.load(dishes)
    table = tmp_path / "more.csv"
    table.write_text(f"path,label\n{dishes / 'test' / 'pizza' / '12.jpg'},pizza\n", encoding="utf-8")
    assert with_further(samples, table).splits == samples.splits
    shutil.copyfile(dishes / "test" / "pizza" / "12.jpg", tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + b"\xff\xd9")
    table.write_text("path,label\na.jpg,pizzza\n", encoding="utf-8")
    with pytest.raises(UnknownName, match="pizzza"):
        with_further(samples, table)
