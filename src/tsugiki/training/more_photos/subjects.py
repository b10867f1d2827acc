"""Subjects of a run's photos and of new ones: two names of one subject are one, and a subject that has a side keeps it.

Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tsugiki.core.union_find import UnionFind
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True)
class Subjects:
    """Who is on the photos of a run, as it knew that and as new photos' table says it.

    Attributes:
        run: Its name, for sentences.
        known: Of its photos; empty names where nobody said.
        listed: Of the candidates, likewise.
        again: By row of the run's photos, the row of the same photo among the candidates.
    """

    run: str
    known: Sequence[str]
    listed: Sequence[str]
    again: Mapping[int, int]

    def of_all(self, new: Sequence[int]) -> tuple[str, ...] | None:
        """The subject of every photo of the run, then of the candidates at ``new``; ``None`` where nobody knows any.

        A photo that the run knew without a subject has that of the table. Where both name one, the two are one subject.
        """
        called = self._called()
        listed = [called.get(name, name) for name in self.listed]
        mine = [called.get(name, name) for name in self.known]
        mine = [name or (listed[self.again[row]] if row in self.again else "") for row, name in enumerate(mine)]
        groups = (*mine, *(listed[row] for row in new))
        return groups if any(groups) else None

    def told(self, new: Sequence[int]) -> Iterator[str]:
        """What has to be said: names that were taken for one subject, whoever meant that."""
        if pairs := [f"{other} = {name}" for other, name in self._called().items() if other != name]:
            yield tr("Subjects that have another name here than in {run}: {pairs}.", run=self.run, pairs=first_few(pairs))
        # Where the table gives a photo of the run the same subject as the run does, it is the same one.
        meant = {self.listed[at] for row, at in self.again.items() if self.listed[at] == self.known[row]}
        own = {*self.known} - {"", *meant}
        rows = [row for row in new if self.listed[row] in own]
        if rows:
            yield tr(
                "New photos of subjects that {run} knows by the same name: {count} ({names}). Each is on the side of its "
                "subject's other photos; if they are others, give them other names.",
                run=self.run,
                count=len(rows),
                names=first_few(list(dict.fromkeys(self.listed[row] for row in rows))),
            )

    def _called(self) -> dict[str, str]:
        """By name, what a subject is called now: as in the run, where that has a name for it."""
        names = [name for name in dict.fromkeys((*self.known, *self.listed)) if name]
        place = {name: at for at, name in enumerate(names)}
        sets = UnionFind(len(names))
        for row, at in self.again.items():
            if self.known[row] and self.listed[at]:
                sets.union(place[self.known[row]], place[self.listed[at]])
        return {name: names[root] for name, root in zip(names, sets.roots(), strict=True)}


def sides_of(groups: Sequence[str], splits: Sequence[str]) -> dict[str, str]:
    """By subject, the side of those that have photos on one already.

    Args:
        groups: ``N`` subjects.
        splits: ``N``, those that are not decided yet being empty.
    """
    found: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group and split:
            found.setdefault(group, set()).add(split)
    return {group: side_of(there) for group, there in found.items()}


def side_of(splits: Collection[str]) -> str:
    """Where more photos go of what is in ``splits``: what is learned from already, is learned from. That cannot be undone."""
    return next(split for split in ("train", "test", "val") if split in splits)
