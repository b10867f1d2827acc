"""Charts of the report as SVG: crisp at any size, a few kilobytes, in the colours of the page's theme.

Numbers are written into them, and what the axes are, in the reader's language; each has a name that says in words what it
shows. The page's style sheet gives the classes their colours: ``a`` and ``b`` are told apart by shape or dash as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tsugiki.evaluation.learning_curve import CurvePoint, LearningCurve
from tsugiki.reporting.pages.page import Bilingual

Points = Sequence[tuple[float, float]]
Written = Callable[[float], str]


@dataclass(frozen=True)
class Words:
    """What is said of a chart.

    Attributes:
        name: What it shows, for whoever cannot see it.
        across: What goes from left to right, if that has to be said.
        up: What goes upwards.
    """

    name: Bilingual
    across: Bilingual | None = None
    up: Bilingual | None = None


@dataclass(frozen=True)
class Frame:
    """Where numbers come to lie.

    Attributes:
        x: The smallest and the largest number from left to right.
        y: The same from bottom to top.
        log_x: Whether equal ratios are equally far apart.
        width: Of the chart, in units of the text's size: 11.
        height: Likewise.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    log_x: bool = False
    width: int = 420
    height: int = 250

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the field; the axes' names stand above and below it."""
        return 44, 26, self.width - 14, self.height - 40

    def across(self, x: float) -> float:
        """Where ``x`` lies from left to right."""
        left, _, right, _ = self.edges
        low, high, value = (math.log(one) if self.log_x else one for one in (*self.x, x))
        return round(left + (value - low) / ((high - low) or 1) * (right - left), 1)

    def up(self, y: float) -> float:
        """Where ``y`` lies from top to bottom."""
        _, top, _, bottom = self.edges
        low, high = self.y
        return round(bottom - (y - low) / ((high - low) or 1) * (bottom - top), 1)

    def path(self, points: Points) -> str:
        """The points as an SVG list of coordinates."""
        return " ".join(f"{self.across(x)},{self.up(y)}" for x, y in points)


def reliability_chart(after: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]] = (), *, words: Words) -> Markup:
    """Confidence (from left to right) against accuracy, a disc per bar as large as it has photos; on the line it is honest.

    Args:
        after: Bars of calibrated answers, as in ``evaluation.json``: discs with their intervals.
        before: Bars without calibration, where it changed anything: crosses.
        words: What is said of it.
    """
    lowest = math.floor(min(bar["confidence"] for bar in (*after, *before)) * 10) / 10
    frame = Frame((min(lowest, 0.9), 1.0), (0.0, 1.0), height=320)
    most = max(bar["n"] for bar in after)
    parts = [_axes(frame, _steps(*frame.x), _steps(0, 1), across=_percent, up=_percent)]
    parts.append(f'<polyline class="ideal" points="{frame.path([(frame.x[0], frame.x[0]), (1, 1)])}"/>')
    parts += [_cross(frame.across(bar["confidence"]), frame.up(bar["accuracy"])) for bar in before]
    for bar in after:
        x = frame.across(bar["confidence"])
        low, high = bar["interval"]
        radius = 3 + 8 * math.sqrt(bar["n"] / most)
        parts.append(f'<line class="a whisker" x1="{x}" x2="{x}" y1="{frame.up(low)}" y2="{frame.up(high)}"/>')
        parts.append(f'<circle class="a disc" cx="{x}" cy="{frame.up(bar["accuracy"])}" r="{radius:.1f}"/>')
    return _svg(frame, parts, words)


def learning_chart(curve: LearningCurve, *, words: Words) -> Markup:
    """Training photos (each step doubles them) against accuracy: measured, and with the band beyond what was measured."""
    everything = [*curve.measured, *curve.forecast]
    lowest = math.floor(min(point.low for point in everything) * 20) / 20
    frame = Frame((everything[0].n, everything[-1].n), (min(lowest, 0.95), 1.0), log_x=True, height=270)
    axis = [everything[0].n * 2**power for power in range(20) if everything[0].n * 2**power <= everything[-1].n]
    band = [*((point.n, point.high) for point in everything), *((point.n, point.low) for point in reversed(everything))]
    now = frame.across(curve.n)
    _, top, _, bottom = frame.edges
    return _svg(
        frame,
        [
            _axes(frame, axis[:: 2 if len(axis) > 7 else 1], _steps(*frame.y), across=_plain, up=_percent),
            f'<polygon class="a band" points="{frame.path(band)}"/>',
            f'<line class="now" x1="{now}" x2="{now}" y1="{top}" y2="{bottom}"/>',
            _line("a", frame, _middles(curve.measured)),
            _line("a dashed", frame, _middles([curve.measured[-1], *curve.forecast])),
            *(_dot("a", frame, point) for point in _middles(curve.measured)),
            *(_dot("a hollow", frame, point) for point in _middles(curve.forecast)),
        ],
        words,
    )


