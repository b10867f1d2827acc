"""Trackers: TensorBoard for real, the others through stand-ins of their packages' three calls."""

import sys
import types

import pytest
import torch

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.training.trackers import require_tracker, tracking


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for file in folder.rglob("events.*"):
        accumulator = EventAccumulator(str(file))
        accumulator.Reload()
        for tag in accumulator.Tags()["scalars"]:
            found[tag] = [(event.step, round(event.value, 4)) for event in accumulator.Scalars(tag)]
    return found


def test_tensorboard_gets_every_number_of_the_history(tmp_path):
    pytest.importorskip("tensorboard")
    with tracking("tensorboard", tmp_path, {"lr": 0.1, "backbone": "x", "layers": [1, 2], "none": None}) as tracker:
        tracker.add_row({"epoch": 1, "train_loss": 0.5, "val_acc": None, "note": "x"})
        tracker.add_row({"epoch": 2, "train_loss": 0.25, "val_acc": 1, "note": "x"})
    found = events(tmp_path)
    assert found["train_loss"] == [(1, 0.5), (2, 0.25)]
    assert found["val_acc"] == [(2, 1.0)]


def test_a_tracker_is_a_writer_for_train(tmp_path):
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from tsugiki.training.article_loop import train

    pytest.importorskip("tensorboard")
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    data = DataLoader(TensorDataset(torch.randn(6, 3, 2, 2), torch.arange(6) % 2), batch_size=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracking("tensorboard", tmp_path) as tracker:
        results = train(model, data, data, optimizer, nn.CrossEntropyLoss(), 2, "cpu", tracker)
    found = events(tmp_path)
    assert found["Loss/train_loss"] == [(epoch, round(loss, 4)) for epoch, loss in enumerate(results["train_loss"], 1)]
    assert set(found) == {"Loss/train_loss", "Loss/test_loss", "Accuracy/train_acc", "Accuracy/test_acc"}


def test_no_tracker_is_asked_for(tmp_path):
    with tracking(None, tmp_path / "new") as tracker:
        assert tracker is None
    assert not (tmp_path / "new").exists()


def test_an_unknown_tracker_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean tensorboard") as caught:
        require_tracker("tensorbord")
    assert caught.value.exit_status == 2


def test_a_tracker_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RequestError, match="pip install mlflow"):
        require_tracker("mlflow")


def test_a_tracker_is_closed_when_the_work_fails(tmp_path, monkeypatch, capsys):
    calls = []
    run = types.SimpleNamespace(
        log=lambda values, **options: calls.append((values, options["step"])), finish=lambda: calls.append("closed")
    )
    package = types.ModuleType("wandb")
    package.__spec__ = types.SimpleNamespace()
    package.init = lambda **options: calls.append(options["project"]) or run
    monkeypatch.setitem(sys.modules, "wandb", package)
    with pytest.raises(ZeroDivisionError), tracking("wandb", tmp_path) as tracker:  # noqa: PT012
        tracker.add_row({"epoch": 3, "val_acc": 0.5})
        _ = 1 / 0
    assert calls == ["tsugiki", ({"val_acc": 0.5}, 3), "closed"]
    assert "WANDB_MODE=offline" in capsys.readouterr().err
