"""By which rule should the best networks be chosen? On training photos alone: some are learned from, others judge the choice.

    python -m benchmarks.choosing FOLDER... --weights FOLDER [--trials 12] [--whole] [--save]

Four trained networks, alone and together, up to three at once. Per folder and trial, two thirds of its *training* photos (near
copies kept together) are cross-validated, as ``tsugiki rank`` does it; each rule chooses from these answers; what it chose is
then fitted on the two thirds and judged on the third that had no say. Held-out photos of a folder are never looked at. Regret:
by how many points the choice is worse than the combination that was best in the mean of all trials of the folder, which nobody
could have known: zero is out of reach, and less is better. Below: what was chosen by log loss once more, each network with its
stages (``NAME:multi``), and how many points that wins on the third where it is always taken, or only where the log loss falls.

With ``--whole`` all photos of a folder are drawn anew into two thirds and one third, trial by trial: how the rule that was
taken does on held-out photos, of which one draw alone has too few to tell, against every fixed choice: all combinations, and
those of the three large networks with their stages. Nothing was chosen by these tables.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tsugiki as tg
from benchmarks.sections import table, write_section
from benchmarks.several_backbones import MULTI, NETWORKS
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.evaluation.metrics import mcnemar, softmax, unit_rows, verdict
from tsugiki.features.extract import extract
from tsugiki.features.store import FeatureRows, Floats, Ints
from tsugiki.heads.linear import Labelled, fit_linear_head, judged_rows

BUNDLED = "N"
_MOST_TOGETHER = 3
_AS_GOOD = 0.005

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What one combination answered in one trial.

    Attributes:
        correct: ``[N]`` of the two thirds, cross-validated.
        losses: ``[N]`` natural logarithm, likewise.
        outer: Accuracy on the third that had no say.
    """

    correct: Ints
    losses: Floats
    outer: float

    @property
    def accuracy(self) -> float:
        """Cross-validated."""
        return float(self.correct.mean())

    @property
    def loss(self) -> float:
        """Cross-validated."""
        return float(self.losses.mean())


Trial = dict[Parts, Answers]


@dataclass(frozen=True)
class Ran:
    """All trials of a folder.

    Attributes:
        trials: What each combination answered.
        staged: With their stages, the combination with the best log loss of a greedy search; where photos are drawn from the
            whole folder, all of the three large networks, too.
    """

    trials: list[Trial]
    staged: list[Trial]

    def chosen(self) -> Floats:
        """``[trials]`` accuracy of what is recommended: the least log loss, with stages where that falls."""
        found = []
        for plain, staged in zip(self.trials, self.staged, strict=True):
            best = _by_loss(plain)
            found.append((staged if staged[best].loss < plain[best].loss else plain)[best].outer)
        return np.array(found)

    def fixed(self) -> tuple[str, Floats]:
        """The choice that, always taken, was the best in the mean, and its accuracies ``[trials]``."""
        always = {"+".join(parts): [trial[parts].outer for trial in self.trials] for parts in self.trials[0]}
        common = set.intersection(*({*trial} for trial in self.staged))
        always |= {
            "+".join(f"{one}{MULTI}" for one in parts): [trial[parts].outer for trial in self.staged] for parts in common
        }
        name = max(always, key=lambda name: float(np.mean(always[name])))
        return name, np.array(always[name])


