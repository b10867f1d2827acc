"""What a person reads about their photos: counts per class and split, what was decided, what was left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from tsugiki.data.samples import Samples
from tsugiki.locale.messages import tr

_CLASSES_SHOWN = 30
_LEFT_OUT_SHOWN = 10


def describe_samples(samples: Samples) -> str:
    """A short text of several lines: a table of classes, the decisions, and the files left out with their reasons."""
    lines = [tr("{photos} photos, {classes} classes", photos=len(samples), classes=len(samples.classes))]
    lines += _table(samples)
    lines += [f"- {sentence}" for sentence in (*samples.decisions, *samples.warnings)]
    lines += _left_out(samples)
    return "\n".join(lines)


def _table(samples: Samples) -> Iterator[str]:
    counts = samples.counts()
    rows = [("", *counts)]
    rows += [(name, *(str(counts[split][name]) for split in counts)) for name in samples.classes[:_CLASSES_SHOWN]]
    if (more := len(samples.classes) - _CLASSES_SHOWN) > 0:
        rows.append((tr("... and {count} more", count=more), *("" for _ in counts)))
    rows.append((tr("all"), *(str(sum(counts[split].values())) for split in counts)))
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [" " * (width - _width(number)) + number for number, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join(["", name + " " * (widths[0] - _width(name)), *cells]).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: a Japanese letter takes two, a combining mark none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text
    )


def _left_out(samples: Samples) -> Iterator[str]:
    if not samples.left_out:
        return
    yield tr("Left out: {count}", count=len(samples.left_out))
    for photo in samples.left_out[:_LEFT_OUT_SHOWN]:
        yield f"  {photo.name}: {photo.reason}"
    if (more := len(samples.left_out) - _LEFT_OUT_SHOWN) > 0:
        yield "  " + tr("... and {count} more", count=more)
