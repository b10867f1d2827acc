"""Whole processes side by side: the program against the plain recipe, fastai and Hugging Face's Trainer.

    python -m benchmarks.side_by_side DATA WEIGHTS [--runs 3] [--only tsugiki plain_recipe] [--name hymenoptera]

DATA holds `train` and `val` or `test`; WEIGHTS is a MobileNetV2 of timm with `pad_type="same"`. Contenders run in turn, so
that a slow minute of the machine hits all of them. fastai and transformers are not needed by the program: `pip install fastai
transformers` brings them.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import tsugiki as tg
from benchmarks.contenders.asked import Photo, read_table, write_table
from benchmarks.contenders.process import run_contender
from benchmarks.sections import table, write_section

CONTENDERS = {
    "tsugiki_fit": "tsugiki fit (cold store)",
    "plain_recipe": "the article's recipe, plain PyTorch",
    "fastai_head": "fastai vision_learner, frozen",
    "hf_trainer": "Hugging Face Trainer, frozen",
}
_WORDS = {"fastai_head": ["--no-augmentation"]}  # nobody else augments here, and it costs time
_NEEDS = {"fastai_head": "fastai", "hf_trainer": "transformers"}


@dataclass
class Result:
    """What several runs of one contender gave."""

    seconds: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    n: int = 0


def main() -> None:
    """Run the contenders in turn and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--name", default="")
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    options = parser.parse_args()
    present = [name for name in options.only if name not in _NEEDS or importlib.util.find_spec(_NEEDS[name])]
    results = {name: Result() for name in present}
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos.csv"
        write_table(photos, tg.load(options.data))
        _, test = read_table(photos)
        for _ in range(options.runs):
            for name, result in results.items():
                run_once(name, [photos, options.weights, "--network", "timm:mobilenetv2_100"], test, result)
    name = options.name or options.data.name
    write_section(f"side_by_side_{name}", f"Whole process on {name}", body(results, options.runs, name))


def run_once(name: str, words: list[str | Path], test: list[Photo], result: Result) -> None:
    """One run of one contender in a process of its own."""
    outcome = run_contender(name, [*words, *_WORDS.get(name, [])])
    if outcome.failed:
        raise SystemExit(f"{name} failed: {outcome.failed}")
    right = sum(given == photo.label for given, photo in zip(outcome.answers, test, strict=True))
    result.seconds.append(outcome.seconds)
    result.accuracy.append(right / len(test))
    result.n = len(test)
    print(f"{name}: {result.seconds[-1]:.1f} s, {result.accuracy[-1]:.1%}", file=sys.stderr)


def body(results: dict[str, Result], runs: int, name: str) -> str:
    """The section's text."""
    ours = results.get("tsugiki_fit")
    rows = []
    for contender, result in results.items():
        ratios = [theirs / own for theirs, own in zip(result.seconds, ours.seconds if ours else result.seconds, strict=True)]
        low, high = min(result.seconds), max(result.seconds)
        rows.append(
            (
                CONTENDERS[contender],
                f"{statistics.median(result.seconds):.1f} s ({low:.1f} to {high:.1f})",
                f"{statistics.median(ratios):.1f}x" if contender != "tsugiki_fit" else "1x",
                f"{statistics.median(result.accuracy):.1%}",
            )
        )
    text = table(
        ("whole process", "median (range)", "time against tsugiki", f"accuracy on {next(iter(results.values())).n}"), rows
    )
    command = f"python -m benchmarks.side_by_side {name} mobilenetv2_100.same_pad.safetensors --runs {runs}"
    return (
        f"{text}\n\nMobileNetV2 (timm, the same local weights for all), 5 epochs for the others, runs of each in turn: {runs}; "
        f"ratios are taken run by run. `{command}`"
    )


if __name__ == "__main__":
    main()
