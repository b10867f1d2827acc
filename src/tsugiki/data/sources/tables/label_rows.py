"""Labels of a whole listing: what several rows say of one photo, and what is said where photos have several labels.

Letters: ``N`` photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import SEPARATOR, LabelReading, LabelSet
from tsugiki.data.natural_order import natural
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.tables.label_cells import asked_sentence, sets_of, why_several
from tsugiki.locale.messages import first_few, in_a_row, tr


@dataclass
class SeveralRows:
    """Puts together what several rows say of one photo, and counts.

    Attributes:
        photos: That several rows name.
        contradicted: Of these, the ones of which one row says that a class is there and another one that it is not.
    """

    photos: int = 0
    contradicted: int = 0

    def joined(self, sets: Sequence[LabelSet]) -> LabelSet:
        """What is known of a photo: it shows what one row says that it shows, and what one row knows is known."""
        if len(sets) == 1:
            return sets[0]
        present = frozenset[str]().union(*(one.present for one in sets))
        unknown = frozenset.intersection(*(one.unknown for one in sets)) - present
        self.photos += 1
        self.contradicted += any(present - one.present - one.unknown for one in sets)
        return LabelSet(present, unknown)

    def sentences(self, *, marks: bool = False) -> Iterator[str]:
        """What was found.

        Args:
            marks: Whether rows say of every class whether it is there, so that they can contradict each other.
        """
        if self.photos:
            yield tr("Photos that several rows name have all the labels of these rows: {count}.", count=self.photos)
        if marks and self.contradicted:
            yield tr(
                "Of these, photos of which one row says 1 and another one 0 in the same column: {count}. The 1 counts.",
                count=self.contradicted,
            )


def as_sets(listing: Listing) -> tuple[LabelSet, ...]:
    """``N`` sets of labels, one label in each where the listing has one per photo."""
    if listing.label_sets is not None:
        return listing.label_sets
    return tuple(LabelSet(frozenset({label} if label else ())) for label in listing.labels)


def names_of_classes(listing: Listing) -> list[str]:
    """Every name of a label, as often as it is given."""
    if listing.label_sets is None:
        return list(listing.labels)
    return [name for one in listing.label_sets for name in sorted(one.present, key=natural)]


def finished(listing: Listing, reading: LabelReading) -> Listing:
    """The listing with sets of labels, where photos may have several, and with what has to be said of them.

    Args:
        listing: Of ``N`` photos.
        reading: Whether that was asked for.

    Raises:
        RequestError: When a name of a class holds what stands between names.
    """
    if listing.label_sets is None and reading.several:
        listing = _in_sets(listing, reading)
    if listing.label_sets is None:
        return listing
    names = {*names_of_classes(listing), *listing.classes}
    if joined := sorted((name for name in names if SEPARATOR in name), key=natural):
        raise RequestError(
            tr("The names of these labels hold {separator}, which stands between the names of several.", separator=SEPARATOR),
            got=first_few(joined),
            cure=tr("rename them")
            if reading.separator in (None, SEPARATOR)
            else tr("rename them, or add {argument}", argument=argument("label_separator", SEPARATOR)),
        )
    said = (*listing.decisions, *listing.because, *_said_of_sets(listing, listing.label_sets))
    return replace(listing, decisions=said, because=(), separator=reading.separator)


def _in_sets(listing: Listing, reading: LabelReading) -> Listing:
    """A listing of class folders, whose names may be made of several."""
    cells = [(number, label) for number, label in enumerate(listing.labels, start=1)]
    sets = sets_of(cells, reading) or []
    several = any(len(reading.split(label)) > 1 for label in listing.labels)
    separator = repr(reading.separator or SEPARATOR)
    split = tr(
        "Photos may have several labels (multi-label), because that was asked for; names of class folders are divided "
        "at {separator}.",
        separator=separator,
    )
    if reading.is_of_run:
        split = in_a_row(asked_sentence(reading), tr("Names of class folders are divided at {separator}.", separator=separator))
    said = [split] if several else list(why_several("", cells, reading))
    return replace(listing, label_sets=tuple(sets), labels=tuple(map(str, sets)), decisions=(*listing.decisions, *said))


def _said_of_sets(listing: Listing, sets: Sequence[LabelSet]) -> Iterator[str]:
    unknown = Counter(name for one in sets for name in one.unknown)
    if unknown:
        yield tr(
            "Cells that nobody has answered (empty, NaN or -1): {count} of {total}, most of them for {name} ({most}). "
            "Nothing is learned from them, and nothing is judged by them.",
            count=unknown.total(),
            total=len(sets) * len({*names_of_classes(listing), *listing.classes, *unknown}),
            name=unknown.most_common(1)[0][0],
            most=unknown.most_common(1)[0][1],
        )
    if none := sum(not one.present and not one.unknown for one in sets):
        yield tr("Photos that show none of the classes, and count as such: {count}.", count=none)
