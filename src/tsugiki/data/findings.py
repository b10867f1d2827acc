"""What a person should know about their photos before trusting a score: leaks, contradictions, odd files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tsugiki.core.messages import tr
from tsugiki.data.naming import kind_of
from tsugiki.data.samples import SPLITS, Samples

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
