"""The same photo twice: exactly (content) or nearly (resized, re-encoded, cropped), inside a split or across splits.

Across splits it is a leak: the held-out score then rewards remembering. Two photos are near when their perceptual hashes or
their features say so clearly, or both say so together. Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tsugiki.core.union_find import UnionFind
from tsugiki.evaluation.metrics import Bools, Floats, Ints, blocks, unit_rows

Kind = Literal["exact", "near"]

_RANDOM_PAIRS = 2_000  # enough for a median that is only a yardstick

_ALL_BITS = 64

_MOST_VARIANTS = 11  # of one photo that are looked for when asking whether most photos have copies
# Photos without copies: 1.1 to 1.25 in the median, few drawn ones 1.35; six variants of each photo: 1.5.
_JUMP = 1.4
# Likewise for the distance behind the jump over that to the nearest other: 1.2 to 1.6 without copies, 2.1 with six variants.
_BEHIND = 1.8
_ENOUGH = 40  # photos: of fewer, chance alone makes such jumps


@dataclass(frozen=True)
class Pair:
    """Two photos that are one, by row; ``first < second``.

    Attributes:
        first: Row of one.
        second: Row of the other.
        kind: ``exact``: the same content; ``near``: the same picture.
        bits: How many of the 64 bits of their perceptual hashes differ.
        similarity: Cosine of their features, or ``None`` without features.
    """

    first: int
    second: int
    kind: Kind
    bits: int
    similarity: float | None


@dataclass(frozen=True)
class Nearness:
    """When two photos count as one picture: any of the steps is enough.

    A step is a pair: at most so many differing bits of the hashes, and at most so large a distance of the features. The
    distance is in units of the usual one, that is, the median over random pairs of these very photos: what a cosine means
    differs between backbones. (Only the training photos are asked, where there are some: what counts as a copy among them must
    depend on no held-out photo.) By default: the hashes nearly equal and the features no farther apart than usual; the hashes
    alike and half the usual distance (small crops); or a fifth of it, whatever the hashes (mirrored photos, crops).

    Where photos of one kind lie close together (a weak backbone, a narrow subject), a fifth is not close enough for features
    alone: then they also have to be nearer than ``alone`` times the distance that photos usually have to their nearest other.
    A mirror image differs by less than another photo of the same thing does, so ``alone`` lies well below 1.

    Where most photos have copies (frames of a video, augmented variants), their nearest other is such a copy, and no yardstick.
    That shows: the distances from a photo to its nearest, second nearest, ... others grow step by step, but jump behind the
    last copy. There the step that any hash passes is ``among_copies`` times the distance behind the jump.

    Attributes:
        steps: ``(bits, distance)`` each.
        alone: See above; counts for steps that any hash passes.
        among_copies: See above.
        bits_alone: Without features: at most so many differing bits.
        most: How many partners are kept per photo in its own split, the nearest first, and how many in the others.
    """

    steps: tuple[tuple[int, float], ...] = ((4, 1.0), (10, 0.5), (64, 0.2))
    alone: float = 0.36
    among_copies: float = 0.6
    bits_alone: int = 4
    most: int = 10


@dataclass(frozen=True)
class Prints:
    """What duplicates are recognised by.

    Attributes:
        digests: ``N`` digests of the files' content.
        hashes: ``[N]`` int64, from :func:`tsugiki.data.images.pixels.perceptual_hash`.
        features: ``[N, D]``, or ``None`` where no backbone is at hand.
        splits: ``N`` names of splits.
        labels: ``[N]`` the class of each, or ``None``: then nobody looks whether most photos have copies. As many alike photos
            as half a class are the class, and no copies.
    """

    digests: Sequence[str]
    hashes: npt.NDArray[np.int64]
    features: Floats | None
    splits: Sequence[str]
    labels: Ints | None = None


def find_duplicates(prints: Prints, *, nearness: Nearness | None = None) -> list[Pair]:
    """Every pair of photos that are one, exact ones first, then the surest.

    Of ``n`` photos with the same content, ``n - 1`` pairs are given, all with the first of them. Memory grows with ``N``, time
    with ``N`` squared: 100,000 photos take minutes.
    """
    rule = nearness or Nearness()
    firsts, pairs = _exact(prints)
    pairs += _near(prints, firsts, rule)
    return sorted(pairs, key=lambda pair: (pair.kind, pair.bits, -(pair.similarity or 0), pair.first, pair.second))


def _exact(prints: Prints) -> tuple[list[int], list[Pair]]:
    seen: dict[str, int] = {}
    pairs = []
    for row, digest in enumerate(prints.digests):
        first = seen.setdefault(digest, row)
        if first != row:
            pairs.append(Pair(first, row, "exact", 0, None if prints.features is None else 1.0))
    return sorted(seen.values()), pairs


def _near(prints: Prints, rows: list[int], rule: Nearness) -> list[Pair]:
    hashes = np.asarray(prints.hashes, dtype=np.int64)[rows]
    unit = None if prints.features is None else unit_rows(prints.features[rows])
    splits = np.unique(np.array(prints.splits, dtype=str)[rows], return_inverse=True)[1]
    limits = []
    if unit is not None:
        measured = _yardstick(prints, rows)
        labels = None if prints.labels is None else np.asarray(prints.labels)[rows][measured]
        limits = _limits(unit[measured], rule, _most_copies(labels))
    pairs: dict[tuple[int, int], Pair] = {}
    for part in blocks(len(rows), len(rows)):
        bits = differing_bits(hashes[part], hashes)
        away = None if unit is None else 1 - unit[part] @ unit.T
        close = _close(bits, away, limits, rule)
        close[np.arange(len(close)), np.arange(part.start, part.stop)] = False
        for here, there in _kept(close, bits if away is None else away, splits[part, None] == splits, rule.most):
            first, second = sorted((rows[part.start + here], rows[there]))
            similarity = None if away is None else float(1 - away[here, there])
            pairs[first, second] = Pair(first, second, "near", int(bits[here, there]), similarity)
    return list(pairs.values())


def differing_bits(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """``[N, M]`` how many of the 64 bits differ between each of ``first`` ``[N]`` and each of ``second`` ``[M]``."""
    # Without a sign: NumPy counts the bits of a negative number's absolute value.
    different = first.view(np.uint64)[:, None] ^ second.view(np.uint64)[None, :]
    bits: npt.NDArray[np.uint8] = np.bitwise_count(different)
    return bits


def _yardstick(prints: Prints, rows: list[int]) -> list[int]:
    """The places in ``rows`` of the photos that are learned from; all where nobody says which those are."""
    learned = {digest for digest, split in zip(prints.digests, prints.splits, strict=True) if split == "train"}
    return [at for at, row in enumerate(rows) if prints.digests[row] in learned] or list(range(len(rows)))


def _most_copies(labels: Ints | None) -> int:
    """How many others of a photo may be its copies: fewer than half of the photos of a usual class."""
    if labels is None:
        return 0
    counts = np.bincount(labels[labels >= 0])
    return min(_MOST_VARIANTS, int(np.median(counts[counts > 0])) // 2) if counts.any() else 0


def _limits(unit: npt.NDArray[np.float32], rule: Nearness, most_copies: int = 0) -> list[tuple[int, float]]:
    """The steps with distances as they are: bits and cosine distance."""
    usual = _usual_distance(unit)
    behind = _distance_behind_copies(unit, most_copies)
    if behind is not None:
        return [(bits, rule.among_copies * behind if bits >= _ALL_BITS else share * usual) for bits, share in rule.steps]
    alone = rule.alone * _nearest_distance(unit)
    return [(bits, min(share * usual, alone) if bits >= _ALL_BITS else share * usual) for bits, share in rule.steps]


def _close(bits: Ints, away: Floats | None, limits: Sequence[tuple[int, float]], rule: Nearness) -> Bools:
    if away is None:
        return np.asarray(bits <= rule.bits_alone)
    close = np.zeros(bits.shape, dtype=np.bool_)
    for most_bits, most_distance in limits:
        close |= (bits <= most_bits) & (away <= most_distance)
    return close


def _kept(close: Bools, away: Floats | Ints, same_split: Bools, most: int) -> Iterator[tuple[int, int]]:
    for here in np.flatnonzero(close.any(axis=1)).tolist():
        partners = np.flatnonzero(close[here])
        nearest_first = partners[np.argsort(away[here, partners], kind="stable")]
        for side in (False, True):
            kept = nearest_first[same_split[here, nearest_first] == side][:most]
            yield from ((here, there) for there in kept.tolist())


def _usual_distance(unit: npt.NDArray[np.float32]) -> float:
    if len(unit) < 2:
        return 1.0
    rng = np.random.default_rng(0)
    first = rng.integers(0, len(unit), _RANDOM_PAIRS)
    second = (first + rng.integers(1, len(unit), _RANDOM_PAIRS)) % len(unit)
    return float(np.median(1 - np.einsum("nd,nd->n", unit[first], unit[second])))


def _nearest_distance(unit: npt.NDArray[np.float32]) -> float:
    """The median distance to the nearest other photo, over at most 512 of them, spread evenly."""
    if len(unit) < 2:
        return 1.0
    asked = np.arange(0, len(unit), -(-len(unit) // 512))
    away = 1 - unit[asked] @ unit.T
    away[np.arange(len(asked)), asked] = np.inf
    return float(np.median(away.min(axis=1)))


def _distance_behind_copies(unit: npt.NDArray[np.float32], most: int) -> float | None:
    """The median distance to the nearest other that is no copy, where most photos have up to ``most`` copies; else ``None``."""
    if most < 1 or len(unit) < _ENOUGH:
        return None
    asked = np.arange(0, len(unit), -(-len(unit) // 512))
    away = 1 - unit[asked] @ unit.T
    away[np.arange(len(asked)), asked] = np.inf
    near = np.maximum(np.sort(np.partition(away, most, axis=1)[:, : most + 1], axis=1), 1e-6)
    growth = near[:, 1:] / near[:, :-1]
    behind = float(np.median(np.take_along_axis(near, growth.argmax(axis=1)[:, None] + 1, axis=1)))
    abound = np.median(growth.max(axis=1)) >= _JUMP and behind >= _BEHIND * np.median(near[:, 0])
    return behind if abound else None


def copies_of(features: Floats, gallery: Floats, *, nearness: Nearness | None = None) -> npt.NDArray[np.int64]:
    """The rows of ``features`` ``[N, D]`` that are near copies of a photo of ``gallery`` ``[M, D]``, by their features alone.

    The hashes have no say here, so fewer are found than by :func:`find_duplicates`.
    """
    if not len(features) or not len(gallery):
        return np.empty(0, np.int64)
    unit, known = unit_rows(features), unit_rows(gallery)
    limit = min(distance for bits, distance in _limits(known, nearness or Nearness()) if bits >= _ALL_BITS)
    nearest = np.concatenate([(1 - unit[part] @ known.T).min(axis=1) for part in blocks(len(unit), len(known))])
    return np.flatnonzero(nearest <= limit).astype(np.int64)


def duplicate_groups(pairs: Sequence[Pair], count: int) -> npt.NDArray[np.int64]:
    """``[N]`` a number per photo, the same for photos that are linked by pairs: the row of the first of them."""
    sets = UnionFind(count)
    for pair in pairs:
        sets.union(pair.first, pair.second)
    return np.array(sets.roots(), dtype=np.int64)


def find_leaks(pairs: Sequence[Pair], splits: Sequence[str], split: str) -> dict[int, int]:
    """The rows of ``split`` whose photo, or one linked with it, is in another split as well; each with the first such row."""
    groups = duplicate_groups(pairs, len(splits)).tolist()
    elsewhere: dict[int, int] = {}
    for row, name in enumerate(splits):
        if name != split:
            elsewhere.setdefault(groups[row], row)
    return {row: elsewhere[groups[row]] for row, name in enumerate(splits) if name == split and groups[row] in elsewhere}


def across(pairs: Sequence[Pair], splits: Sequence[str]) -> list[Pair]:
    """The pairs whose photos are in different splits."""
    return [pair for pair in pairs if splits[pair.first] != splits[pair.second]]


def contradictions(pairs: Sequence[Pair], labels: Ints, targets: Ints | None = None) -> list[Pair]:
    """The pairs whose photos are labelled differently, by labels ``[N]``: one of the two must be wrong.

    Where photos may have several labels, by targets ``[N, K]`` of 1, 0 and -1: what nobody knows contradicts nothing.
    """
    if targets is not None:
        known = [(pair, targets[pair.first], targets[pair.second]) for pair in pairs]
        return [pair for pair, one, other in known if ((one != other) & (one >= 0) & (other >= 0)).any()]
    return [pair for pair in pairs if labels[pair.first] != labels[pair.second]]
