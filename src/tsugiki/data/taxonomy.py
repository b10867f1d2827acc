"""A taxonomy: which classes are kinds of the same thing, as a tree; a sparrow is a bird, a bird is an animal.

Its nodes are names. What has something below it is an inner node; a class may be one, too, when photos of it say no more than
that: then it is a kind of itself. Nothing here reads files (:mod:`tsugiki.data.sources.tables.taxonomy_file`).

Letters: ``K`` classes, ``P`` inner nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import seen_form
from tsugiki.locale.messages import first_few, tr

Parents = Mapping[str, str]
"""The parent of each node; ``""`` for those that have none."""

SURE = 0.8
"""From this probability on a node is named as "at least".

Above one half, so that no two nodes that exclude each other can be named; and not much higher, so that it stays of use: where
probabilities are true, one in five of the answers that just reach it is wrong, and of all together about one in ten.
"""


@dataclass(frozen=True)
class Taxonomy:
    """The tree above the classes of a classifier.

    Attributes:
        classes: ``K`` names, in the order of the logits.
        parents: Of every node that has a class at or below it.
        sure: From this probability on a node is named as "at least"; above 0.5, at most 1.

    Raises:
        ValueError: When it is no tree above these classes, or ``sure`` is another number.
    """

    classes: tuple[str, ...]
    parents: Parents
    sure: float = SURE

    def __post_init__(self) -> None:
        missing = {*self.classes, *filter(None, self.parents.values())} - self.parents.keys()
        if missing or find_cycle(self.parents) or not self.inner or not self.within.any(axis=1).all():
            raise ValueError(f"no tree above the classes: {dict(self.parents)}")
        if not 0.5 < self.sure <= 1:
            raise ValueError(self.sure)

    @cached_property
    def inner(self) -> tuple[str, ...]:
        """``P`` nodes that have something below them, each after its parent."""
        above = {*filter(None, self.parents.values())}
        return tuple(sorted((name for name in self.parents if name in above), key=self.depth))

    @cached_property
    def row(self) -> dict[str, int]:
        """Where each inner node stands in :attr:`inner`."""
        return {name: at for at, name in enumerate(self.inner)}

    @cached_property
    def within(self) -> npt.NDArray[np.bool_]:
        """``[P, K]`` whether each class is an inner node or below it."""
        found = np.zeros((len(self.inner), len(self.classes)), np.bool_)
        for column, name in enumerate(self.classes):
            found[[self.row[one] for one in self.above(name)], column] = True
        return found

    @property
    def levels(self) -> int:
        """How many nodes there are on the longest way from a root to a class."""
        return max(len(self.path(name)) for name in self.classes)

    def path(self, name: str) -> tuple[str, ...]:
        """From the root down to a node, itself included."""
        way = [name]
        while above := self.parents[way[-1]]:
            way.append(above)
        return tuple(reversed(way))

    def depth(self, name: str) -> int:
        """How many nodes are above a node: 0 for a root."""
        return len(self.path(name)) - 1

    def above(self, name: str) -> tuple[str, ...]:
        """The inner nodes that a class is a kind of, the nearest first: itself, too, where something is below it."""
        return tuple(one for one in reversed(self.path(name)) if one in self.row)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"parents": dict(self.parents), "sure": self.sure}

    @classmethod
    def from_dict(cls, classes: Sequence[str], values: Mapping[str, Any]) -> Taxonomy:
        """The opposite of :meth:`to_dict`.

        Raises:
            KeyError: When something is missing.
            ValueError: When it is no tree above these classes.
        """
        parents = {str(name): str(parent) for name, parent in dict(values["parents"]).items()}
        return cls(tuple(classes), parents, float(values["sure"]))


def find_cycle(parents: Parents) -> tuple[str, ...]:
    """Nodes each of which is above the one before it, and the first above the last; none where there is no such ring."""
    done: set[str] = set()
    for start in parents:
        way: dict[str, None] = {}
        name = start
        while name and name not in done:
            if name in way:
                ring = [*way]
                return tuple(ring[ring.index(name) :])
            way[name] = None
            name = parents.get(name, "")
        done.update(way)
    return ()


def grow(parents: Parents, classes: Sequence[str], *, source: str, at_least: float = SURE) -> tuple[Taxonomy, tuple[str, ...]]:
    """The part of a taxonomy that classes need.

    Args:
        parents: Of every node that was named; parents that have no entry of their own are roots.
        classes: ``K`` names.
        source: What the taxonomy is called, for sentences.
        at_least: From this probability on a node is named as "at least".

    Returns:
        The tree, and sentences for the person: which classes it does not have, and which of its nodes have no class.

    Raises:
        RequestError: When it is no tree, has none of the classes, or has names that a person cannot tell apart.
    """
    require_sure(at_least)
    require_tree(parents, source)
    every = dict(parents) | {above: "" for above in parents.values() if above and above not in parents}
    kept = _at_or_above(classes, every)
    alone = [name for name in classes if name not in every]
    dropped = [name for name in every if name not in kept]
    _require_distinct(kept, classes, alone, dropped, source)
    if not any(kept.values()):
        raise RequestError(
            tr("{source} gives none of the classes a parent.", source=source),
            allowed=tr("rows of these classes: {classes}", classes=first_few(list(classes))),
            got=first_few(list(every)),
        )
    said = []
    if alone:
        names = first_few(alone)
        said.append(tr("Classes that are not in {source}, each a root of its own: {names}.", source=source, names=names))
    if dropped:
        names = first_few(dropped)
        said.append(tr("In {source}, but no photo is of them, so they are left out: {names}.", source=source, names=names))
    return Taxonomy(tuple(classes), kept, at_least), tuple(said)


def require_sure(at_least: float) -> None:
    """Refuse what is no probability from which on a parent can be named.

    Raises:
        RequestError: When it is 0.5 or less, or more than 1.
    """
    if not 0.5 < at_least <= 1:
        raise RequestError(
            tr("From such a probability on no parent can be named."),
            allowed=tr("above 0.5, where one parent alone can reach it, up to 1"),
            got=argument("at_least", at_least),
        )


def require_tree(parents: Parents, source: str) -> None:
    """Refuse names that are above each other.

    Raises:
        RequestError: When they are.
    """
    ring = find_cycle(parents)
    if len(ring) == 1:
        raise RequestError(
            tr("In {source} a name is its own parent: {name}.", source=source, name=ring[0]),
            cure=tr("leave the parent of a root empty"),
        )
    if ring:
        raise RequestError(
            tr("In {source} names are above each other in a circle.", source=source),
            allowed=tr("a tree: from every class upwards to a root, whose parent is empty"),
            got=" → ".join([*ring, ring[0]]),
        )


def _at_or_above(classes: Sequence[str], every: Parents) -> dict[str, str]:
    """Classes and what is above them, in the order of the taxonomy; classes that it does not have are roots."""
    needed: set[str] = set()
    for name in classes:
        at = name
        while at and at not in needed:
            needed.add(at)
            at = every.get(at, "")
    return {name: above for name, above in every.items() if name in needed} | {
        name: "" for name in classes if name not in every
    }


def _require_distinct(
    kept: Iterable[str], classes: Sequence[str], alone: Sequence[str], dropped: Sequence[str], source: str
) -> None:
    """Refuse names of which a person would take one for the other; what only the photos say is said with the photos."""
    own = {*classes}
    forms: dict[str, list[str]] = defaultdict(list)
    for name in {**dict.fromkeys(kept), **dict.fromkeys(classes)}:
        forms[seen_form(name)].append(name)
    alike = [tuple(found) for found in forms.values() if len(found) > 1 and not own.issuperset(found)]
    unplaced = {seen_form(name): name for name in alone}
    alike += [(name, unplaced[form]) for name in dropped if (form := seen_form(name)) in unplaced]
    if alike:
        raise RequestError(
            tr("In {source} names look the same, or nearly, as others, and are different.", source=source),
            allowed=tr("one spelling of each name, that of the photos' classes"),
            got=first_few([" = ".join(map(repr, names)) for names in alike]),
        )
