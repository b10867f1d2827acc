"""Several processes train together: one writes and talks, each says why it fails."""

import json
import os
import subprocess
import sys

import pytest

from tsugiki.core import console, devices, processes


@pytest.fixture
def second(tsu, monkeypatch):
    """Run the program as the second of several processes; gives exit status, standard output and standard error."""
    for module in (devices, console):
        monkeypatch.setattr(module, "rank", lambda: 1)
    monkeypatch.setattr(console.time, "sleep", lambda _: None)
    return tsu


def test_the_second_one_reads_writes_and_deletes_nothing(second, dishes, tmp_path):
    checkpoint = tmp_path / "run.unfinished" / "request-0123456789ab" / "checkpoint.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    words = ["fit", dishes, "--backbone", "bundled:nae", "--epochs", "5", "--out", tmp_path / "run", "--json"]
    assert second(*words) == (0, "", "")
    assert not (tmp_path / "run").exists()
    assert checkpoint.read_text() == "{}"


def test_the_second_one_says_why_it_fails(second, tmp_path):
    status, out, err = second("fit", tmp_path / "gone", "--out", tmp_path / "run")
    assert (status, out) == (2, "")
    assert err.startswith("Process 1: ")
    assert "gone" in err


@pytest.mark.robust(
    "hostile", case="RANK or WORLD_SIZE left by a scheduler", right="no complete launch: said, ignored, and the run is saved"
)
@pytest.mark.parametrize(
    "foreign",
    [
        {"RANK": "1"},
        {"WORLD_SIZE": "abc"},
        {"WORLD_SIZE": "2"},
        {"RANK": "3", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1", "LOCAL_RANK": "0"},
    ],
)
def test_half_a_launch_is_none(tsu, dishes, tmp_path, monkeypatch, foreign):
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    processes._say_once.cache_clear()
    status, out, err = tsu("fit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "run")
    assert status == 0
    assert (tmp_path / "run" / "classifier.json").is_file()
    assert str(tmp_path / "run") in out + err
    told = ", ".join(f"{name}={foreign[name]}" for name in devices.LAUNCH_VARIABLES if name in foreign)
    assert err.count(f"The environment has {told}, which is no complete launch") == 1


@pytest.mark.robust("hostile", case="RANK and WORLD_SIZE without an address to meet at", right="refused, with what is missing")
def test_several_processes_that_cannot_meet_are_refused(tsu, dishes, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    status, _, err = tsu("fit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "run")
    assert status == 2
    assert "MASTER_ADDR" in err
    assert "unset RANK WORLD_SIZE" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.long
@pytest.mark.robust(
    "hostile", case="fine-tuning among a scheduler's variables", right="one process works alone and saves its run"
)
def test_fine_tuning_is_not_misled_either(run_cli, dishes, tmp_path):
    foreign = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "PMI_SIZE": "x"}
    words = ["--backbone", "bundled:nae", "--method", "fine-tune", "--unfreeze", "1", "--epochs", "1"]
    done = run_cli("fit", dishes, *words, "--device", "cpu", "--out", tmp_path / "run", **foreign)
    assert done.returncode == 0, done.stderr
    assert "WORLD_SIZE=2" in done.stderr
    assert (tmp_path / "run" / "classifier.json").is_file()


def _torchrun(*words):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "tsugiki"]
    return subprocess.run(
        [*launcher, *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["transfer", "fine-tune"])
def test_two_processes_leave_one_whole_run_and_say_it_once(dishes, tmp_path, method):
    words = ["fit", dishes, "--backbone", "bundled:nae", "--method", method, "--epochs", "2", "--device", "cpu"]
    done = _torchrun(*words, "--json", "--out", tmp_path / "runs" / "run")
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "runs" / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout)["evaluation"] == stored
    assert done.stderr.count("held-out photos answered right") == 1
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["run"]  # the checkpoints are gone


@pytest.mark.slow
def test_what_is_wrong_for_both_is_said_once(tmp_path):
    done = _torchrun("fit", tmp_path / "gone", "--out", tmp_path / "run")
    assert done.returncode != 0
    assert done.stderr.count("There is no") == 1
