"""Does ``tsugiki rank`` put networks in the right order, in time, and without doing anything twice?

    python -m benchmarks.rank PHOTOS... --weights FOLDER [--budget 20]

Six networks: three real ones of ``--weights`` (``mobilenetv2_100.same_pad``, ``mobilenet_v2.torchvision`` and
``mobilenetv1_100.same_pad.features``, each ``.safetensors``), the bundled one and two untrained ones. For each folder of
photos, every time with an empty cache:

- ranked without a budget, then every network fitted and judged on the held-out photos, which the ranking has not scored: the
  rank correlation (Spearman) of both orders; how many photos the fit with the recommended network still decodes;
- ranked in ``--budget`` seconds: how long the whole command took, and how many networks were judged;
- killed (SIGKILL) as soon as two networks are judged, and started again: how many judgements are found again, and how many
  feature vectors were computed that a ranking that is not killed does not compute.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sections import table, write_section

UNTRAINED = ("torchvision:squeezenet1_1=none", "timm:mobilenetv3_small_050=none")
NAMES = ("mobilenetv2-timm", "mobilenetv2-torchvision", "mobilenetv1-timm", "bundled:nae", *UNTRAINED)
_KILLED_AFTER = 2  # networks


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--budget", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        zoo = _zoo(Path(scratch), given.weights.resolve())
        found = [_Measured.of(folder, zoo, given.budget) for folder in given.photos]
    words = " ".join(folder.name for folder in given.photos)
    write_section(
        "rank", "Ranking networks", _body(found, given.budget, f"python -m benchmarks.rank {words} --weights WEIGHTS")
    )


def _zoo(scratch: Path, weights: Path) -> Path:
    same = '\nmodel_args = { pad_type = "same" }'
    entries = (
        (NAMES[0], "timm:mobilenetv2_100", "mobilenetv2_100.same_pad.safetensors", same),
        (NAMES[1], "torchvision:mobilenet_v2", "mobilenet_v2.torchvision.safetensors", ""),
        (NAMES[2], "timm:mobilenetv1_100", "mobilenetv1_100.same_pad.features.safetensors", same),
    )
    tables = [f'[backbone.{a}]\narchitecture = "{b}"\nweights = "{weights / c}"{d}\n' for a, b, c, d in entries]
    path = scratch / "zoo.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


@dataclass(frozen=True)
class _Measured:
    """What came of one folder of photos."""

    name: str
    scores: dict[str, tuple[float, float]]  # by network: cross-validated, held-out
    best: str
    best_held_out: float
    decoded_by_fit: int
    seconds: float
    judged_in_time: str
    found_again: int
    twice: int

    @classmethod
    def of(cls, folder: Path, zoo: Path, budget: int) -> _Measured:
        print(f"{folder.name}: ranked and fitted", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            ranked = json.loads(_finished(_started(folder, zoo, cache, "--json")))
            fitted = json.loads(_in_process(folder, zoo, cache, ranked["best"]))
            vectors = _vectors(Path(cache))
        print(f"{folder.name}: in {budget} s", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            begun = time.monotonic()
            quick = json.loads(_finished(_started(folder, zoo, cache, "--json", "--budget", str(budget))))
            seconds = time.monotonic() - begun
        print(f"{folder.name}: killed and started again", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            _killed(_started(folder, zoo, cache))
            again = json.loads(_finished(_started(folder, zoo, cache, "--json")))
            _in_process(folder, zoo, cache, again["best"])
            twice = _vectors(Path(cache)) - vectors
        scores = {row["name"]: row["score"] for row in ranked["networks"]}
        return cls(
            folder.name,
            {name: (scores[name], fitted["held_out"][name]) for name in NAMES},
            ranked["best"],
            fitted["best"],
            fitted["computed"],
            seconds,
            _told(quick["networks"]),
            sum(row["found_again"] for row in again["networks"]),
            twice,
        )


def _told(networks: Sequence[dict[str, object]]) -> str:
    """How many networks, and combinations of them, were judged on how many photos."""
    counts: dict[object, list[int]] = {}
    for row in networks:
        counts.setdefault(row["photos"], [0, 0])[row["parts"] != 1] += 1
    return ", ".join(f"{alone}{f' (+{joint} together)' if joint else ''} on {n}" for n, (alone, joint) in counts.items())


def _started(folder: Path, zoo: Path, cache: str, *words: str) -> subprocess.Popen[str]:
    named = [word for name in NAMES for word in ("--backbone", name)]
    return subprocess.Popen(
        [sys.executable, "-m", "tsugiki", "rank", str(folder), *named, "--zoo", str(zoo), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TSUGIKI_CACHE": cache, "LC_ALL": "C.UTF-8"},
    )


def _finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    if process.returncode:
        raise SystemExit(err)
    return out


def _killed(process: subprocess.Popen[str]) -> None:
    """Kill it without a warning once enough networks are judged."""
    assert process.stderr is not None  # noqa: S101 (it was asked for)
    judged = 0
    for line in process.stderr:
        judged += " training photos" in line and line.startswith(NAMES)
        if judged == _KILLED_AFTER:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()


_FIT = """
import json, sys
import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.inspection.rank.candidates import Candidate
folder, zoo, best, *names = sys.argv[1:]
with quiet():
    data = tg.load(folder)
    def fitted(name):
        parts = [Candidate.read(part, zoo).load(seed=42) for part in name.split("+")]
        from tsugiki.backbones.joined import JoinedBackbone
        root = parts[0] if len(parts) == 1 else JoinedBackbone(parts)
        return tg.fit(tg.Classifier(root, classes=data.classes), data)
    chosen = fitted(best)
    held_out = {name: fitted(name).evaluation["accuracy"] for name in names}
