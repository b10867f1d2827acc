"""Two processes with half a batch each do what one process does with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.training.fine_tune.together import last_weights


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(photos: Path, result: Path, **variables: str) -> "subprocess.Popen[str]":
    script = Path(__file__).with_name("together.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    words = [sys.executable, str(script), str(photos), str(result)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 0, talk[-3000:]
    return talk


def read(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def test_two_processes_equal_one(folder, tmp_path):
    port = str(free_port())
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    pair = [start(folder, tmp_path / "two", RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(2)]
    one = last_weights(folder, tmp_path / "one.checkpoints")
    talk = [finish(process) for process in pair]
    first, second = (read(tmp_path / name) for name in ("two.0.pt", "two.1.pt"))
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name])
        difference = float((tensor - one["weights"][name]).abs().max())
        assert difference < 1e-5, f"{name}: {difference}"
    for row, other in zip(one["history"], first["history"], strict=True):
        assert abs(row["train_loss"] - other["train_loss"]) < 1e-5
        assert abs(row["val_loss"] - other["val_loss"]) < 1e-5
        assert row["train_acc"] == other["train_acc"]
    assert "epoch 2" in talk[0]
    assert "epoch 2" not in talk[1]  # only the main process talks and writes
    assert len(list((tmp_path / "two.checkpoints").glob("state-*.pt"))) == 2
