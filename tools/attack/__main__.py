"""Attack the program and print what was counted; exit status 1 where something did not hold.

    python -m tools.attack decoders --count 3000
    python -m tools.attack doors --count 5
    python -m tools.attack deaths --count 20
    python -m tools.attack names
    python -m tools.attack resources
    python -m tools.attack many --count 100000
    python -m tools.attack connections

The counts can be kept for docs/reliability.md: --record.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tools.attack.outcome import Outcome, is_fault
from tools.attack.records import keep

Tell = Callable[[str], object]


def _decoders(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.decoders import attack

    return attack(asked.count, first=asked.first, seed=asked.seed, jobs=asked.jobs, tell=tell)


def _doors(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.doors import attack

    return attack(asked.count, seed=asked.seed, only=tuple(asked.only), tell=tell)


def _deaths(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.deaths import attack

    with tempfile.TemporaryDirectory() as place:
        return attack(Path(place), asked.count, seed=asked.seed, only=tuple(asked.only), warm=asked.warm, tell=tell)


def _names(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.names import attack

    with tempfile.TemporaryDirectory() as place:
        return attack(Path(place), tuple(asked.only) or ("en", "ja"), tell=tell)


def _resources(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.resources import attack

    with tempfile.TemporaryDirectory() as place:
        return attack(Path(place), only=tuple(asked.only), tell=tell)


def _many(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.resources import list_many

    del tell
    with tempfile.TemporaryDirectory() as place:
        seconds, megabytes = list_many(Path(place) / "many", asked.count)
    return Outcome(Counter({"photos": asked.count, "seconds": round(seconds), "MB of memory": round(megabytes)}))


def _connections(asked: argparse.Namespace, tell: Tell) -> Outcome:
    from tools.attack.connections import attack

    del asked, tell
    with tempfile.TemporaryDirectory() as place:
        return attack(Path(place))


ATTACKS = {
    "decoders": _decoders,
    "doors": _doors,
    "deaths": _deaths,
    "names": _names,
    "resources": _resources,
    "many": _many,
    "connections": _connections,
}


def main() -> None:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.attack", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=ATTACKS)
    parser.add_argument("--count", type=int, default=20, help="files, tries per door, disturbances of each kind, or photos")
    parser.add_argument("--first", type=int, default=0, help="decoders: the number of the first file, to go on from there")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes that decode side by side")
    parser.add_argument("--only", action="append", default=[], help="doors, kinds of death, languages of names, or conditions")
    parser.add_argument("--warm", action="store_true", help="deaths: with a cache that holds compiled networks already")
    parser.add_argument("--record", action="store_true", help="keep the counts for docs/reliability.md")
    asked = parser.parse_args()
    began = time.monotonic()
    outcome = ATTACKS[asked.what](asked, lambda text: print(text, file=sys.stderr, flush=True))
    print(" / ".join(f"{name} {count:,}" for name, count in outcome.counts.items()))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.record:
        drawn = asked.what in {"decoders", "doors", "deaths"}
        how = [f"--count {asked.count}"] * (drawn or asked.what == "many") + [f"--seed {asked.seed}"] * drawn
        keep(asked.what, " ".join([*how, *["--warm"] * asked.warm]), outcome.counts)
    sys.exit(any(is_fault(name) and count for name, count in outcome.counts.items()))


if __name__ == "__main__":
    main()
