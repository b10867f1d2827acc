"""The page of ``benchmarks.many_sets``: what the contenders did on every set, in tables and one picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

from benchmarks.contenders.asked import Photo, read_table
from benchmarks.contenders.process import Outcome
from benchmarks.contenders.roster import CONTENDERS
from benchmarks.many_sets_picture import draw
from benchmarks.sections import HERE, machine, table, write_section
from tsugiki.evaluation.metrics import Bools, mcnemar, verdict, wilson

PAGE, PICTURE, TABLE = "many_sets.md", "many_sets.png", "photos.csv"

_PATH = re.compile(r"(?<![\w./])/(?:[^\s/]+/)*([^\s/]+/[^\s/]+)")

_CONDITIONS = """Every contender gets the same training photos, the same held-out photos and, where it does not say that it
takes more, the same pretrained MobileNetV2. It is a cold process of its own with empty caches; seconds are of the whole
process. CPU seconds add up all cores and depend less on what else the machine does: its load before each process was {load}."""


@dataclass(frozen=True)
class PhotoSet:
    """A set of photos, and what was found in it.

    Attributes:
        name: Of its folder.
        place: The folder below --work where its table of photos and its results are.
        classes: How many.
        train: Photos to learn from.
        test: Photos held out.
        drawn: Whether the program held them out, as the folder does not say.
        left_out: Files that do not count.
        leaks: Held-out photos that show the same as a training photo; ``None`` where nobody knows.
        contradictions: Pairs of photos that show the same and stand in two classes.
        failed: Why it cannot be used, or nothing.
    """

    name: str
    place: str
    classes: int = 0
    train: int = 0
    test: int = 0
    drawn: bool = False
    left_out: int = 0
    leaks: int | None = None
    contradictions: int = 0
    failed: str = ""


@dataclass(frozen=True)
class Score:
    """What one contender did on one set.

    Attributes:
        correct: ``[N]`` whether each held-out photo was answered right; ``None`` where it failed.
        outcome: Its time, or why it failed.
    """

    correct: Bools | None
    outcome: Outcome

    @property
    def seconds(self) -> float:
        """Of the whole process."""
        return self.outcome.seconds

    @property
    def accuracy(self) -> float | None:
        """Share of the held-out photos, if it answered them."""
        return None if self.correct is None else float(self.correct.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Where it lies with 95% confidence (Wilson)."""
        return (0.0, 1.0) if self.correct is None else wilson(int(self.correct.sum()), len(self.correct))


@dataclass(frozen=True)
class About:
    """What was asked.

    Attributes:
        against: Whom the others are compared with.
        command: That which was typed.
    """

    against: str
    command: str


Scores = dict[str, dict[str, Score]]
"""By set, then by contender."""


def scored(outcome: Outcome, test: Sequence[Photo]) -> Score:
    """An outcome against the labels of the held-out photos."""
    if outcome.failed:
        return Score(None, outcome)
    right = [given == photo.label for given, photo in zip(outcome.answers, test, strict=True)]
    return Score(np.array(right, dtype=np.bool_), outcome)


def contenders_everywhere(scores: Scores) -> list[str]:
    """Those that were run on every set, whether they failed or not: only they can be ranked."""
    sets = list(scores.values())
    return [name for name in CONTENDERS if sets and all(name in one for one in sets)]


def mean_ranks(scores: Scores) -> dict[str, float]:
    """Of those that were run on every set, 1 being the best; equals share their ranks, and who failed is last."""
    names = contenders_everywhere(scores)
    ranks: dict[str, list[float]] = {name: [] for name in names}
    for one in scores.values():
        reached = {name: accuracy if (accuracy := one[name].accuracy) is not None else -1.0 for name in names}
        for name in names:
            better = sum(other > reached[name] for other in reached.values())
            equal = sum(other == reached[name] for other in reached.values())
            ranks[name].append(better + (equal + 1) / 2)
    return {name: mean(own) for name, own in ranks.items()}


def write_page(
    folder: Path, sets: Sequence[PhotoSet], results: Mapping[str, Mapping[str, Outcome]], about: About, *, section: bool
) -> None:
    """Write the page and its picture.

    Args:
        folder: Where, and where the tables of photos are.
        sets: In order.
        results: Outcomes by set and contender.
        about: What was asked.
        section: Whether it becomes a section of ``RESULTS.md``, too.
    """
    scores: Scores = {}
    for one in sets:
        if results[one.name]:
            _, test = read_table(folder / one.place / TABLE)
            scores[one.name] = {name: scored(outcome, test) for name, outcome in results[one.name].items()}
    draw(scores, folder / PICTURE)
    title = "Many photo sets, many ways"
    text = body(sets, scores, about, picture=PICTURE)
    (folder / PAGE).write_text(f"# {title}\n\n{text}\n\n<sub>{machine()}</sub>\n", encoding="utf-8")
    if section:
        draw(scores, HERE / "results" / PICTURE)
        write_section("many_sets", title, body(sets, scores, about, picture=f"results/{PICTURE}"))


def body(sets: Sequence[PhotoSet], scores: Scores, about: About, *, picture: str) -> str:
    """The page."""
    loads = [score.outcome.load for one in scores.values() for score in one.values()]
    load = f"median {median(loads):.1f}, {min(loads):.1f} to {max(loads):.1f}" if loads else "not known"
    parts = [
        f"`{about.command}`",
        _CONDITIONS.format(load=load),
        summary(scores, about.against),
        f"![Accuracy of every contender on every set]({picture})",
        "### The sets\n\n" + table_of_sets(sets),
        *(f"### {name}\n\n{table_of(one)}" for name, one in scores.items()),
    ]
    return "\n\n".join(parts)


