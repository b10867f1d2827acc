"""Fine-tuning from the command line: killed, continued, judged, tidied up."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fine_tuning.conftest import draw_photos

WORDS = ("--backbone", "bundled:nae", "--method", "fine-tune", "--epochs", "4", "--batch-size", "8", "--precision", "float32")


@pytest.mark.long
def test_a_killed_fit_goes_on_and_is_judged(tmp_path, run_cli):
    photos, run = tmp_path / "写真", tmp_path / "runs" / "food"
    draw_photos(photos, train=8, test=3)
    words = ["fit", photos, "--out", run, *WORDS, "--set", "checkpoint_steps=1", "--no-flip", "--json"]
    state = _killed_after_a_checkpoint(words, tmp_path / "runs" / "food.unfinished")
    assert not run.exists()
    assert state
    done = run_cli(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert "Going on" in done.stderr
    assert "told from 9 held-out photos" in done.stderr or "Fine-tuning h" in done.stderr
    evaluation = json.loads(done.stdout)["evaluation"]
    assert evaluation["fine_tuning"] == json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["fine_tuning"]
    history = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in history] == ["epoch", "1", "2", "3", "4"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["food"]  # the checkpoints are gone
    notes = json.loads((run / "classifier.json").read_text(encoding="utf-8"))
    assert notes["trained"]["batch_norm"] == "frozen"


def _killed_after_a_checkpoint(words: list[object], folder: Path) -> bool:
    process = subprocess.Popen([sys.executable, "-m", "tsugiki", *map(str, words)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 100
        while not any(folder.glob("request-*/checkpoint.json")) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)
        return process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
