"""Many photo sets, many ways to make a classifier of each: held-out accuracy, time, mean ranks; one page with a picture.

    python -m benchmarks.many_sets FOLDER [FOLDER ...] [--contenders NAME ...] [--work DIR] [--section]

A FOLDER holds `train` and `test` or `val`, or class folders alone: then a share of every class is held out by the program's
own seeded draw, once, for everyone. All contenders get the same table of photos, learn from the same ones (photos of a `val`
beside a `test` are nobody's) and answer the same ones, and their answers are counted here, not by themselves. Each is a process
of its own with empty caches, one after the other, on all cores that the machine gives; its seconds include starting and
importing. Leaks and contradictions are what `tsugiki audit` finds.

What is finished stays in --work: the same command goes on where it was interrupted; what failed is tried again. Where photos
have changed, or the words to a contender, it runs again; another version of a library is not noticed, --again asks for it.

The contenders start from the same MobileNetV2 of torchvision, in a local file, where they do not say otherwise. Their recipes
stand in the modules of `benchmarks.contenders`: each library's own defaults, or what its documents use. None was chosen by
what this table says. `pip install fastai transformers scikit-learn` brings those that the program does not need itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders.asked import Photo, read_table, write_table
from benchmarks.contenders.process import Outcome, run_contender
from benchmarks.contenders.roster import CONTENDERS, Files
from benchmarks.many_sets_page import TABLE, About, PhotoSet, write_page
from tools.same_results import MATERIAL

_ABOUT = "set.json"


def main() -> None:
    """Run what is not finished yet, and write the page after every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--again", nargs="+", choices=CONTENDERS, default=[], metavar="NAME", help="run these anew")
    parser.add_argument("--against", choices=CONTENDERS, metavar="NAME", help="whom the others are compared with")
    parser.add_argument("--work", type=Path, default=Path("runs/many_sets"), help="where results are kept")
    parser.add_argument("--weights", type=Path, default=MATERIAL / "weights", help="the folder of the networks' weights")
    parser.add_argument("--limit", type=float, metavar="MINUTES", help="that a contender may take")
    parser.add_argument("--kept", action="store_true", help="run nothing: write the page about what is finished")
    parser.add_argument("--section", action="store_true", help="write the page into RESULTS.md as well")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a contender at work ends, too
    os.environ["TSUGIKI_CACHE"] = str((asked.work / "cache").absolute())
    files = Files(asked.weights, (asked.work / "zoo.toml").absolute())
    files.write_zoo()
    sets: list[PhotoSet] = []
    results: dict[str, dict[str, Outcome]] = {}
    about = About(asked.against or asked.contenders[0], command_of(asked, parser))
    for name, folder in zip(names_of(asked.folders), asked.folders, strict=True):
        place = asked.work / name.replace("/", "__")
        place.mkdir(parents=True, exist_ok=True)
        one = prepared(name, folder, place, ("torchvision:mobilenet_v2", files.first))
        sets.append(one)
        results[name] = {} if one.failed else run_all(one, place, files, asked)
        write_page(asked.work, sets, results, about, section=asked.section)
    print(asked.work / "many_sets.md")


_NOT_ON_THE_PAGE = ("work", "again", "kept", "section")
"""Options that change nothing of what the page says."""


