"""Photos of a run that are among new ones: which label counts, that of the run or that of here.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tsugiki.data.label_sets import LabelSet, parted, sets_of, spoken
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import Listing
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import first_few, tr


@dataclass
class KnownHere:
    """Photos of the run that are among the new ones.

    Attributes:
        again: By row of the run's photos, a row here.
        sets: By row of the run's photos, what is known of those that are here.
        moved: Those of which something else is known than in the run.
        torn: Rows here with a label that does not count, because a copy has one that does.
        stayed: By row of the run's photos, labels that are not named here, which denies nothing: they stay.
    """

    again: dict[int, int] = field(default_factory=dict)
    sets: dict[int, LabelSet] = field(default_factory=dict)
    moved: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    stayed: dict[int, frozenset[str]] = field(default_factory=dict)

    def told(self, run: str, known: Samples, listing: Listing) -> Iterator[str]:
        """What has to be said: labels that are others than before, and labels that stay although they are not here."""
        before = known.label_sets()
        others = [row for row in sorted(self.moved) if self.sets[row].present != before[row]]
        names = {row: listing.names[at] for row, at in self.again.items()}
        if others:
            yield tr(
                "Another label here than in {run}; that of here counts: {count} ({examples}).",
                run=run,
                count=len(others),
                examples=first_few(
                    [f"{names[row]}: {spoken(before[row])} -> {spoken(self.sets[row].present)}" for row in others]
                ),
            )
        if answered := len(self.moved) - len(others):
            yield tr("Photos of {run} whose open cells are answered here: {count}.", run=run, count=answered)
        if self.stayed:
            yield tr(
                "Labels of {run} that photos do not have here stay, for only a 0 in a column of the class takes one away: "
                "{count} ({examples}).",
                run=run,
                count=len(self.stayed),
                examples=first_few([f"{names[row]}: {spoken(labels)}" for row, labels in sorted(self.stayed.items())]),
            )


def known_here(known: Samples, listing: Listing, contents: Sequence[Content], rows: Sequence[int]) -> KnownHere:
    """What the photos of the run among the candidates are here.

    Args:
        known: Photos of the run.
        listing: Candidates.
        contents: Of all of them.
        rows: The candidates that the run knows.
    """
    of_run, here = _by_content(known.digests), _by_content(contents[row].digest for row in rows)
    reading = _OneEach(known, listing) if known.targets is None else _Several(known, listing)
    found = KnownHere()
    for digest, places in here.items():
        mine, theirs = of_run[digest], [rows[place] for place in places]
        found.again |= dict(zip(mine, theirs, strict=False))
        reading.read(short_digest(digest), mine, theirs, found)
    found.moved.sort()
    return found


class _OneEach:
    """Where each photo is of one class."""

    def __init__(self, known: Samples, listing: Listing) -> None:
        self.labels, self.before = listing.labels, known.label_sets()
        self.decided = {(one.digest, one.label): one.now for one in known.corrections}

    def read(self, digest: str, mine: Sequence[int], theirs: Sequence[int], found: KnownHere) -> None:
        # What a person's list has changed stays changed where a photo still lies with the label that was changed.
        labels = [frozenset({self.decided.get((digest, name), name)}) for name in map(self.labels.__getitem__, theirs)]
        count = {self.before[row] for row in mine}
        if count.isdisjoint(labels):
            count = {labels[0]}
            found.moved += mine
            found.sets |= dict.fromkeys(mine, LabelSet(labels[0]))
        found.torn += [row for row, label in zip(theirs, labels, strict=True) if label not in count]


class _Several:
    """Where photos may have several labels: what is named here is there, and what a column denies is not."""

    def __init__(self, known: Samples, listing: Listing) -> None:
        assert known.targets is not None  # noqa: S101 (who asks for this has several labels)
        self.before, self.here = sets_of(known.targets, known.classes), classes_here(listing)
        self.fresh = self.here - {*known.classes}
        self.sets, self.columns = listing.label_sets or (), frozenset(listing.classes)
        self.decided: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
        for one in known.corrections:
            changed = parted(one.label).present, parted(one.now).present
            self.decided.setdefault(one.digest, []).append(changed)

    def read(self, digest: str, mine: Sequence[int], theirs: Sequence[int], found: KnownHere) -> None:
        sets = [self.sets[row] for row in theirs]
        shown = frozenset[str]().union(*(one.present for one in sets))
        unanswered = frozenset.intersection(*(one.unknown for one in sets)) - shown
        # A folder of one class, or a list of names, does not deny the classes of which it says nothing.
        denied, stays = self.columns - shown - unanswered, frozenset[str]() if self.columns else self.here - shown
        for was, became in self.decided.get(digest, ()):  # what a person's list has changed stays changed
            shown, denied, stays = shown - (was - became), denied - (became - was), stays - (became - was)
        for row in mine:
            before = self.before[row]
            open_ = (before.unknown - shown - denied) | (unanswered & self.fresh)
            found.sets[row] = now = LabelSet((before.present | shown) - denied, open_)
            if now.present != before.present or open_ - self.fresh != before.unknown:
                found.moved.append(row)
            if before.present & stays:
                found.stayed[row] = before.present & stays


def classes_here(listing: Listing) -> frozenset[str]:
    """The classes that a listing of photos with several labels names."""
    return frozenset(listing.classes).union(*(one.present for one in listing.label_sets or ()))


def _by_content(digests: Iterable[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        rows.setdefault(digest, []).append(row)
    return rows
