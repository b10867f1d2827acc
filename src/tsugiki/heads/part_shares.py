"""How much each of several backbones has to say in what a head answers.

Letters: ``N`` photos, ``D`` width of all parts together, ``K`` classes, ``P`` parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tsugiki.features.store import FeatureRows, Floats
from tsugiki.locale.messages import listed, tr

_ENOUGH = 5_000  # photos that tell the shares


def part_shares(features: FeatureRows, weight: Floats, widths: Sequence[int]) -> list[float]:
    """The share of each part in the differences between logits, over photos and classes.

    A logit is the sum of what each part adds; the covariance of a part's own sum with the whole, by the variance of the whole,
    is its share. Shares add up to 1; a part that speaks against the others may have less than nothing.

    Args:
        features: Of ``N`` photos.
        weight: ``[K, D]`` of the head.
        widths: ``P`` widths, ``D`` together.
    """
    step = max(1, -(-len(features) // _ENOUGH))
    vectors = features.take(slice(None, None, step)).astype(np.float64)
    ends = np.cumsum(widths)
    sums = []
    for end, width in zip(ends, widths, strict=True):
        own = vectors[:, end - width : end] @ weight[:, end - width : end].T  # [N, K]
        own = own - own.mean(axis=1, keepdims=True)  # what is added to every class alike tells nothing
        sums.append(own - own.mean(axis=0))
    whole = np.sum(sums, axis=0)
    total = float((whole**2).sum())
    return [float((own * whole).sum()) / total if total > 0 else 1 / len(sums) for own in sums]


def shares_sentence(shares: Mapping[str, float]) -> str:
    """The shares by the names of the backbones, for the person."""
    told = listed(f"{name} {share:.0%}" for name, share in shares.items())
    return tr("What tells the classes apart comes from: {shares}.", shares=told)
