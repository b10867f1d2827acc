"""Runs that version 0.1.0 saved, before the house was rebuilt, still load and still answer as they did.

``fixtures/run-0.1`` holds one classifier per method, on timm's ``test_efficientnet`` with random weights, learned from 36 drawn
photos by ``fit --backbone timm:test_efficientnet --weights none``; the one whose head alone learned has a temperature of 1.25,
set by hand. ``answers.json`` is what that version answered. These files stay as they are: a later format gets its own folder.
"""

import json
from pathlib import Path

import pytest
from PIL import Image

import tsugiki as tg
from tsugiki.data.synthetic.sample import draw_photo

RUNS = sorted((Path(__file__).parent / "fixtures" / "run-0.1").iterdir())


def photo_of(answer, folder):
    path = folder / f"{answer['dish']}-{answer['number']}.png"
    if answer["dish"] == "plain":  # nothing that it has seen: no dish at all
        Image.new("RGB", (200, 160), (10, 200, 240)).save(path)
    else:
        path.write_bytes(draw_photo(answer["dish"], answer["number"]))
    return path


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_an_old_run_answers_as_it_did(run, tmp_path):
    expected = json.loads((run / "answers.json").read_text(encoding="utf-8"))
    answers = tg.Classifier.load(run).predict([photo_of(answer, tmp_path) for answer in expected])
    assert [answer.label for answer in answers] == [was["label"] for was in expected]
    assert [answer.known for answer in answers] == [was["known"] for was in expected]
    for answer, was in zip(answers, expected, strict=True):
        assert answer.probabilities == pytest.approx(was["probabilities"], abs=1e-6)
        assert answer.distance == pytest.approx(was["distance"], abs=1e-5)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_what_an_old_run_says_of_itself_is_kept(run, tmp_path):
    described = json.loads((run / "classifier.json").read_text(encoding="utf-8"))
    classifier = tg.Classifier.load(tg.Classifier.load(run).save(tmp_path / "again"))
    assert classifier.classes == tuple(described["classes"])
    assert classifier.temperature == described["calibration"]["temperature"]
    assert classifier.unknown.threshold == described["unknown"]["threshold"]
    assert classifier.notes == described["trained"]
    assert classifier.notes["method"] == run.name
