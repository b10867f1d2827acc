"""Part photos that may have several labels each, such that every part has its share of every label and of every pair.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011), over
labels and pairs of labels (Szymanski and Kajdanowicz, "A Network Perspective on Stratification of Multi-Label Data", 2017): the
label with the fewest units left is dealt first, each of its units to the part that misses it most. What belongs together is one
unit. Letters: ``U`` units, ``P`` parts.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import combinations

_MOST_FOR_PAIRS = 12
"""Labels of one photo whose pairs are counted: a photo with more of them would outweigh all others."""

Bag = Counter[Hashable]
"""How often a unit has each label, and each pair."""


def bag_of(rows: Iterable[Collection[str]]) -> Bag:
    """The labels and pairs of labels of a unit's photos; a photo with none counts as one of a kind of its own."""
    bag: Bag = Counter()
    for labels in rows:
        names = sorted(labels)
        bag.update(names)
        if not names:
            bag[()] += 1
        if len(names) <= _MOST_FOR_PAIRS:
            bag.update(combinations(names, 2))
    return bag


def deal_bags(
    bags: Sequence[Bag], sizes: Sequence[int], wanted: Sequence[Counter[Hashable]], room: Sequence[float]
) -> list[int]:
    """The part, ``0 .. P-1``, of each of ``U`` units.

    Args:
        bags: ``U`` units; units of equal need are dealt in this order.
        sizes: ``U`` photos of each.
        wanted: ``P``: how many of each label a part should get; may be fractions.
        room: ``P``: how many photos a part should get.
    """
    wanted, left = [Counter(part) for part in wanted], [float(number) for number in room]
    members: dict[Hashable, list[int]] = {}
    for unit, bag in enumerate(bags):
        for label in bag:
            members.setdefault(label, []).append(unit)
    open_units = {label: len(units) for label, units in members.items()}
    heap = [(count, _key(label), label) for label, count in open_units.items()]
    heapq.heapify(heap)
    dealt = [-1] * len(bags)
    while heap:
        count, key, label = heapq.heappop(heap)
        if count != open_units[label]:  # some of its units have been dealt for rarer labels
            if open_units[label]:
                heapq.heappush(heap, (open_units[label], key, label))
            continue
        for unit in members[label]:
            if dealt[unit] >= 0:
                continue
            part = max(range(len(wanted)), key=lambda part: (wanted[part][label], left[part], -part))
            dealt[unit] = part
            left[part] -= sizes[unit]
            wanted[part].subtract(bags[unit])
            for other in bags[unit]:
                open_units[other] -= 1
    return dealt


def _key(label: Hashable) -> tuple[bool, str]:
    """Pairs before single labels of as few units: who deals a pair deals both labels."""
    return not isinstance(label, tuple), repr(label)