def summary(scores: Scores, against: str) -> str:
    """One line per contender, the best mean first; those that were not run on every set have no mean and come last."""
    ranks = mean_ranks(scores)
    names = [name for name in CONTENDERS if any(name in one for one in scores.values())]
    means = {name: mean_accuracy(scores, name) for name in names}
    rows = []
    for name in sorted(names, key=lambda name: -1.0 if (value := means[name]) is None else value, reverse=True):
        outcomes = [one[name].outcome for one in scores.values() if name in one and not one[name].outcome.failed]
        rows.append(
            (
                CONTENDERS[name].title,
                share(means[name]),
                f"{ranks[name]:.1f}" if name in ranks else "-",
                *(("", "") if name == against else (compared(scores, name, against), slower(scores, name, against))),
                f"{sum(outcome.seconds for outcome in outcomes):.0f}" if outcomes else "-",
                f"{sum(outcome.cpu_seconds for outcome in outcomes):.0f}" if outcomes else "-",
                f"{len(outcomes)} of {len(scores)}",
            )
        )
    other = CONTENDERS[against].title
    head = ("", "mean accuracy", "mean rank", f"against {other}", "time against it", "seconds", "CPU seconds", "sets finished")
    return (
        f"{table(head, rows)}\n\nRanks among those that were run on every set, the best being 1; equals share a rank, and who "
        f"failed is last. Against {other}, on the sets that both finished: mean difference in points, on how many of them the "
        "contender is told to be better, and worse (McNemar's exact test, p < 0.05); how many times the seconds, and the CPU "
        "seconds, it takes. Seconds are added up over the sets that a contender has finished."
    )


def mean_accuracy(scores: Scores, name: str) -> float | None:
    """Over all sets, if it finished all."""
    reached = [one[name].accuracy if name in one else None for one in scores.values()]
    known = [accuracy for accuracy in reached if accuracy is not None]
    return mean(known) if known and len(known) == len(reached) else None


def compared(scores: Scores, name: str, against: str) -> str:
    """Mean difference to another contender on the sets that both finished, and how often it can be told."""
    found = []
    for one in scores.values():
        own, other = (one[each].correct if each in one else None for each in (name, against))
        if own is not None and other is not None:
            found.append(mcnemar(other, own))
    if not found:
        return "-"
    told = [verdict(one) for one in found]
    return f"{100 * mean(one.difference for one in found):+.1f} ({told.count('helped')} better, {told.count('hurt')} worse)"


def slower(scores: Scores, name: str, against: str) -> str:
    """How many times the seconds of another contender, and its CPU seconds, on the sets that both finished."""
    pairs = [(one[name].outcome, one[against].outcome) for one in scores.values() if name in one and against in one]
    both = [pair for pair in pairs if not pair[0].failed and not pair[1].failed]
    if not both:
        return "-"
    seconds, cpu = (
        sum(getattr(own, what) for own, _ in both) / sum(getattr(other, what) for _, other in both)
        for what in ("seconds", "cpu_seconds")
    )
    return f"{seconds:.1f}x (CPU {cpu:.1f}x)"


def table_of_sets(sets: Sequence[PhotoSet]) -> str:
    """What the audit says of every set."""
    rows = []
    for one in sets:
        if one.failed:
            rows.append((cell(one.name), f"not usable: {why(one.failed)}", *[""] * 6))
            continue
        leaks = "not known" if one.leaks is None else str(one.leaks)
        split = "drawn here" if one.drawn else "its own"
        counts = (str(one.classes), str(one.train), str(one.test), split, leaks, str(one.contradictions), str(one.left_out))
        rows.append((cell(one.name), *counts))
    return table(("", "classes", "train", "held out", "split", "leaks", "contradictions", "files left out"), rows)


def table_of(scores: Mapping[str, Score]) -> str:
    """One set, the best contender first."""
    ranked = sorted(scores, key=lambda name: scores[name].accuracy or -1.0, reverse=True)
    best = scores[ranked[0]]
    rows = []
    for name in ranked:
        score = scores[name]
        title = f"{CONTENDERS[name].title}{f' ({cell(score.outcome.chosen)})' if score.outcome.chosen else ''}"
        if score.correct is None or best.correct is None:
            rows.append((title, f"failed: {why(score.outcome.failed)}", "", "", *_times(score)))
            continue
        low, high = score.interval
        p_value = "" if name == ranked[0] else f"{mcnemar(score.correct, best.correct).p_value:.2g}"
        rows.append((title, share(score.accuracy), f"{low:.1%} to {high:.1%}", p_value, *_times(score)))
    return table(("", "accuracy", "95% interval", "p against the best", "seconds", "CPU seconds"), rows)


def share(value: float | None) -> str:
    """In per cent."""
    return "-" if value is None else f"{value:.1%}"


def _times(score: Score) -> tuple[str, str]:
    return f"{score.outcome.seconds:.1f}", f"{score.outcome.cpu_seconds:.1f}"


def why(reason: str) -> str:
    """For a table, too: of folders of this machine only the last parts."""
    return cell(_PATH.sub(r"\1", reason))


def cell(text: str) -> str:
    """For a table: a bar would end the cell."""
    return text.replace("|", "\\|")
