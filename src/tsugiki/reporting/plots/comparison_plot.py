"""From scratch, transfer learning, fine-tuning: what each costs and what it brings, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsugiki.core.errors import RequestError
from tsugiki.evaluation.metrics import wilson
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, Picture, picture, present
from tsugiki.reporting.plots.fonts import drawn, legible, shorten

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Contender:
    """One way of training, and what came of it on the held-out photos.

    Attributes:
        name: Such as "transfer learning".
        parameters: Numbers in the model.
        trainable: Those of them that learned.
        seconds: How long the training took.
        correct: Held-out photos answered right.
        photos: Held-out photos.
    """

    name: str
    parameters: int
    trainable: int
    seconds: float
    correct: int
    photos: int

    @classmethod
    def measured(cls, name: str, model: nn.Module, evaluation: Mapping[str, Any], seconds: float) -> Contender:
        """From a trained model and what :func:`tsugiki.evaluate_model` says about it."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
        return cls(
            name=name,
            parameters=sum(size for size, _ in sizes),
            trainable=sum(size for size, learns in sizes if learns),
            seconds=seconds,
            correct=evaluation["correct"],
            photos=evaluation["photos"],
        )

    @property
    def accuracy(self) -> float:
        """Share of held-out photos answered right."""
        return self.correct / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy on further photos lies with 95% confidence (Wilson)."""
        return wilson(self.correct, self.photos)


def comparison_table(contenders: Sequence[Contender]) -> str:
    """A Markdown table, one row per contender."""
    head = (tr("method"), tr("parameters"), tr("trainable"), tr("seconds"), tr("accuracy"), tr("95% interval"))
    rows = [head, ("---", "---:", "---:", "---:", "---:", "---")]
    rows += [
        (
            each.name,
            f"{each.parameters:,}",
            f"{each.trainable:,}",
            f"{each.seconds:.1f}",
            f"{each.accuracy:.1%} ({each.correct}/{each.photos})",
            "{:.1%} - {:.1%}".format(*each.interval),
        )
        for each in contenders
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plot_comparison(contenders: Sequence[Contender]) -> Picture:
    """Draw and show the accuracy of each contender with its interval; parameters and seconds stand beside it."""
    return present(draw_comparison(contenders))


def draw_comparison(contenders: Sequence[Contender]) -> Picture:
    """Like :func:`plot_comparison`, without showing anything.

    Raises:
        RequestError: When there is nothing to compare.
    """
    if not contenders:
        raise RequestError(tr("There is nothing to compare."))
    rows = range(len(contenders))
    low, high = zip(*(each.interval for each in contenders), strict=True)
    shares = [each.accuracy for each in contenders]
    reach = [
        [share - end for share, end in zip(shares, low, strict=True)],
        [end - share for share, end in zip(shares, high, strict=True)],
    ]
    with legible(each.name for each in contenders):
        figure = picture(8.5, 1.2 + 0.75 * len(contenders))
        axes = figure.subplots()
        axes.barh(rows, shares, xerr=reach, color=BLUE, alpha=0.75, height=0.5, capsize=5)
        axes.set_yticks(rows, labels=[_caption(each) for each in contenders])
        for row, each in zip(rows, contenders, strict=True):
            axes.annotate(f"{each.accuracy:.1%}", (0.01, row), va="center", color="white", fontweight="bold")
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_title(tr("Accuracy on held-out photos (bar) and its 95% interval (line)"))
    return figure


def _caption(each: Contender) -> str:
    name = drawn(shorten(each.name, 44))
    cost = tr(
        "{trainable} of {parameters} parameters, {seconds} s",
        trainable=f"{each.trainable:,}",
        parameters=f"{each.parameters:,}",
        seconds=f"{each.seconds:.1f}",
    )
    return f"{name}\n{cost}"
