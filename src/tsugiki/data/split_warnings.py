"""What is wrong with a split: leaks, contradictions, classes without photos, uneven ones, files unlike all others.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.core.arguments import argument
from tsugiki.data.label_sets import NOT_KNOWN
from tsugiki.data.sources.listing import kind_of
from tsugiki.data.splits import SPLITS, Label, names_in
from tsugiki.locale.messages import first_few, tr

UNEVEN = 3
"""Classes whose photos differ by more than this factor are uneven: accuracy alone hides how the rare ones fare."""

_EXAMPLES = 3


@dataclass(frozen=True)
class Columns:
    """Photos column by column: ``N`` names, labels (``""``: none), splits and digests, groups or ``None``; ``K`` classes.

    Multi-label: labels are sets, and ``targets`` ``[N, K]`` tell what is not known.
    """

    names: Sequence[str]
    labels: Sequence[Label]
    splits: Sequence[str]
    digests: Sequence[str]
    groups: Sequence[str] | None
    classes: Sequence[str]
    targets: npt.NDArray[np.int8] | None = None

    def contradict(self, one: int, other: int) -> bool:
        """Whether two rows cannot both be right about one photo."""
        if self.targets is None:
            return self.labels[one] != self.labels[other]
        first, second = self.targets[one], self.targets[other]
        return bool(((first != second) & (first != NOT_KNOWN) & (second != NOT_KNOWN)).any())

    def rows_of(self, split: str) -> list[int]:
        """The rows that belong to ``split``."""
        return [row for row, name in enumerate(self.splits) if name == split]

    def first_training_rows(self, values: Sequence[str]) -> dict[str, int]:
        """Per value, the first training row that has it."""
        return {values[row]: row for row in reversed(self.rows_of("train"))}


def warnings_about(photos: Columns) -> Iterator[str]:
    """Sentences about classes without photos, leaks between splits, copies with two classes, and files unlike all others."""
    yield from _coverage(photos)
    yield from _copies_across(photos)
    yield from _groups_across(photos)
    yield from _contradictions(photos)
    yield from _odd_files(photos)


def _coverage(photos: Columns) -> Iterator[str]:
    """Which classes have no photo held out, and which have one training photo only."""
    labelled = zip(photos.splits, photos.labels, strict=True)
    counts = Counter((split, name) for split, label in labelled for name in names_in(label))
    for split in SPLITS[1:]:
        missing = [name for name in photos.classes if split in photos.splits and not counts[split, name]]
        if missing:
            yield tr(
                "{split} has no photo of: {classes}. Its score says nothing about them.",
                split=split,
                classes=first_few(missing),
            )
    uneven = uneven_sentence({name: counts["train", name] for name in photos.classes})
    one_each = all(isinstance(label, str) for label in photos.labels)
    if uneven and one_each:  # where a photo may have several labels, some are always rarer
        yield uneven
    lonely = [name for name in photos.classes if counts["train", name] == 1]
    if lonely:
        yield tr("Only one training photo: {classes}.", classes=first_few(lonely))


def uneven_sentence(counts: Mapping[str, int]) -> str:
    """That some classes have far more training photos than others; empty where they are about even.

    Args:
        counts: Training photos per class.
    """
    if not is_uneven(counts):
        return ""
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return tr(
        "The classes are uneven: {most} has {many} training photos, {least} only {few}. --class-weights makes them count "
        "the same.",
        most=most,
        many=counts[most],
        least=least,
        few=counts[least],
    )


def is_uneven(counts: Mapping[str, int]) -> bool:
    """Whether the largest class has more than :data:`UNEVEN` times the photos of the smallest."""
    return bool(counts) and max(counts.values()) > UNEVEN * max(1, min(counts.values()))


def _copies_across(photos: Columns) -> Iterator[str]:
    training = photos.first_training_rows(photos.digests)
    for split in SPLITS[1:]:
        pairs = [(row, training[photos.digests[row]]) for row in photos.rows_of(split) if photos.digests[row] in training]
        if pairs:
            examples = [f"{photos.names[row]} = {photos.names[other]}" for row, other in pairs]
            yield tr(
                "Leak: exact copies of training photos in {split}: {count} ({examples}). The score on {split} is too good.",
                count=len(pairs),
                split=split,
                examples=_few(examples),
            )


def _groups_across(photos: Columns) -> Iterator[str]:
    if photos.groups is None:
        return
    training = photos.first_training_rows(photos.groups)
    for split in SPLITS[1:]:
        rows = [row for row in photos.rows_of(split) if photos.groups[row] and photos.groups[row] in training]
        if rows:
            yield tr(
                "Leak: photos in {split} whose group is in train too: {count} ({groups}). The score on {split} is too good.",
                count=len(rows),
                split=split,
                groups=_few(list(dict.fromkeys(photos.groups[row] for row in rows))),
            )


def _contradictions(photos: Columns) -> Iterator[str]:
    first: dict[str, int] = {}
    examples = []
    for row, digest in enumerate(photos.digests):
        other = first.setdefault(digest, row)
        if photos.contradict(row, other):
            examples.append(f"{photos.names[other]} = {photos.names[row]}")
    if examples and photos.targets is not None:
        yield tr(
            "Exact copies with different labels: {count} ({examples}). One of the two is wrong.",
            count=len(examples),
            examples=_few(examples),
        )
    elif examples:
        yield tr(
            "Exact copies with different classes: {count} ({examples}). One of the two labels is wrong; if both are right, "
            "photos have several labels: in a fit of all of them, add {argument}.",
            argument=argument("multi_label", value=True),
            count=len(examples),
            examples=_few(examples),
        )


def _odd_files(photos: Columns) -> Iterator[str]:
    """Files in a format that hardly any other has: often not a photo at all but a placeholder that a website sent."""
    kinds = Counter(map(kind_of, photos.names))
    usual, count = kinds.most_common(1)[0]
    odd = [name for name in photos.names if kind_of(name) != usual]
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