print(json.dumps({"computed": chosen.table.computed, "best": chosen.evaluation["accuracy"], "held_out": held_out}))
"""


def _in_process(folder: Path, zoo: Path, cache: str, best: str) -> str:
    """Fit the recommended network, then every one alone."""
    return subprocess.run(
        [sys.executable, "-c", _FIT, str(folder), str(zoo), best, *NAMES],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "TSUGIKI_CACHE": cache},
    ).stdout


def _vectors(cache: Path) -> int:
    """How many feature vectors were ever written into a store."""
    with closing(sqlite3.connect(cache / "features" / "index.sqlite")) as index:
        return int(index.execute("SELECT sum(next_row) FROM spaces").fetchone()[0])


def _body(found: Sequence[_Measured], budget: int, command: str) -> str:
    from scipy.stats import spearmanr

    orders = []
    for one in found:
        judged, held_out = zip(*one.scores.values(), strict=True)
        last = max(one.scores[name][0] for name in UNTRAINED) < min(one.scores[name][0] for name in NAMES[:4])
        orders.append(
            (
                one.name,
                f"{spearmanr(judged, held_out).statistic:.2f}",
                "yes" if last else "NO",
                one.best,
                f"{one.best_held_out:.1%}",
                f"{max(held_out):.1%}",
                str(one.decoded_by_fit),
            )
        )
    scores = [(name, *(f"{one.scores[name][0]:.1%} / {one.scores[name][1]:.1%}" for one in found)) for name in NAMES]
    work = [(one.name, f"{one.seconds:.1f}", one.judged_in_time, str(one.found_again), str(one.twice)) for one in found]
    heads = ("", "Spearman", "untrained last", "recommended", "its held-out accuracy", "best single", "decoded by fit")
    return f"""`{command}`

Cross-validated on the training photos / accuracy on the held-out ones, of each network alone:

{table(("", *(one.name for one in found)), scores)}

The order by cross-validation against the order by held-out accuracy, over these six networks; what is recommended, combinations
included; and how many photos the following fit decodes for their features:

{table(heads, orders)}

With `--budget {budget}`, an empty cache and PyTorch's start counted; and killed after {_KILLED_AFTER} networks, then started
again (vectors computed twice: those that lay in memory when it was killed):

{table(("", "seconds", "networks judged", "judgements found again", "vectors computed twice"), work)}"""


if __name__ == "__main__":
    main()
