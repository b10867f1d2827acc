"""Two processes with half a batch each do what one process does with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fine_tuning.together import last_weights

TOGETHER = Path(__file__).with_name("together.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(script: Path, photos: Path, result: Path, **variables: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]), **variables}
    words = [sys.executable, str(script), str(photos), str(result)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 0, talk[-3000:]
    return talk


def read(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def pair(photos: Path, result: Path, script: Path = TOGETHER) -> list[str]:
    """Two processes; what each of them said."""
    port = str(free_port())
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [start(script, photos, result, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(2)]
    return [finish(process) for process in started]


@pytest.mark.long
def test_two_processes_equal_one_where_photos_have_several_labels(colours, tmp_path):
    """The order of all photos is judged, whichever process has answered them."""
    pair(colours, tmp_path / "two")
    one = last_weights(colours, tmp_path / "one.checkpoints")
    first, second = (read(tmp_path / name) for name in ("two.0.pt", "two.1.pt"))
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name])
        assert float((tensor - one["weights"][name]).abs().max()) < 1e-5
    for row, other in zip(one["history"], first["history"], strict=True):
        assert abs(row["train_loss"] - other["train_loss"]) < 1e-5
        assert abs(row["val_loss"] - other["val_loss"]) < 1e-5
        assert abs(row["train_map"] - other["train_map"]) < 0.01
        assert abs(row["val_map"] - other["val_map"]) < 0.01
    assert first["validated"] == second["validated"]


@pytest.mark.long
def test_two_processes_equal_one(folder, tmp_path):
    talk = pair(folder, tmp_path / "two")
    one = last_weights(folder, tmp_path / "one.checkpoints")
    first, second = (read(tmp_path / name) for name in ("two.0.pt", "two.1.pt"))
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name])
        difference = float((tensor - one["weights"][name]).abs().max())
        assert difference < 1e-5, f"{name}: {difference}"
    for row, other in zip(one["history"], first["history"], strict=True):
        assert abs(row["train_loss"] - other["train_loss"]) < 1e-5
        assert abs(row["val_loss"] - other["val_loss"]) < 1e-5
        assert row["train_acc"] == other["train_acc"]
    # Every process knows what all of them answered to the validation photos.
    assert first["validated"] == second["validated"] == one["validated"]
    assert "epoch 2" in talk[0]
    assert "epoch 2" not in talk[1]  # only the main process talks and writes
    assert len(list((tmp_path / "two.checkpoints").rglob("state-*.pt"))) == 2

    again = pair(folder, tmp_path / "two")  # the second process has no checkpoints on its own disk
    assert "Going on in epoch 3" in again[0]
    for name, tensor in read(tmp_path / "two.1.pt")["weights"].items():
        assert torch.equal(tensor, first["weights"][name])


@pytest.mark.long
def test_one_process_of_a_machine_computes_features_for_all_and_all_agree_when_a_budget_is_spent(folder, tmp_path):
    """Each has a clock of its own; would each go by it, one would wait for the other for ever."""
    script = tmp_path / "together.py"
    script.write_text(
        "import sys, os, pathlib, torch\n"
        "from tests.fine_tuning.conftest import tiny_classifier\n"
        "from tsugiki.data.load import load\n"
        "from tsugiki.fine_tuning.request import StartingPoint\n"
        "from tsugiki.fine_tuning.fine_tune import fine_tune\n"
        "from tsugiki.fine_tuning.settings import FineTuneSettings\n"
        "from tsugiki.training.fit import fit\n"
        "torch.set_num_threads(1)\n"
        "run = fit(tiny_classifier(), sys.argv[1])\n"
        "settings = FineTuneSettings(epochs=500, patience=0, budget=1.0, compile='off', precision='float32')\n"
        "before = StartingPoint(spent=100.0 * int(os.environ['RANK']))\n"
        "tuned = fine_tune(tiny_classifier(), load(sys.argv[1]), settings, device='cpu', starting_point=before)\n"
        "told = f'{run.table.computed} {len(tuned.history)}'\n"
        "pathlib.Path(sys.argv[2], os.environ['RANK']).write_text(told)\n"
        "torch.distributed.destroy_process_group()\n"
    )
    pair(folder, tmp_path, script=script)
    (computed, epochs), (computed_too, epochs_too) = (map(int, (tmp_path / str(rank)).read_text().split()) for rank in range(2))
    assert computed > 0
    assert computed_too == 0
    assert 1 <= epochs == epochs_too < 500