def main() -> None:
    """Print, or save, a table of the rules' regrets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--whole", action="store_true", help="draw from all photos, held-out ones too")
    parser.add_argument("--save", action="store_true", help="write the section of RESULTS.md")
    asked = parser.parse_args()
    with quiet():
        networks, staged = _networks(asked.weights, ""), _networks(asked.weights, MULTI)
    trials = {folder.name: _ran(folder, networks, staged, asked.trials, whole=asked.whole) for folder in asked.folders}
    names = " ".join(trials)
    about = __doc__.partition("--save]")[2].strip()
    command = f"python -m benchmarks.choosing {names} --weights WEIGHTS --trials {asked.trials}{' --whole' * asked.whole}"
    body = f"`{command}`\n\n{about}\n\n{_told(trials)}"
    if asked.whole:
        body += f"\n\n{_chosen_told(trials)}"
    if asked.save:
        if asked.whole:
            write_section("choosing_whole", "Choosing networks, on held-out photos", body)
        else:
            write_section("choosing", "Choosing networks", body)
    print(body)


def _networks(weights: Path, suffix: str) -> dict[str, Backbone]:
    named = {
        short: load_backbone(f"{name}{suffix}", weights=weights / file, model_args=arguments)
        for short, (name, file, arguments) in NETWORKS.items()
    }
    return {**named, BUNDLED: load_backbone(f"bundled:nae{suffix}")}


def _told(trials: dict[str, Ran]) -> str:
    rows = []
    for name, rule in RULES.items():
        cells = []
        for ran in trials.values():
            regrets = _regrets(ran.trials, rule)
            cells.append(f"{regrets.mean():.1f} ± {regrets.std(ddof=1) / len(regrets) ** 0.5:.1f}")
        mean = np.mean([_regrets(ran.trials, rule).mean() for ran in trials.values()])
        rows.append((name, *cells, f"{mean:.2f}"))
    rules = table(("regret in points, by rule", *trials, "mean"), rows)
    return f"{rules}\n\n{_stages_told(trials)}"


def _stages_told(trials: dict[str, Ran]) -> str:
    rows = []
    for name, only_if_better in (("always", False), ("where the log loss falls", True)):
        gains = {
            folder: np.array(
                [
                    100
                    * (staged[best].outer - plain[best].outer)
                    * (staged[best].loss < plain[best].loss or not only_if_better)
                    for plain, staged, best in zip(ran.trials, ran.staged, map(_by_loss, ran.trials), strict=True)
                ]
            )
            for folder, ran in trials.items()
        }
        cells = [f"{each.mean():+.1f} ± {each.std(ddof=1) / len(each) ** 0.5:.1f}" for each in gains.values()]
        rows.append((name, *cells, f"{np.mean([each.mean() for each in gains.values()]):+.2f}"))
    return table(("points won by stages", *trials, "mean"), rows)


def _chosen_told(trials: dict[str, Ran]) -> str:
    chosen, fixed, below = [], [], []
    for ran in trials.values():
        mine, (name, always) = ran.chosen(), ran.fixed()
        lack = 100 * (always - mine)
        chosen.append(f"{mine.mean():.1%}")
        fixed.append(f"{always.mean():.1%} ({name})")
        below.append(f"{lack.mean():+.1f} ± {lack.std(ddof=1) / len(lack) ** 0.5:.1f}")
    rows = [
        ("chosen by log loss, stages where it falls", *chosen),
        ("the fixed choice that was best in hindsight", *fixed),
        ("points that it is ahead", *below),
    ]
    return table(("right on held-out photos", *trials), rows)


def _regrets(ran: Sequence[Trial], rule: Callable[[Trial], Parts]) -> Floats:
    outer = {parts: np.array([trial[parts].outer for trial in ran]) for parts in ran[0]}
    best = max(outer, key=lambda parts: outer[parts].mean())
    chosen = [outer[rule(trial)][at] for at, trial in enumerate(ran)]
    return np.asarray(100 * (outer[best] - np.array(chosen)), np.float64)


def _ran(folder: Path, networks: dict[str, Backbone], staged: dict[str, Backbone], count: int, *, whole: bool) -> Ran:
    data = tg.load(folder)
    tables = {short: extract(data, network) for short, network in networks.items()}
    first = next(iter(tables.values()))
    samples = first.samples
    rows = list(range(len(samples))) if whole else samples.train_rows
    labels, groups = samples.labels[rows], first.groups_of(rows)
    features = {short: found.every[rows] for short, found in tables.items()}
    with_stages = {short: extract(data, network).every[rows] for short, network in staged.items()}
    ran = Ran([], [])
    for seed in range(count):
        inner = _two_thirds(labels, groups, seed)
        ran.trials.append(
            {
                parts: _answers([features[part] for part in parts], labels, groups, inner, len(samples.classes))
                for size in range(1, _MOST_TOGETHER + 1)
                for parts in itertools.combinations(networks, size)
            }
        )
        asked = {_by_loss(ran.trials[-1])}
        if whole:
            asked |= {parts for parts in ran.trials[-1] if BUNDLED not in parts}
        ran.staged.append(
            {
                parts: _answers([with_stages[part] for part in parts], labels, groups, inner, len(samples.classes))
                for parts in asked
            }
        )
        print(f"{folder.name}: trial {seed + 1} of {count}", flush=True)
    return ran


def _two_thirds(labels: Ints, groups: Ints, seed: int) -> Ints:
    """``[N]`` whether a photo is learned from: whole groups, of each class about two thirds."""
    dice = np.random.default_rng(seed)
    inner = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = dice.permutation(np.unique(groups[labels == label]))
        inner |= np.isin(groups, own[: round(len(own) * 2 / 3)]) & (labels == label)
    # A group of contradicting labels stays whole.
    return np.asarray(np.isin(groups, np.unique(groups[inner])))


def _answers(parts: Sequence[Floats], labels: Ints, groups: Ints, inner: Ints, classes: int) -> Answers:
    vectors = parts[0] if len(parts) == 1 else np.hstack([unit_rows(part) for part in parts])
    learned = vectors[inner]
    training = Labelled(FeatureRows(learned, np.arange(len(learned))), labels[inner])
    with quiet():
        head = fit_linear_head(training, classes, groups=groups[inner])
    assert head.out_of_fold is not None  # noqa: S101 (so many photos can be cross-validated)
    judged = judged_rows(head.out_of_fold)
    logits, truth = head.out_of_fold[judged], labels[inner][judged]
    probabilities = softmax(logits)[np.arange(len(truth)), truth]
    outer = vectors[~inner] @ head.weight.numpy().T + head.bias.numpy()
    return Answers(
        (logits.argmax(axis=1) == truth).astype(int),
        -np.log(np.clip(probabilities, 1e-12, 1)),
        float((outer.argmax(axis=1) == labels[~inner]).mean()),
    )


# The rules.


def _by_accuracy(trial: Trial) -> Parts:
    """The smallest of those that are as good as the most accurate of a greedy search."""
    reached = _greedy(trial, lambda parts: -trial[parts].accuracy)
    best = max(trial[parts].accuracy for parts in reached)
    return min((p for p in reached if trial[p].accuracy >= best - _AS_GOOD), key=len)


def _by_loss(trial: Trial) -> Parts:
    return _greedy(trial, lambda parts: trial[parts].loss)[-1]


def _by_loss_of_all(trial: Trial) -> Parts:
    return min(trial, key=lambda parts: trial[parts].loss)


def _by_accuracy_of_all(trial: Trial) -> Parts:
    return max(trial, key=lambda parts: trial[parts].accuracy)


def _by_loss_among_equals(trial: Trial) -> Parts:
    """The best log loss of those that the most accurate is not told to be better than."""
    best = trial[_by_accuracy_of_all(trial)]
    near = [p for p in trial if verdict(mcnemar(best.correct.astype(bool), trial[p].correct.astype(bool))) == "cannot tell"]
    return min(near, key=lambda parts: trial[parts].loss)


def _smallest_by_loss(trial: Trial) -> Parts:
    """The smallest within one standard error of the best log loss, photo by photo."""
    best = _by_loss_of_all(trial)
    near = []
    for parts in trial:
        more = trial[parts].losses - trial[best].losses
        if parts == best or more.mean() <= more.std(ddof=1) / len(more) ** 0.5:
            near.append(parts)
    return min(near, key=lambda parts: (len(parts), trial[parts].loss))


def _greedy(trial: Trial, cost: Callable[[Parts], float]) -> list[Parts]:
    """What is reached from the best network by adding what helps most, while it does."""
    current: Parts = min((parts for parts in trial if len(parts) == 1), key=cost)
    reached: list[Parts] = [parts for parts in trial if len(parts) == 1 and parts != current] + [current]
    while len(current) < _MOST_TOGETHER:
        larger = [parts for parts in trial if len(parts) == len(current) + 1 and set(current) < set(parts)]
        best = min(larger, key=cost)
        if cost(best) >= cost(current):
            break
        current = best
        reached.append(current)
    return reached


RULES: dict[str, Callable[[Trial], Parts]] = {
    "most accurate, greedily, the smallest within 0.5 points": _by_accuracy,
    "most accurate of all": _by_accuracy_of_all,
    "best log loss, greedily": _by_loss,
    "best log loss of all": _by_loss_of_all,
    "best log loss of those not told apart in accuracy": _by_loss_among_equals,
    "smallest within a standard error of the best log loss": _smallest_by_loss,
    "the best network alone (accuracy)": lambda trial: max((p for p in trial if len(p) == 1), key=lambda p: trial[p].accuracy),
}


if __name__ == "__main__":
    main()
