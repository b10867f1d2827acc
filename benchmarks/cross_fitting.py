"""How often ``--method auto`` would keep a fine-tuning that is no better than the frozen backbone, or really better: simulated.

python -m benchmarks.cross_fitting [--trainings 1000]
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.sections import table, write_section
from tsugiki.fine_tuning.model_selection import ValidationAnswers, best_of, cross_fit

EPOCHS = 20
BLENDS = (0.25, 0.5, 0.75)
DIFFERING = 0.08
BETTER = 0.08

Right = npt.NDArray[np.bool_]


def main() -> None:
    """Simulate and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=1000)
    options = parser.parse_args()
    rows = [
        row(name, better, options.trainings)
        for name, better in (("no better", 0.0), (f"{100 * BETTER:.0f} points better", BETTER))
    ]
    body = f"""`python -m benchmarks.cross_fitting --trainings {options.trainings}`

{options.trainings} simulated trainings each, with 45 validation photos, {EPOCHS} epochs and {len(BLENDS)} blends. Every
epoch answers {DIFFERING:.0%} of the photos otherwise than the frozen backbone, as often for the worse as for the better.
Trainings whose fine-tuning is kept:

{table(("fine-tuning is", "by the best score of all", "cross-fitted"), rows)}"""
    write_section("cross_fitting", "What --method auto keeps", body)


def row(name: str, better: float, trainings: int) -> list[str]:
    """One row of the table."""
    kept, best = how_often_kept(better=better, trainings=trainings)
    return [name, f"{best:.1%}", f"{kept:.1%}"]


def how_often_kept(*, better: float, trainings: int = 400, photos: int = 45) -> tuple[float, float]:
    """Share of trainings whose fine-tuning is preferred: by cross-fitting, and by the best score of all."""
    random = np.random.default_rng(0)
    kept = best = 0
    for _ in range(trainings):
        start = np.arange(photos) % 10 != 0
        epochs = [a_candidate(start, random, better=better) for _ in range(EPOCHS)]
        losses = [random.random(photos) for _ in range(EPOCHS + len(BLENDS))]
        chosen = best_of([answers(one, loss) for one, loss in zip(epochs, losses, strict=False)])
        blends = [np.where(random.random(photos) < share, epochs[chosen], start) for share in BLENDS]
        given = [answers(one, loss) for one, loss in zip([*epochs, *blends], losses, strict=True)]
        half = torch.from_numpy(random.permutation(photos) < photos // 2)
        found = cross_fit(answers(start), given[:EPOCHS], given[EPOCHS:], blended=chosen + 1, half=half)
        assert found is not None  # noqa: S101 (neither half is empty)
        kept += found["fine_tuned"] > found["start"]
        best += max(one.score().value for one in given) > found["start"]
    return kept / trainings, best / trainings


def a_candidate(start: Right, random: np.random.Generator, *, better: float) -> Right:
    """Answers that differ from ``start`` here and there: on average as many photos are won as lost, and ``better`` more won."""
    lost = random.random(len(start)) < DIFFERING / 2 / start.mean()
    won = random.random(len(start)) < (DIFFERING / 2 + better) / (1 - start.mean())
    return np.asarray(np.where(start, ~lost, won))


def answers(right: Right, losses: npt.NDArray[np.float64] | None = None) -> ValidationAnswers:
    """Of one candidate; where no losses are given they are all the same."""
    given = np.zeros(len(right)) if losses is None else losses
    return ValidationAnswers(torch.from_numpy(given.astype(np.float32)), torch.from_numpy(right.astype(bool)))


if __name__ == "__main__":
    main()