def history_chart(rows: Sequence[Mapping[str, float]], kind: str, *, words: Words) -> Markup:
    """Loss or score over the epochs: training photos as a line, photos that were not learned from dashed.

    Args:
        rows: Of the history.
        kind: ``loss``, ``acc`` or ``map``.
        words: What is said of it.
    """
    lines = [[(row["epoch"], row[f"{part}_{kind}"]) for row in rows] for part in ("train", "val")]
    lines = [[point for point in line if point[1] is not None and math.isfinite(point[1])] for line in lines]
    values = [value for line in lines for _, value in line] or [1.0]
    low = 0.0 if kind == "loss" else min(math.floor(min(values) * 10) / 10, 0.9)
    high = max(values) * 1.05 or 1.0 if kind == "loss" else 1.0
    last = max(rows[-1]["epoch"], 2)
    frame = Frame((1, last), (low, high), width=320, height=230)
    epochs = sorted({round(1 + share * (last - 1)) for share in (0, 0.25, 0.5, 0.75, 1)})
    parts = [_axes(frame, epochs, _steps(low, high), across=_plain, up=_plain if kind == "loss" else _percent)]
    for name, line in zip(("a", "b dashed"), lines, strict=True):
        parts.append(_line(name, frame, line) if len(line) > 1 else "".join(_dot(name, frame, point) for point in line))
    return _svg(frame, parts, words)


def interval_strip(accuracy: float, interval: Sequence[float], guess: float, *, words: Words) -> Markup:
    """One line from left to right: the interval as a bar, the accuracy in it, and a triangle where guessing ends up."""
    lowest = max(0.0, math.floor(min(interval[0], guess) * 10) / 10 - 0.1)
    frame = Frame((lowest, 1.0), (0, 1), width=420, height=64)
    left, _, right, _ = frame.edges
    low, high, here, there = (frame.across(value) for value in (*interval, accuracy, guess))
    ticks = "".join(_tick_below(frame, value, 56, _percent) for value in _steps(lowest, 1))
    return _svg(
        frame,
        [
            f'<line class="grid" x1="{left}" x2="{right}" y1="24" y2="24"/>{ticks}',
            f'<path class="b solid" d="M{there - 6},10 h12 l-6,10 z"/>',
            f'<rect class="a band" x="{low}" y="14" width="{max(high - low, 2):.1f}" height="20" rx="3"/>',
            f'<line class="a mark" x1="{here}" x2="{here}" y1="9" y2="39"/>',
        ],
        words,
    )


def _middles(points: Iterable[CurvePoint]) -> list[tuple[float, float]]:
    return [(point.n, point.accuracy) for point in points]


def _svg(frame: Frame, parts: Iterable[str], words: Words) -> Markup:
    left, _, right, _ = frame.edges
    titles = Markup("").join((_title(words.up, left - 36, 11, "start"), _title(words.across, right, frame.height - 3, "end")))
    # Only numbers that were formatted here are inside, and words that were escaped.
    drawn = Markup("".join(parts))  # noqa: S704
    return Markup('<svg viewBox="0 0 {} {}" role="img" {}>{}{}</svg>').format(
        frame.width, frame.height, words.name.attribute("aria-label"), drawn, titles
    )


def _title(said: Bilingual | None, x: int, y: int, anchor: str) -> Markup:
    """What an axis is, in both languages, of which the style sheet shows one."""
    if said is None:
        return Markup("")
    text = Markup('<text class="axis" lang="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
    return text.format("en", x, y, anchor, said.en) + text.format("ja", x, y, anchor, said.ja)


def _axes(frame: Frame, x: Sequence[float], y: Sequence[float], *, across: Written, up: Written) -> str:
    left, _, right, _ = frame.edges
    parts = []
    for value in y:
        height = frame.up(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{left - 7}" y="{height + 4}" text-anchor="end">{up(value)}</text>')
    parts += [_tick_below(frame, value, frame.height - 22, across) for value in x]
    return "".join(parts)


def _tick_below(frame: Frame, value: float, y: int, written: Written) -> str:
    return f'<text x="{frame.across(value)}" y="{y}" text-anchor="middle">{written(value)}</text>'


def _line(name: str, frame: Frame, points: Points) -> str:
    return f'<polyline class="{name} line" points="{frame.path(points)}"/>'


def _dot(name: str, frame: Frame, point: tuple[float, float]) -> str:
    return f'<circle class="{name} disc" cx="{frame.across(point[0])}" cy="{frame.up(point[1])}" r="3.5"/>'


def _cross(x: float, y: float) -> str:
    return f'<path class="b line" d="M{x - 4},{y - 4} l8,8 m0,-8 l-8,8"/>'


def _steps(low: float, high: float) -> list[float]:
    """Round numbers in between, four to seven of them."""
    rough = (high - low) / 5
    size = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.95)
    first = math.ceil(low / step - 1e-9)
    return [round(step * index, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _percent(value: float) -> str:
    return f"{value * 100:.3g}%"


def _plain(value: float) -> str:
    return f"{value:g}"
