"""``tsugiki lr`` suggests a rate for a run as it is."""

import json

import pytest

from tsugiki.classifier.classifier import Classifier
from tsugiki.cli.main import run


def first_loss(capsys: pytest.CaptureFixture[str], *words: object) -> float:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        run(["lr", *map(str, words), "--steps", "10", "--batch-size", "12", "--json"])
    assert not left.value.code
    losses: list[float] = json.loads(capsys.readouterr().out)["losses"]
    return losses[0]


def test_a_run_with_its_classes_in_another_order(dishes, dish_run, nae, tmp_path, capsys):
    own = dish_run.classifier
    turned = Classifier(nae, classes=own.classes[::-1])
    turned.head.weight.data.copy_(own.head.weight.flip(0))
    turned.head.bias.data.copy_(own.head.bias.flip(0))
    own.save(tmp_path / "own")
    turned.save(tmp_path / "turned")
    loss = first_loss(capsys, tmp_path / "own", dishes)
    assert loss < 0.7
    assert first_loss(capsys, tmp_path / "turned", dishes) == pytest.approx(loss, abs=1e-4)
