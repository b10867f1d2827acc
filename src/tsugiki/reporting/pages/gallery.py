"""The photos that a page shows: which, with what picture, and what is said of each for whoever cannot see it.

Every photo in question is there. The first of them have a large picture, further ones a small one, and the rest their names:
a page stays one file that can be mailed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tsugiki.data.label_sets import ABSENT, PRESENT, spoken
from tsugiki.data.natural_order import natural
from tsugiki.data.samples import Samples
from tsugiki.evaluation.multi_label.cell_issues import CellIssues
from tsugiki.evaluation.predictions import Predictions
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import tr
from tsugiki.reporting.pages.page import Bilingual, bilingual
from tsugiki.reporting.pages.thumbnails import thumbnails

_LARGE, _SMALL = 400, 144  # pixels of the longer side
_MOST_LARGE = 24
MOST_PICTURES = 200
_MOST_TWINS = 200  # pairs: ten frames of one film are 45 of them


@dataclass(frozen=True)
class ShownPhoto:
    """One photo on a page.

    Attributes:
        name: Relative to the folder of photos.
        label: Its class; of several labels all of them, ``""`` where it shows none of the classes.
        said: The class that somebody else gives it, if any.
        words: What there is to see, for whoever cannot.
        chance: How sure the answer was, if there is one.
        image: A data address, or ``""``.
        doubt: In what way ``said`` differs, where that is more than another look.
    """

    name: str
    label: str
    words: Bilingual
    said: str = ""
    chance: str = ""
    image: str = ""
    doubt: Bilingual | None = None

    @property
    def named(self) -> str | Bilingual:
        """The label, for a reader."""
        return self.label or bilingual(lambda: spoken(()))


Twins = tuple[ShownPhoto, ShownPhoto]


@dataclass(frozen=True)
class Gallery:
    """Photos of one page.

    Attributes:
        mistakes: Wrong answers, the surest first.
        suspects: Doubted labels, the most doubtful first; a photo with two doubted labels is there twice.
        twins: Pairs of copies, leaks first.
        odd: Photos unlike all others, the oddest first.
        twins_left: What is said of pairs that are not among them.
    """

    mistakes: tuple[ShownPhoto, ...]
    suspects: tuple[ShownPhoto, ...]
    twins: tuple[Twins, ...]
    odd: tuple[ShownPhoto, ...]
    twins_left: Bilingual

    @classmethod
    def of(cls, samples: Samples, findings: Findings, mistakes: Iterable[ShownPhoto] = ()) -> Gallery:
        """Everything that was found, with pictures.

        Args:
            samples: The photos.
            findings: About them.
            mistakes: From :func:`mistakes_in`, or of several labels from :mod:`tsugiki.reporting.pages.set_gallery`.
        """
        twins = _twins(samples, findings)
        return cls(
            _with_images(samples.root, tuple(mistakes)),
            _with_images(samples.root, _doubts(samples, findings)),
            _in_pairs(_with_images(samples.root, [side for pair in twins for side in pair])),
            _with_images(samples.root, tuple(_odd(samples, findings))),
            _left(len(twins), len(findings.copies or ())),
        )


def mistakes_in(rows: Predictions) -> Iterable[ShownPhoto]:
    """Every wrong answer about photos of known classes, the surest first."""
    sure = rows.probabilities.max(axis=1)
    wrong = np.flatnonzero(~rows.correct)
    for row in wrong[np.argsort(-sure[wrong], kind="stable")].tolist():
        label, said, chance = rows.classes[rows.labels[row]], rows.classes[rows.predicted[row]], f"{sure[row]:.0%}"
        yield ShownPhoto(rows.names[row], label, _answered(label, said, chance), said, chance)


def _answered(label: str, said: str, chance: str) -> Bilingual:
    return bilingual(lambda: tr("labelled {label}, answered {answer} {chance}", label=label, answer=said, chance=chance))


def _doubts(samples: Samples, findings: Findings) -> tuple[ShownPhoto, ...]:
    return tuple(_suspects(samples, findings) if findings.cells is None else _doubted_cells(samples, findings.cells))


def _suspects(samples: Samples, findings: Findings) -> Iterable[ShownPhoto]:
    for one in findings.suspects:
        photo, said = _shown(samples, one.row), samples.classes[one.suggested]
        yield replace(photo, said=said, words=_doubted(photo.label, said))


def _doubted_cells(samples: Samples, cells: CellIssues) -> Iterable[ShownPhoto]:
    """A photo for each label that seems to be missing, or to be there by mistake."""
    for one in cells.suspects:
        photo, said = _shown(samples, one.row), samples.classes[one.cls]
        yield replace(photo, said=said, doubt=_doubt(one.given), words=_doubted_cell(photo.label, said, one.given))


def _doubt(given: int) -> Bilingual:
    return bilingual(lambda: tr("perhaps also") if given == ABSENT else tr("perhaps not"))


def _doubted_cell(label: str, said: str, given: int) -> Bilingual:
    return bilingual(
        lambda: (
            tr("labelled {label}, perhaps also {name}", label=label or spoken(()), name=said)
            if given == ABSENT
            else tr("labelled {label}, perhaps not {name}", label=label or spoken(()), name=said)
        )
    )


def _doubted(label: str, said: str) -> Bilingual:
    return bilingual(lambda: tr("labelled {label}, looks like {suggested}", label=label, suggested=said))


def _odd(samples: Samples, findings: Findings) -> Iterable[ShownPhoto]:
    for one in findings.odd:
        photo = _shown(samples, one.row)
        yield replace(photo, words=_unlike(photo.label))


def _unlike(label: str) -> Bilingual:
    return bilingual(lambda: tr("labelled {label}, unlike all others", label=label or spoken(())))


def _twins(samples: Samples, findings: Findings) -> list[Twins]:
    leaked = set(findings.leaks)
    pairs = sorted(findings.copies or (), key=lambda pair: not {pair.first, pair.second} & leaked)
    return [(_shown(samples, pair.first), _shown(samples, pair.second)) for pair in pairs[:_MOST_TWINS]]


def _left(shown: int, count: int) -> Bilingual:
    if shown == count:
        return Bilingual("", "")
    return bilingual(lambda: tr("Shown are the first {shown} of {count} pairs.", shown=shown, count=count))


def _shown(samples: Samples, row: int) -> ShownPhoto:
    label = _label_of(samples, row)
    words = bilingual(lambda: tr("labelled {label}, one of two copies", label=label or spoken(())))
    return ShownPhoto(samples.names[row], label, words)


def _label_of(samples: Samples, row: int) -> str:
    if samples.targets is None:
        return samples.classes[int(samples.labels[row])]
    return labels_text(samples.classes[column] for column in np.flatnonzero(samples.targets[row] == PRESENT).tolist())


def labels_text(names: Iterable[str]) -> str:
    """Several labels of one photo as one text, the same in both languages; ``""`` for none."""
    return ", ".join(sorted(names, key=natural))


def _in_pairs(photos: Sequence[ShownPhoto]) -> tuple[Twins, ...]:
    return tuple(zip(photos[::2], photos[1::2], strict=True))


def _with_images(root: Path, photos: Sequence[ShownPhoto]) -> tuple[ShownPhoto, ...]:
    sides = {
        root / photo.name: _LARGE if place < _MOST_LARGE else _SMALL
        for place, photo in reversed(list(enumerate(photos[:MOST_PICTURES])))  # a photo that is there twice: the larger one
    }
    made = thumbnails(sides)
    return tuple(replace(photo, image=made.get(root / photo.name, "")) for photo in photos)
