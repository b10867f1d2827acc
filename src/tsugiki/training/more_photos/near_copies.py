"""New photos that are near copies of others are on one side with them: only features tell, so that is settled after a look.

Photos of the run stay where they were, whatever comes. Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from tsugiki.core.union_find import UnionFind
from tsugiki.data.samples import Samples, labels_to_draw, with_warnings
from tsugiki.data.splits import Draw, Label, draw_apart, names_in
from tsugiki.locale.messages import tr
from tsugiki.training.more_photos.subjects import side_of, sides_of


def with_copies_on_one_side(
    samples: Samples, near: Iterable[tuple[int, int]], *, known: Set[str], draw: Draw | None
) -> Samples:
    """The samples such that a new photo is on the side of the photo of before that it is a near copy of.

    Near copies among the new ones are kept together, too, where these were drawn. What somebody has named as held out is never
    learned from for that. Where a class would be left without photos on one side that has some, its photos stay where they
    are: a leak is said with the score.

    Args:
        samples: Not changed.
        near: Pairs of rows that show the same picture.
        known: Digests of the photos of the run.
        draw: How the new ones were held out; ``None`` where somebody has named their splits.
    """
    new = [row for row, digest in enumerate(samples.digests) if digest not in known]
    pairs = [pair for pair in near if not known >= {samples.digests[row] for row in pair}]
    if all(samples.splits[first] == samples.splits[second] for first, second in pairs):
        return samples
    labels, splits, free = labels_to_draw(samples), list(samples.splits), list[int]()
    units = _units(samples, new, pairs)
    for rows, side in units:
        if not side:
            free += rows
        elif draw is not None or side != "train":
            for row in rows:
                splits[row] = side
    if draw is not None:
        for row, split in zip(free, _drawn_apart(draw, samples, labels, free, pairs), strict=True):
            splits[row] = split
    lost = {name for _, name in _covered(labels, samples.splits) - _covered(labels, splits)}
    for row in (row for rows, _ in units if any(names_in(labels[row]) & lost for row in rows) for row in rows):
        splits[row] = samples.splits[row]
    moved = sum(now != before for now, before in zip(splits, samples.splits, strict=True))
    return _told(samples, tuple(splits), moved) if moved else samples


def _units(samples: Samples, new: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[tuple[list[int], str]]:
    """New rows that belong together, and their side where a photo of before has one; photos of before tie nobody together."""
    place = {row: at for at, row in enumerate(new)}
    groups = samples.groups or ("",) * len(samples)
    sets = UnionFind(len(new))
    sets.union_equal([samples.digests[row] for row in new])
    sets.union_equal([groups[row] for row in new])
    old = [row for row in range(len(samples)) if row not in place]
    sides = sides_of([groups[row] for row in old], [samples.splits[row] for row in old])
    copied: dict[int, set[str]] = {}
    for one, other in (*pairs, *((second, first) for first, second in pairs)):
        if one in place and other in place:
            sets.union(place[one], place[other])
        elif one in place:
            copied.setdefault(place[one], set()).add(samples.splits[other])
    members: dict[int, list[int]] = {}
    for at, root in enumerate(sets.roots()):
        members.setdefault(root, []).append(at)
    found = []
    for ats in members.values():
        rows = [new[at] for at in ats]
        # What somebody says, that photos are of one subject, comes before what features say.
        of_subjects = {sides[groups[row]] for row in rows if groups[row] in sides}
        splits = of_subjects or set[str]().union(*(copied.get(at, set()) for at in ats))
        found.append((rows, side_of(splits) if splits else ""))
    return found


def _drawn_apart(
    draw: Draw, samples: Samples, labels: Sequence[Label], rows: Sequence[int], pairs: Sequence[tuple[int, int]]
) -> list[str]:
    """Splits of rows that no photo of before ties to a side, with near copies among them together."""
    place = {row: at for at, row in enumerate(rows)}
    drawn = draw_apart(
        draw,
        [labels[row] for row in rows],
        [samples.digests[row] for row in rows],
        None if samples.groups is None else [samples.groups[row] for row in rows],
        [(place[one], place[other]) for one, other in pairs if one in place and other in place],
        ["train" if samples.splits[row] == "train" else "test" for row in rows],
    )
    return [split if split == "train" else samples.held_out for split in drawn]


def _covered(labels: Sequence[Label], splits: Sequence[str]) -> set[tuple[str, str]]:
    """Which classes have photos on which side."""
    return {(split, name) for label, split in zip(labels, splits, strict=True) for name in names_in(label)}


def _told(samples: Samples, splits: tuple[str, ...], moved: int) -> Samples:
    """With these splits, and that said; what was remarked about the photos themselves stays."""
    of_splits = with_warnings(samples).warnings
    remarked = [sentence for sentence in samples.warnings if sentence not in of_splits]
    now = with_warnings(replace(samples, splits=splits))
    sentence = tr(
        "Near copies are on one side with what they are copies of: {count} new photos changed sides for that. Held out now: "
        "{held_out} of {total} photos.",
        count=moved,
        held_out=len(now.held_out_rows),
        total=len(now),
    )
    return replace(now, decisions=(*samples.decisions, sentence), warnings=(*now.warnings, *remarked))
