"""Killed at any moment, the same request goes on and ends with the same bits."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fine_tuning.conftest import same, state_of, tiny_classifier
from tsugiki.backbones.freezing import unfreeze
from tsugiki.core.errors import RequestError
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.request import check_request
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.trainer import Trainer

SETTINGS = FineTuneSettings(epochs=3, batch_size=8, precision="float32", patience=0, checkpoint_steps=1)


class Interrupted(BaseException):
    pass


def interrupt_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Break the training off right after its ``number``-th checkpoint."""
    write, count = Trainer.checkpoint, [0]

    def counted(trainer: Trainer) -> None:
        write(trainer)
        count[0] += 1
        if count[0] == number:
            raise Interrupted

    monkeypatch.setattr(Trainer, "checkpoint", counted)


def test_the_network_of_these_tests_draws_random_numbers():
    """Or no test could see that a step begins from the wrong seed."""
    classifier = tiny_classifier(dropout=0.5)
    unfreeze(classifier.backbone)
    classifier.train()
    photos = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(classifier(photos), classifier(photos))


@pytest.mark.parametrize("number", [1, 3, 7])
@pytest.mark.parametrize("unfreeze", ["all", "1"])
def test_a_resumed_run_equals_an_uninterrupted_one(samples, tmp_path, monkeypatch, number, unfreeze):
    settings = replace(SETTINGS, unfreeze=unfreeze, stored_views=1)
    classifier = tiny_classifier(dropout=0.5)
    alone = fine_tune(classifier, samples, settings, device="cpu")
    with monkeypatch.context() as patch:
        interrupt_at(patch, number)
        with pytest.raises(Interrupted):
            fine_tune(classifier, samples, settings, device="cpu", folder=tmp_path / "c")
    resumed = fine_tune(classifier, samples, settings, device="cpu", folder=tmp_path / "c", resume="must")
    assert same(state_of(alone.classifier), state_of(resumed.classifier))
    assert [row["val_loss"] for row in alone.history] == [row["val_loss"] for row in resumed.history]
    assert [row["train_loss"] for row in alone.history] == [row["train_loss"] for row in resumed.history]
    assert alone.notes == resumed.notes


@pytest.mark.parametrize("changed", [{"lr": 1e-4}, {"budget": 500.0}])
def test_other_settings_do_not_continue_and_destroy_nothing(samples, tmp_path, capsys, changed):
    fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=tmp_path)
    capsys.readouterr()
    fine_tune(tiny_classifier(), samples, replace(SETTINGS, **changed), device="cpu", folder=tmp_path)
    assert "belong to other photos or settings" in capsys.readouterr().err
    fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=tmp_path, resume="must")
    assert "Going on in epoch 4" in capsys.readouterr().err


def test_a_request_is_what_decides_the_result(samples):
    def asked(settings=SETTINGS, **options):
        return check_request(tiny_classifier(), samples, settings, **options)

    assert asked() == asked(replace(SETTINGS, checkpoint_steps=7, checkpoint_minutes=1.0, micro_batch=4))
    assert len({asked(), asked(replace(SETTINGS, budget=9.0)), asked(head="views"), asked(replace(SETTINGS, seed=1))}) == 4
    other = tiny_classifier()
    torch.nn.init.zeros_(other.head.weight)
    assert check_request(other, samples, SETTINGS) != asked()


def test_what_there_is_instead_of_something_to_continue_is_said(samples, tmp_path, capsys):
    def resumed(settings=SETTINGS, resume="must"):
        return fine_tune(tiny_classifier(), samples, settings, device="cpu", folder=tmp_path / "c", resume=resume)

    with pytest.raises(RequestError, match="no checkpoints at all"):
        resumed()
    assert not (tmp_path / "c").exists()
    resumed(resume="auto")
    with pytest.raises(RequestError, match="of other photos or settings"):
        resumed(replace(SETTINGS, lr=1e-4))
    for path in (tmp_path / "c").rglob("*.pt"):
        path.write_bytes(b"half")
    with pytest.raises(RequestError, match="only damaged checkpoints"):
        resumed()
    capsys.readouterr()
    resumed(resume="auto")
    said = capsys.readouterr().err
    assert "are damaged: starting anew" in said
    assert "the one before" not in said


def test_who_interrupts_is_told_that_it_goes_on(samples, tmp_path, capsys):
    def interrupt(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    for folder, told in ((tmp_path / "c", True), (None, False)):
        with pytest.raises(KeyboardInterrupt):
            fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=folder, on_epoch=interrupt)
        assert ("The same command goes on from the last checkpoint" in capsys.readouterr().err) == told
    fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=tmp_path / "c", resume="must")
    assert "Going on in epoch 2" in capsys.readouterr().err


def test_smaller_parts_may_be_asked_for_on_the_way(samples, tmp_path, monkeypatch):
    interrupt_at(monkeypatch, 3)
    with pytest.raises(Interrupted):
        fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=tmp_path)
    monkeypatch.undo()
    sizes: list[int] = []
    part = Trainer.part
    monkeypatch.setattr(Trainer, "part", lambda self, batch, *rest: (sizes.append(len(batch)), part(self, batch, *rest)))
    fine_tune(tiny_classifier(), samples, replace(SETTINGS, micro_batch=3), device="cpu", folder=tmp_path, resume="must")
    assert max(sizes) == 3


def test_how_often_checkpoints_are_written_does_not_matter(samples, tmp_path, capsys):
    fine_tune(tiny_classifier(), samples, SETTINGS, device="cpu", folder=tmp_path)
    capsys.readouterr()
    again = fine_tune(tiny_classifier(), samples, replace(SETTINGS, checkpoint_steps=0), device="cpu", folder=tmp_path)
    assert "Going on" in capsys.readouterr().err  # it was at its end already
    assert len(again.history) == 3


def kill(folder: Path, tmp_path: Path, kills: int) -> None:
    script = Path(__file__).with_name("killed.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    words = [sys.executable, str(script), str(folder), str(tmp_path), str(kills)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["faults"] == []
    assert report["kills"] >= kills


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks to be killed quickly")
def test_two_hundred_kills_leave_no_trace(folder, tmp_path):
    kill(folder, tmp_path, 200)
