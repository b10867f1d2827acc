"""What a person reads about their photos: counts per class and split, what was decided, what was left out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from tsugiki.data.samples import SPLITS, Samples
from tsugiki.data.sources.names import kind_of
from tsugiki.locale.messages import tr

_CLASSES_SHOWN = 30
_LEFT_OUT_SHOWN = 10


def describe_samples(samples: Samples) -> str:
    """A short text of several lines: a table of classes, the decisions, and the files left out with their reasons."""
    lines = [tr("{photos} photos, {classes} classes", photos=len(samples), classes=len(samples.classes))]
    lines += _table(samples)
    lines += [f"- {decision}" for decision in samples.decisions]
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


_EXAMPLES = 3


def findings(samples: Samples) -> Iterator[str]:
    """Sentences about leaks between splits, copies with two classes, and files unlike all others."""
    yield from _copies_across(samples)
    yield from _groups_across(samples)
    yield from _contradictions(samples)
    yield from _odd_files(samples)


def _copies_across(samples: Samples) -> Iterator[str]:
    training = _first_rows(samples, samples.digests)
    for split in SPLITS[1:]:
        pairs = [(row, training[samples.digests[row]]) for row in samples.rows_of(split) if samples.digests[row] in training]
        if pairs:
            examples = [f"{samples.names[row]} = {samples.names[other]}" for row, other in pairs]
            yield tr(
                "Leak: exact copies of training photos in {split}: {count} ({examples}). The score on {split} is too good.",
                count=len(pairs),
                split=split,
                examples=_few(examples),
            )


def _groups_across(samples: Samples) -> Iterator[str]:
    if samples.groups is None:
        return
    training = _first_rows(samples, samples.groups)
    for split in SPLITS[1:]:
        rows = [row for row in samples.rows_of(split) if samples.groups[row] and samples.groups[row] in training]
        if rows:
            yield tr(
                "Leak: photos in {split} whose group is in train too: {count} ({groups}). The score on {split} is too good.",
                count=len(rows),
                split=split,
                groups=_few(list(dict.fromkeys(samples.groups[row] for row in rows))),
            )


def _first_rows(samples: Samples, marks: Sequence[str]) -> dict[str, int]:
    """Per mark, the first training row that has it."""
    first: dict[str, int] = {}
    for row in samples.rows_of("train"):
        first.setdefault(marks[row], row)
    return first


def _contradictions(samples: Samples) -> Iterator[str]:
    first: dict[str, int] = {}
    examples = []
    for row, digest in enumerate(samples.digests):
        other = first.setdefault(digest, row)
        if samples.labels[row] != samples.labels[other]:
            examples.append(f"{samples.names[other]} = {samples.names[row]}")
    if examples:
        yield tr(
            "Exact copies with different classes: {count} ({examples}). One of the two labels is wrong.",
            count=len(examples),
            examples=_few(examples),
        )


def _odd_files(samples: Samples) -> Iterator[str]:
    """Files in a format that hardly any other has: often not a photo at all but a placeholder that a website sent."""
    kinds = Counter(map(kind_of, samples.names))
    usual, count = kinds.most_common(1)[0]
    odd = [name for name in samples.names if kind_of(name) != usual]
    if odd and len(odd) <= _EXAMPLES and len(odd) * 50 <= count:
        yield tr(
            "Odd: {files}, among {count} {usual} files. What can be decoded counts; look whether these are photos.",
            files=", ".join(odd),
            count=count,
            usual=usual,
        )


def _few(examples: Sequence[str]) -> str:
    listed = ", ".join(examples[:_EXAMPLES])
    return listed + ", ..." if len(examples) > _EXAMPLES else listed
