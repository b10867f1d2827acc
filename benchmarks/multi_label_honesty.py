"""Do the numbers of several labels tell the truth? Simulated photos whose true scores are known; no photos are needed.

    python -m benchmarks.multi_label_honesty [--rounds N]

How often intervals hold the true mean average precision, ours and the usual percentiles of the same draws; how often guessers
and equal classifiers are called better; how many planted wrong cells are found; what a whole evaluation costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from benchmarks.sections import table, write_section
from tsugiki.evaluation.multi_label.bootstrap import drawn_average_precisions, mean_of_classes
from tsugiki.evaluation.multi_label.cell_issues import find_cell_suspects
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.multi_label.set_ranking import compare_sets, rank
from tsugiki.evaluation.predictions import UNCHECKED

Cells = npt.NDArray[np.int8]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Photos with several labels, and a classifier of known worth.

    Attributes:
        n: Photos.
        shares: Of the photos, for each class.
        distance: In standard deviations, how much higher scores are where a photo shows a class; 0 for a guesser.
        copies: How many photos are one.
    """

    n: int
    shares: tuple[float, ...]
    distance: float
    copies: int = 1

    def photos(self, dice: np.random.Generator) -> tuple[Cells, Doubles, Rows | None]:
        """Cells and scores ``[N, K]``, and which photos are one; a photo that is hard is hard in every class."""
        own = np.repeat(np.arange(self.n // self.copies), self.copies)
        targets = (dice.random((self.n // self.copies, len(self.shares))) < self.shares).astype(np.int8)
        hard = np.sqrt(0.3) * dice.normal(size=(len(targets), 1))
        scores = targets * self.distance + np.sqrt(0.7) * dice.normal(size=targets.shape) + hard
        jitter = 0.01 * dice.normal(size=(len(own), len(self.shares)))
        return targets[own], scores[own] + jitter, own if self.copies > 1 else None

    def truth(self) -> float:
        """The mean average precision on endless photos."""
        return float(np.mean([true_average_precision(share, self.distance) for share in self.shares]))

    def __str__(self) -> str:
        shares = ", ".join(f"{share:.0%}" for share in sorted(set(self.shares)))
        once = f", each {self.copies} times" if self.copies > 1 else ""
        return f"{self.n} photos{once}, {len(self.shares)} classes of {shares}"


def true_average_precision(share: float, distance: float) -> float:
    """Of endless photos, ``share`` of which show the class, with normal scores ``distance`` apart."""
    cuts, tail = np.linspace(-8, 8 + distance, 8001), NormalDist()
    hits = share * np.array([1 - tail.cdf(cut - distance) for cut in cuts])
    alarms = (1 - share) * np.array([1 - tail.cdf(cut) for cut in cuts])
    return float(-np.trapezoid(hits / np.maximum(hits + alarms, 1e-300), hits / share))


_WORLDS = (
    World(40, (0.4,) * 3, 2),
    World(40, (0.4,) * 3, 4),
    World(100, (0.05,) * 10, 2.5),
    World(300, (0.05,) * 20, 2),
    World(200, (0.3,) * 5, 2, copies=4),
    World(500, (0.1,) * 5, 3),
    World(100, (0.05,) * 20, 1.5),
    World(1000, (0.02,) * 40, 2),
)
_GUESSERS = (World(12, (0.3,) * 3, 0), World(100, (0.05,) * 10, 0), World(200, (0.2,) * 5, 0, copies=5))


def coverage(world: World, rounds: int) -> list[str]:
    """One row: how often the interval and the percentiles hold the truth, and how wide they are."""
    truth, dice = world.truth(), np.random.default_rng(0)
    ours, percentiles = [], []
    for seed in range(rounds):
        targets, scores, groups = world.photos(dice)
        ours.append(rank(targets, scores, groups, seed=seed).interval)
        means = mean_of_classes(drawn_average_precisions(targets, scores, groups, draws=500, seed=seed))
        percentiles.append(tuple(np.nanquantile(means, [0.025, 0.975]).tolist()))
    held = [f"{np.mean([low <= truth <= high for low, high in ends]):.1%}" for ends in (ours, percentiles)]
    wide = [f"{np.mean([high - low for low, high in ends]):.3f}" for ends in (ours, percentiles)]
    return [str(world), f"{truth:.3f}", held[0], wide[0], held[1], wide[1]]


def guessing(world: World, rounds: int) -> list[str]:
    """One row: what is said of scores that know nothing."""
    dice = np.random.default_rng(1)
    found = [rank(*world.photos(dice), seed=seed) for seed in range(rounds)]
    told = [one for one in found if one.difference is not None]
    above = np.mean([(one.difference or 0) > 0 for one in told])
    return [
        str(world),
        f"{above:.0%}",
        f"{np.mean([one.verdict == 'helped' for one in told]):.1%}",
        f"{np.mean([one.near_chance for one in told]):.1%}",
    ]


def comparing(world: World, rounds: int) -> list[str]:
    """One row: how often two classifiers of the same worth are called different."""
    dice, verdicts = np.random.default_rng(2), []
    for seed in range(rounds):
        targets, scores, groups = world.photos(dice)
        noise = scores - targets * world.distance
        fresh = dice.normal(size=(world.n // world.copies, len(world.shares))).repeat(world.copies, axis=0)
        other = targets * world.distance + 0.7 * noise + 0.7 * fresh
        verdicts.append(compare_sets(targets, scores, other, groups, seed=seed).verdict)
    return [str(world), f"{np.mean([verdict != 'cannot tell' for verdict in verdicts]):.1%}"]


def planting(distance: float, rounds: int) -> list[str]:
    """One row: cells turned over, one in twenty, and how many of them are found by heads that have not seen them."""
    dice, doubted, confident, first, wrong = np.random.default_rng(3), [], [], [], 0
    for _ in range(rounds):
        targets, scores, _ = World(500, (0.1, 0.2, 0.4), distance).photos(dice)
        turned = dice.random(targets.shape) < 0.05
        given = np.where(turned, 1 - targets, targets).astype(np.int8)
        # What a calibrated head says that has learned from such labels: one in twenty is wrong whatever it sees.
        odds = np.log(np.array([0.1, 0.2, 0.4]) / np.array([0.9, 0.8, 0.6])) + distance * (scores - distance / 2)
        chances = 0.05 + 0.9 / (1 + np.exp(-odds))
        found = find_cell_suspects(given, chances).suspects
        hits = [bool(turned[one.row, one.cls]) for one in found]
        doubted += hits
        confident += [hit for hit, one in zip(hits, found, strict=True) if one.confident]
        first += hits[:30]
        wrong += int(turned.sum())
    return [
        f"{distance:g}",
        f"{sum(doubted) / wrong:.0%}",
        f"{np.mean(doubted):.0%}",
        f"{sum(confident) / wrong:.0%}",
        f"{np.mean(confident):.0%}",
        f"{np.mean(first):.0%}",
    ]


def costing(n: int, classes: int) -> list[str]:
    """One row: seconds of one core for the whole document."""
    dice = np.random.default_rng(4)
    chances = dice.random((n, classes)) ** 4
    targets = (dice.random((n, classes)) < chances).astype(np.int8)
    names, labels = tuple(map(str, range(n))), tuple(map(str, range(classes)))
    rows = MultiLabelPredictions(names, (UNCHECKED,) * n, targets, chances, np.full(classes, 0.5), labels)
    start = time.process_time()
    draws = evaluate_sets(rows, split=UNCHECKED, groups=np.arange(n) // 2)["draws"]
    return [f"{n} photos, {classes} classes", str(draws), f"{time.process_time() - start:.1f}"]


def section(rounds: int) -> str:
    """All tables as Markdown."""
    about = (
        f"`python -m benchmarks.multi_label_honesty`: simulated photos, {rounds} times each. An interval of 95% should hold "
        "the truth 95 times in 100; ours is Wilson's at the variance of the draws, its lower end without what each photo says "
        "for itself."
    )
    parts = (
        (
            about,
            ("", "true mAP", "ours holds it", "width", "percentiles hold it", "width"),
            [coverage(world, rounds) for world in _WORLDS],
        ),
        (
            "A random order of few photos scores above the share of each class, which proves nothing:",
            ("guessers", "above the share", "called better", "called close to guessing"),
            [guessing(world, rounds) for world in _GUESSERS],
        ),
        (
            "Two classifiers of the same worth:",
            ("", "called different"),
            [comparing(world, rounds) for world in (_WORLDS[0], _WORLDS[3], _WORLDS[4])],
        ),
        (
            "One cell in twenty turned over, three classes, by how far apart the scores are:",
            ("distance", "found", "of the doubted wrong", "found confidently", "of those wrong", "of the first 30 wrong"),
            [planting(distance, max(1, rounds // 20)) for distance in (2, 3, 4)],
        ),
        (
            "What a whole evaluation costs:",
            ("", "draws", "seconds of one core"),
            [costing(*size) for size in ((1_000, 20), (5_000, 80), (100_000, 80))],
        ),
    )
    return "\n\n".join(f"{told}\n\n{table(header, rows)}" for told, header, rows in parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="simulated data sets per row")
    given = parser.parse_args(arguments)
    write_section("multi_label_honesty", "Several labels per photo: are the numbers true?", section(given.rounds))


if __name__ == "__main__":
    main()
