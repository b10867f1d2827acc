"""Probabilities of classes -> probabilities of their parents, and the deepest node that is sure enough to be named.

A photo of one class is of a parent where it is of any class below: probabilities add up. Labels that come together do not
exclude each other, and how often they come together is not known: there a parent is at least as probable as the most probable
class below. So a parent of several labels is never surer than its surest class, and "at least" is asked of one label only.

That a node of one label is named takes more than one half, and two nodes that exclude each other cannot both have that: what is
sure lies on one way from a root down, and its deepest node is the most that can be said (J. Deng et al., Hedging Your Bets,
2012). What every class is a kind of is never named: that was sure before anybody looked.

Letters: ``B`` photos, ``K`` classes, ``P`` inner nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import Task
from tsugiki.data.taxonomy import Taxonomy

NOBODY = -1
"""In place of an inner node where none is named."""


def parent_probabilities(taxonomy: Taxonomy, probabilities: npt.NDArray[Any], task: Task) -> npt.NDArray[np.float32]:
    """``[B, P]`` of the inner nodes: sums of what is below them, or its maxima for several labels.

    They are put together from below, so that rounding never makes a parent less probable than a child.

    Args:
        taxonomy: Above ``K`` classes.
        probabilities: ``[B, K]``.
        task: ``single``: sums; ``multi``: maxima.
    """
    join = np.add if task == "single" else np.maximum
    found = np.zeros((len(probabilities), len(taxonomy.inner)), np.float64)
    for column, name in enumerate(taxonomy.classes):
        at = taxonomy.row.get(name, taxonomy.row.get(taxonomy.parents[name], NOBODY))
        if at != NOBODY:
            join(found[:, at], probabilities[:, column], out=found[:, at])
    for at in reversed(range(len(taxonomy.inner))):  # parents stand before their children
        if above := taxonomy.parents[taxonomy.inner[at]]:
            join(found[:, taxonomy.row[above]], found[:, at], out=found[:, taxonomy.row[above]])
    return np.minimum(found, 1.0).astype(np.float32)


def deepest_sure(
    taxonomy: Taxonomy, probabilities: npt.NDArray[Any], parents: npt.NDArray[Any], known: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.int64]:
    """``[B]`` the deepest inner node that is sure where no class is; :data:`NOBODY` where a class is, or no node.

    Args:
        taxonomy: Above ``K`` classes.
        probabilities: ``[B, K]`` of one label.
        parents: ``[B, P]`` of the inner nodes.
        known: ``[B]`` whether the photo is like those that were learned from: nothing is named where not; ``None``: all are.
    """
    tells = ~taxonomy.within.all(axis=1)
    sure = tells & (np.asarray(parents, np.float32) >= np.float32(taxonomy.sure))
    # Nodes stand after their parents, so the last one that is sure is the deepest.
    last = len(taxonomy.inner) - 1 - np.argmax(sure[:, ::-1], axis=1)
    wanted = sure.any(axis=1) & (np.asarray(probabilities, np.float32).max(axis=1) < np.float32(taxonomy.sure))
    return np.where(wanted if known is None else wanted & known, last, NOBODY).astype(np.int64)
