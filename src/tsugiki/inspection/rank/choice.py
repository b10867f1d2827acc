"""Which network is recommended, and which cannot be told apart: from judgements on training photos alone."""

from __future__ import annotations

from collections.abc import Sequence

from tsugiki.inspection.rank.judgement import can_be_told_apart
from tsugiki.inspection.rank.judging import Judge, Parts, name_of
from tsugiki.inspection.rank.rank_sentences import best_one, cheaper_one, joint_gain, likelier_one, only_one, score_text
from tsugiki.locale.messages import in_a_row

_AS_GOOD = 0.005
"""Of mean average precision: who is no worse than that is as good, and the fastest of these is taken."""


def in_order(judge: Judge) -> list[Parts]:
    """Everything that was judged, the best first; what was judged on fewer photos comes behind."""
    judged = judge.latest
    return sorted(judged, key=lambda parts: (-judged[parts].photos, -judged[parts].value, len(parts), name_of(parts)))


def groups(judge: Judge, order: Sequence[Parts]) -> dict[Parts, int]:
    """A number for each: the same where the best of a group cannot be told apart from it.

    Args:
        judge: With judgements.
        order: From :func:`in_order`.
    """
    judged, group = judge.latest, 0
    numbers: dict[Parts, int] = {}
    for leader in order:
        if leader in numbers:
            continue
        group += 1
        for parts in order:
            same = judged[parts].photos == judged[leader].photos
            if parts not in numbers and same and not can_be_told_apart(judged[leader], judged[parts]):
                numbers[parts] = group
    return numbers


def recommended(judge: Judge) -> Parts:
    """The one with the least log loss among those that are not told apart from the most accurate one.

    With several labels per photo the fastest of those that are as good as the best.
    """
    judged, order = judge.latest, in_order(judge)
    best = judged[order[0]]
    same = [each for each in order if judged[each].photos == best.photos]
    if best.log_loss is None:
        return min((each for each in same if judged[each].value >= best.value - _AS_GOOD), key=_seconds)
    near = [each for each in same if each == order[0] or not can_be_told_apart(best, judged[each])]
    return min(near, key=lambda each: (judged[each].cost, _seconds(each)))


def reason(judge: Judge, chosen: Parts) -> str:
    """Why it is recommended."""
    judged, order = judge.latest, in_order(judge)
    several = judge.photos.samples.task == "multi"
    best, single = order[0], next((each for each in order if len(each) == 1), order[0])
    if len(order) == 1:
        return only_one(name_of(chosen))
    score = score_text(judged[best].value, several=several)
    if chosen == best:
        told = best_one(name_of(chosen), score)
    elif several:
        told = cheaper_one(name_of(chosen), name_of(best), score)
    else:
        told = likelier_one(name_of(chosen), name_of(best), judged[chosen], judged[best])
    if len(chosen) == 1 or judged[chosen].photos != judged[single].photos:
        return told
    gain = judged[chosen].value - judged[single].value
    if gain <= 0:  # it is recommended for its log loss, or its speed, alone
        return told
    return in_a_row(told, joint_gain(name_of(single), gain, proven=can_be_told_apart(judged[single], judged[chosen])))


def _seconds(parts: Parts) -> float:
    return sum(1 / part.speed.photos_per_second for part in parts if part.speed is not None)
