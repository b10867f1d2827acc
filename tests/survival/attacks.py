"""Run an attack as CI and the slow run do, in a process of its own, and read what it has counted."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def attacked(*words):
    """What ``python -m tools.attack`` prints, by what was counted; it ends with status 1 where something did not hold."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tools.attack", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    counts = (re.fullmatch(r"(.+) ([\d,]+)", part) for part in done.stdout.strip().split(" / "))
    return {found[1]: int(found[2].replace(",", "")) for found in counts if found}
