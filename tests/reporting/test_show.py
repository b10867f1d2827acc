"""``tg.show`` draws photos, whatever holds them."""

from dataclasses import replace

import pytest

import tsugiki as tg
from tsugiki.core.errors import RequestError
from tsugiki.reporting.plots import photo_grid


@pytest.fixture
def framed(monkeypatch):
    """What every grid was made of."""
    seen = []
    draw = photo_grid.draw_grid

    def watched(photos, columns):
        seen.extend(photos)
        return draw(photos, columns)

    for module in ("show_photos", "predictions_plot", "label_sets_plot"):
        monkeypatch.setattr(f"tsugiki.reporting.plots.{module}.draw_grid", watched)
    return seen


def test_photos_of_a_data_set_have_their_labels_and_every_class_its_turn(dishes, framed):
    samples = tg.load(dishes)
    tg.show(samples, count=6)
    assert sorted(one.title for one in framed) == ["pizza", "pizza", "steak", "steak", "sushi", "sushi"]
    assert {one.photo.parent.name for one in framed} == {"pizza", "steak", "sushi"}


def test_a_run_shows_its_mistakes_first(dish_run, framed):
    tg.show(dish_run, count=18)
    wrong = [one.title.startswith("✗") or "is:" in one.title for one in framed]
    assert len(framed) == 18
    assert wrong == sorted(wrong, reverse=True)
    rows = dish_run.predictions
    assert sum(wrong) == int((rows.predicted != rows.labels).sum())


def test_answers_are_shown_and_what_has_no_photo_is_named(dish_run, framed, capsys):
    paths = dish_run.samples.paths[:3]
    answers = dish_run.classifier.predict(paths)
    tg.show(answers[0])
    assert answers[0].label in framed[0].title
    tg.show([*answers, replace(answers[0], name="bad.jpg", problem="it is no photo")])
    assert len(framed) == 4
    assert "bad.jpg: it is no photo" in capsys.readouterr().err
    several = replace(answers[0], labels=("pizza", "sushi"))
    tg.show(several)
    assert "pizza" in framed[-1].title
    assert "sushi" in framed[-1].title


def test_photos_that_are_gone_are_named(dishes, tmp_path, framed, capsys):
    import shutil

    samples = tg.load(shutil.copytree(dishes, tmp_path / "photos"))
    (tmp_path / "photos" / samples.names[0]).unlink()
    tg.show(samples, count=4)
    assert len(framed) == 4
    assert samples.names[0] in capsys.readouterr().err


@pytest.mark.parametrize("what", [3, [], "photos", None])
def test_anything_else_is_refused(what):
    with pytest.raises(RequestError, match="something else"):
        tg.show(what)


def test_a_run_of_several_labels_is_shown_too(plates, nae, framed):
    run = tg.fit(tg.Classifier(nae, classes=tg.load(plates).classes, task="multi"), plates)
    tg.show(run, count=5)
    assert len(framed) == 5