def command_of(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """What was typed, for who wants the same page; of folders only the last parts, which are the same on other machines."""
    words = [
        _last_parts(folder, least=name.count("/") + 1)
        for folder, name in zip(asked.folders, names_of(asked.folders), strict=True)
    ]
    for option, value in vars(asked).items():
        if option in {"folders", *_NOT_ON_THE_PAGE} or value == parser.get_default(option):
            continue
        words.append(f"--{option}")
        if value is not True:
            words += [_last_parts(each) if isinstance(each, Path) else f"{each}" for each in _several(value)]
    return shlex.join(["python", "-m", "benchmarks.many_sets", *words])


def _last_parts(path: Path, least: int = 2) -> str:
    return "/".join(path.resolve().parts[-max(2, least) :])


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [f"{value:g}" if isinstance(value, float) else value]


def names_of(folders: Sequence[Path]) -> list[str]:
    """Of each folder as many of its last parts as tell it from the others."""
    parts = [folder.resolve().parts for folder in folders]
    if len(set(parts)) < len(parts):
        raise SystemExit("a folder is named twice")
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        count = next(count for count in range(1, len(own) + 1) if all(own[-count:] != other[-count:] for other in others))
        names.append("/".join(own[-count:]))
    return names


def prepared(name: str, folder: Path, place: Path, network: tuple[str, Path | str]) -> PhotoSet:
    """The set as everyone gets it: looked at, drawn and written once, until a photo changes.

    Args:
        name: What the page calls it.
        folder: Its photos.
        place: The folder for its table and its results.
        network: What the audit looks with, and its weights.
    """
    about, state = place / _ABOUT, state_of(folder)
    if about.exists():
        kept = json.loads(about.read_text(encoding="utf-8"))
        if kept.pop("state") == state:
            return PhotoSet(**kept)
    found = look(name, folder, place, network)
    if not found.failed:
        about.write_text(json.dumps({**asdict(found), "state": state}), encoding="utf-8")
    return found


def state_of(folder: Path) -> str:
    """Changes when a file does: names, sizes and times."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        known = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{known.st_size}\0{known.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def look(name: str, folder: Path, place: Path, network: tuple[str, Path | str]) -> PhotoSet:
    """Audit the set and write its table, which is the same for everyone."""
    import tsugiki as tg
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.core.errors import TsugikiError

    try:
        audit = tg.audit(folder, backbone=load_backbone(network[0], weights=str(network[1])))
    except TsugikiError as error:
        told = str(error).replace(str(folder), name)  # a path with spaces in it can be told from words only here
        return PhotoSet(name, place.name, failed=" ".join(told.split()))
    samples = audit.samples
    if samples.task == "multi" or not samples.held_out_rows:
        return PhotoSet(name, place.name, failed="one label per photo and held-out photos are needed here")
    write_table(place / TABLE, samples)
    counts = audit.findings.summary()
    return PhotoSet(
        name,
        place.name,
        classes=len(samples.classes),
        train=len(samples.train_rows),
        test=len(samples.held_out_rows),
        drawn=samples.draw is not None,
        left_out=len(samples.left_out),
        leaks=counts["leaks"],
        contradictions=counts["contradictions"],
    )


def run_all(one: PhotoSet, place: Path, files: Files, asked: argparse.Namespace) -> dict[str, Outcome]:
    """The outcome of every contender, those kept included, one after the other."""
    table = place / TABLE
    _, test = read_table(table)
    photos = hashlib.sha256(table.read_bytes()).hexdigest()
    outcomes = {}
    for name in asked.contenders:
        contender = CONTENDERS[name]
        words = contender.words(files)
        kept = Kept(place / f"{name}.json", photos, words)
        outcome = None if name in asked.again else kept.read()
        if outcome is None and asked.kept:
            continue
        if outcome is None:
            limit = None if asked.limit is None else 60 * asked.limit
            outcome = checked(run_contender(contender.module, [table.absolute(), *words], limit=limit), test)
            kept.write(outcome)
            right = sum(given == photo.label for given, photo in zip(outcome.answers, test, strict=False))
            told = outcome.failed or f"{right / len(test):.1%} of {len(test)}"
            print(f"{one.name}, {name}: {told}, {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
        outcomes[name] = outcome
    return outcomes


def checked(outcome: Outcome, test: Sequence[Photo]) -> Outcome:
    """A contender that has not answered every photo has failed."""
    if outcome.failed or len(outcome.answers) == len(test):
        return outcome
    failed = f"answered {len(outcome.answers)} of {len(test)} photos"
    return Outcome([], outcome.seconds, outcome.cpu_seconds, outcome.load, failed)


@dataclass(frozen=True)
class Kept:
    """The file of one contender's outcome on one set.

    Attributes:
        file: Where.
        photos: Digest of the table that it is about.
        words: What the contender was asked.
    """

    file: Path
    photos: str
    words: list[str]

    def read(self) -> Outcome | None:
        """The outcome, if it is about these photos and words and no failure."""
        try:
            document = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if (document.pop("photos"), document.pop("words")) != (self.photos, self.words):
            return None
        outcome = Outcome(**document)
        return None if outcome.failed else outcome

    def write(self, outcome: Outcome) -> None:
        """Whole or not at all: an interruption leaves no half of it."""
        document = {"photos": self.photos, "words": self.words, **asdict(outcome)}
        half = self.file.with_suffix(".part")
        half.write_text(json.dumps(document), encoding="utf-8")
        half.replace(self.file)


if __name__ == "__main__":
    main()
