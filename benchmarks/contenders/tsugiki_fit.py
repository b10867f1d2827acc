"""The program itself, with an empty cache, as its user would run it; further words go to `tsugiki fit` as they are.

Where these name a backbone, the network and the weights of the others are not given to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contenders.asked import Job, answer, read_job
from tsugiki.evaluation.predictions import Predictions


def main() -> None:
    """`tsugiki fit`, everything cold."""
    job = read_job()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        done = subprocess.run(
            [sys.executable, "-m", "tsugiki", "fit", str(job.table), *network(job), *job.words, "--out", str(run)],
            check=False,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TSUGIKI_CACHE": f"{folder}/cache"},
        )
        if done.returncode:
            raise SystemExit(done.returncode)
        found = Predictions.from_csv(run / "predictions.csv")
        chosen = choice(json.loads((run / "classifier.json").read_text(encoding="utf-8"))["trained"])
    given = dict(zip(found.names, found.probabilities.argmax(axis=1).tolist(), strict=True))
    root = job.table.parent.absolute()  # the names of photos are relative to the table's folder
    answers = {os.path.normpath(root / name): found.classes[row] for name, row in given.items()}
    answer([answers.get(os.path.normpath(photo.path), "") for photo in job.test], chosen)


def choice(trained: Mapping[str, Any]) -> str:
    """What the run decided for itself: the networks, the way of training."""
    networks = [trained["ranking"]["best"]] if "ranking" in trained else []
    method = [trained["method"]] if trained.get("asked_for") == "auto" else []
    return ", ".join(networks + method)


def network(job: Job) -> list[str]:
    """The words that name the network."""
    if "--backbone" in job.words:
        return []
    words = ["--backbone", job.network, "--weights", str(job.weights)]
    return words if job.network.startswith("torchvision:") else [*words, "--model-arg", "pad_type=same"]


if __name__ == "__main__":
    main()
