"""The verdict is McNemar's, told in one sentence; auto keeps the simpler one on a tie."""

import numpy as np
import pytest

from tsugiki.evaluation.predictions import Predictions
from tsugiki.fine_tuning.comparison import compare, verdict_sentence
from tsugiki.fine_tuning.model_selection import choice_sentence, prefers_fine_tuning
from tsugiki.fine_tuning.settings import FineTuneSettings, with_budget
from tsugiki.locale.messages import use_language


def answers(correct: list[bool], unknown: int = 0) -> Predictions:
    count = len(correct)
    labels = np.array([0] * (count - unknown) + [-1] * unknown)
    chances = np.array([[0.9, 0.1] if right else [0.1, 0.9] for right in correct])
    return Predictions(tuple(f"{row}.jpg" for row in range(count)), ("test",) * count, labels, chances, ("a", "b"))


def test_the_verdict_is_mcnemars():
    frozen = answers([True] * 20 + [False] * 10 + [True] * 2 + [False])
    tuned = answers([True] * 20 + [True] * 10 + [False] * 2 + [True], unknown=1)
    document = compare(answers([True] * 20 + [False] * 10 + [True] * 2 + [False], unknown=1), tuned)
    assert document["n"] == 32
    assert (document["only_frozen"], document["only_fine_tuned"]) == (2, 10)
    # Two-sided: twice the chance of at most 2 heads in 12 tosses.
    assert document["p_value"] == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert document["verdict"] == "helped"
    assert document["difference"] == pytest.approx(8 / 32)
    assert "helped: from 68.8%" in verdict_sentence(document)
    assert compare(tuned, answers(frozen.correct.tolist(), unknown=1))["verdict"] == "hurt"


def test_few_photos_cannot_tell():
    document = compare(answers([True, False, False]), answers([True, True, True]))
    assert document["verdict"] == "cannot tell"
    assert "cannot be told from 3" in verdict_sentence(document)
    use_language("ja")
    assert "判断できません" in verdict_sentence(document)


def test_only_photos_that_both_answered_are_compared():
    both = [True, False, True, True]
    gone = compare(answers([*both, False]), answers(both))
    assert gone == compare(answers(both), answers(both))
    assert gone["n"] == 4


@pytest.mark.parametrize(("start", "tuned", "kept"), [(0.9, 0.95, True), (0.9, 0.9, False), (0.9, 0.8, False)])
def test_auto_keeps_the_simpler_one_on_a_tie(start, tuned, kept):
    # What the kept epoch scores on the photos that chose it does not count.
    notes = {"best": {"accuracy": 1.0}, "validated": {"photos": 20, "start": start, "fine_tuned": tuned}}
    assert prefers_fine_tuning(notes) == kept
    assert ("fine-tuned classifier" in choice_sentence(notes)) == kept
    assert f"{tuned:.1%}" in choice_sentence(notes)
    assert f"{start:.1%}" in choice_sentence(notes)


def test_auto_keeps_the_simpler_one_where_nothing_can_be_judged():
    notes = {"best": {"accuracy": 1.0}, "validated": None}
    assert not prefers_fine_tuning(notes)
    assert "too few validation photos" in choice_sentence(notes)


def test_auto_has_a_budget():
    assert with_budget(FineTuneSettings()).budget == 600
    assert with_budget(FineTuneSettings(budget=100)).budget == 100
