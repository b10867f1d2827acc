"""Heads that follow labels as they change, in a tenth of a second, from where they are.

:func:`tsugiki.heads.linear.fit_head` chooses a penalty and trains from nothing. Where a person has changed a label or two, the
penalty, the folds and nearly all of the heads are still right: a dozen steps over all photos at once bring them up to date.
What comes out is near what a fit from nothing gives, and no photo is judged by a head that has learned from it: every photo
stays in its fold. Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tsugiki.data.folds import IN_NO_FOLD
from tsugiki.features.store import Ints
from tsugiki.heads.linear import HeadFit, HeadSettings, Labelled, out_of_fold
from tsugiki.heads.solver import train_heads

_STEPS = 12


def refit_head(before: HeadFit, training: Labelled, folds: Ints, settings: HeadSettings | None = None) -> HeadFit | None:
    """The heads of an earlier fit, brought up to date.

    Args:
        before: A fit, or refit, of one label per photo and of as many classes.
        training: ``N`` photos as they are labelled now.
        folds: ``[N]`` the fold of each: those of ``before`` for photos that it had (:func:`folds_of_more` for others).
        settings: Of the fit.

    Returns:
        Without a history; ``None`` where there is nothing to go on from, so that only a fit from nothing helps.
    """
    if before.trained is None or before.out_of_fold is None or training.targets is not None:
        return None
    heads, scaling = before.trained
    heads = replace(heads, weight=heads.weight.clone(), bias=heads.bias.clone())
    plan = (settings or HeadSettings()).plan(training.labels, heads.bias.shape[1], folds)
    plan = replace(plan, epochs=_STEPS, batch_size=len(training.labels))
    train_heads(training.features, scaling, plan, heads, lambda *_: None)
    weight, bias = scaling.undo(heads.weight[:, -1].T, heads.bias[-1])
    if not torch.isfinite(weight).all():
        return None
    logits = out_of_fold(training.features, scaling, heads, folds)
    return HeadFit(weight, bias, [], logits, folds, before.notes, (heads, scaling))


def folds_of_more(groups: Ints, known: Ints, folds: Ints) -> Ints:
    """Folds ``[N]`` of photos of which some have one: the others go with their group, or else into the smallest fold.

    Args:
        groups: ``[N]`` what must not be separated.
        known: ``[N]`` bool: which photos have a fold.
        folds: ``[M]`` of those, in their order.
    """
    dealt = np.full(len(groups), IN_NO_FOLD, np.int64)
    dealt[known] = folds
    fold_of = {int(group): int(fold) for group, fold in zip(groups[known], folds, strict=True)}
    sizes = np.bincount(folds[folds != IN_NO_FOLD], minlength=1)
    for at in np.flatnonzero(~known.astype(bool)).tolist():
        fold = fold_of.setdefault(int(groups[at]), int(sizes.argmin()))
        dealt[at] = fold
        if fold != IN_NO_FOLD:
            sizes[fold] += 1
    return dealt
