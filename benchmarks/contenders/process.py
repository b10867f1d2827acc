"""One contender on one job, in a process of its own: what it answers, and what that takes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        answers: A label per held-out photo; none where it failed.
        seconds: By the clock, imports and all.
        cpu_seconds: Of all its processes, on all cores: hardly depends on what else the machine does.
        load: Processes that wanted a core just before, by the machine's one-minute average.
        failed: Why, or nothing.
        chosen: What it decided for itself, where it had a choice.
    """

    answers: list[str]
    seconds: float
    cpu_seconds: float
    load: float
    failed: str = ""
    chosen: str = ""


def run_contender(module: str, words: Sequence[str | Path], *, limit: float | None = None) -> Outcome:
    """Run ``benchmarks.contenders.MODULE``; what libraries keep for later is kept in a folder that is thrown away.

    Args:
        module: Its name.
        words: Its command line.
        limit: Seconds that it may take.
    """
    load, used, started = os.getloadavg()[0], _cpu_seconds(), time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        code, output, errors = _run([sys.executable, "-m", f"benchmarks.contenders.{module}", *map(str, words)], cache, limit)
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - used
    if code is None:
        return Outcome([], seconds, cpu, load, f"stopped after {limit:.0f} s")
    if code:
        return Outcome([], seconds, cpu, load, reason(errors) or f"exit status {code}")
    answer = json.loads(output.strip().splitlines()[-1])
    return Outcome(answer["answers"], seconds, cpu, load, chosen=answer["chosen"])


def reason(errors: str) -> str:
    """Why a process failed, from what it wrote to standard error: a traceback's last line, or the last few lines."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return " ".join(lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines[-4:])[:500]


def _run(command: list[str], cache: str, limit: float | None) -> tuple[int | None, str, str]:
    """Exit status (none where the time was up), standard output and standard error."""
    own = {name: f"{cache}/{name}" for name in ("TSUGIKI_CACHE", "HF_HOME", "TORCH_HOME", "FASTAI_HOME")}
    environment = {**os.environ, **own, "HF_HUB_OFFLINE": "1"}
    pipe = subprocess.PIPE
    # A session of its own: what it started ends with it.
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, errors="replace", env=environment, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, "", ""
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, errors


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
