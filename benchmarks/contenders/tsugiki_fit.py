"""The program itself, with an empty feature store, as its user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders.paths import read_paths


def main() -> None:
    """`tsugiki fit`, everything cold."""
    job = read_paths()
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", job.train.parent, "--backbone", "timm:mobilenetv2_100", "--weights", job.weights]
        words += ["--model-arg", "pad_type=same", "--out", f"{folder}/run"]
        subprocess.run(
            [sys.executable, "-m", "tsugiki", *map(str, words)],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TSUGIKI_CACHE": f"{folder}/cache"},
        )
        document = json.loads((Path(folder) / "run" / "evaluation.json").read_text(encoding="utf-8"))
        sys.stdout.write(json.dumps({"accuracy": document["accuracy"], "n": document["n"]}) + "\n")


if __name__ == "__main__":
    main()
