"""The search: every network on a few photos, the better ones on more, then the best of them together, and with their stages.

Successive halving (Jamieson and Talwalkar, 2016) where a budget does not let every network look at every photo: what is spent
next is estimated before it is begun, from what the same work took before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tsugiki.backbones.names import MULTI
from tsugiki.inspection.rank.candidates import Candidate
from tsugiki.inspection.rank.contender import Contender
from tsugiki.inspection.rank.judging import ALONE, Judge, Parts, TooFewPhotosError
from tsugiki.inspection.rank.rank_sentences import no_time
from tsugiki.inspection.rank.training_photos import PhotosChangedError

_FEW = 64  # photos that every network is judged on first, where time is short
_FEW_PER_CLASS = 8
_KEPT = 3  # networks that are never halved: they may be better together
_MOST_AWAKE = 6  # networks that are in memory at a time
_PARTNERS = 5  # networks, the best ones, that others are put together with


def search(judge: Judge, candidates: Sequence[Candidate]) -> None:
    """Judge candidates alone, then the best of them together, then those with their stages.

    Raises:
        DataError: When the photos cannot be cross-validated, or too few of them can be read.
    """
    classes = len(judge.photos.samples.classes)
    few = max(_FEW, _FEW_PER_CLASS * classes)
    while True:
        try:
            best = _combined(judge, _alone(judge, candidates, few))
            if judge.settings.parts > 1:
                _judge_stages(judge, best)
        except PhotosChangedError:
            judge.begin_anew(judge.photos)
        except TooFewPhotosError:
            few = len(judge.photos)
        else:
            return


def _alone(judge: Judge, candidates: Sequence[Candidate], few: int) -> list[Contender]:
    """The networks that were judged on the most photos, the best first."""
    standing, count = _first_round(judge, candidates, few)
    while len(standing) > 1 and count < len(judge.photos):
        kept = _halved(judge, standing, count)
        following = _next_count(judge, kept, count)
        judged = [each for each in kept if following > count and judge.judge_alone(each, following)]
        if not judged:
            break
        standing, count = judged, following
    for candidate, contender in judge.contenders.items():
        if (contender,) in judge.latest:
            judge.left_out.pop(candidate, None)  # in an earlier search there was no time
        else:
            judge.left_out[candidate] = no_time()
    most = judge.most_photos
    best = [each for each in standing if ((each,), most) in judge.judgements]
    return sorted(best, key=lambda each: judge.judgements[(each,), most].cost)


def _first_round(judge: Judge, candidates: Sequence[Candidate], few: int) -> tuple[list[Contender], int]:
    """Judge everybody: on all photos as long as there is time for that, else on a few; who was judged, and on how many."""
    everyone = len(judge.photos)
    few = few if 2 * few < everyone else everyone
    standing: list[Contender] = []
    costs: list[float] = []
    count = everyone
    # Random weights last: near copies are known by the features of the first.
    order = sorted(candidates, key=lambda one: one.weights == "none")
    for place, candidate in enumerate(order):
        contender = judge.ready(candidate, count)
        if contender is None:
            continue
        costs.append(judge.cost((contender,), everyone))
        if count > few and not _is_time_for_all(judge, costs, len(order) - place):
            count = few
            for each in standing:  # all are compared on the same photos: who was quick has no advantage of it
                if judge.judge_alone(each, few):
                    judge.forget(each, everyone)
        if judge.judge_alone(contender, count):
            standing.append(contender)
            for each in standing[:-_MOST_AWAKE]:  # however many there are, they need not fit into memory together
                each.engines.release()
        elif count > few and candidate in judge.contenders:
            judge.judge_alone(contender, few)
    return [each for each in standing if ((each,), count) in judge.judgements], count


def _is_time_for_all(judge: Judge, costs: Sequence[float], waiting: int) -> bool:
    """Whether all that wait can be judged on every photo, if they are as those so far."""
    if judge.clock.budget is None:
        return True
    return waiting * (judge.usual_start + sum(costs) / len(costs)) <= judge.clock.left(ALONE)


def _halved(judge: Judge, standing: Sequence[Contender], count: int) -> list[Contender]:
    """All where there is time for all of them on every photo, else the better half."""
    if _can_all(judge, standing, len(judge.photos)):
        return list(standing)
    best = sorted(standing, key=lambda each: judge.judgements[(each,), count].cost)
    return best[: max(_KEPT, -(-len(standing) // 2))]


def _next_count(judge: Judge, kept: Sequence[Contender], count: int) -> int:
    """How many photos there is time for, for all of these; at least twice as many as before, or as many."""
    everyone, following = len(judge.photos), count
    doubled = [count * 2**step for step in range(1, 30) if count * 2**step < everyone]
    for tried in (*doubled, everyone):
        if _can_all(judge, kept, tried):
            following = tried
    return following


def _can_all(judge: Judge, these: Sequence[Contender], count: int) -> bool:
    return sum(judge.cost((each,), count) for each in these) <= judge.clock.left(ALONE)


def _combined(judge: Judge, standing: Sequence[Contender]) -> Parts:
    """Greedy: to the best network the one that helps it most, as long as one does. What is the best then."""
    partners = [each for each in standing[:_PARTNERS] if each.is_trained]
    pairs = ((one, other) for one in partners for other in partners if other is not one and judge.may_be((one, other)))
    best: Parts = tuple(standing[:1])
    larger: Parts | None = next(((one,) for one, _ in pairs), None)
    while larger is not None and len(larger) < judge.settings.parts:
        larger = _best_with(judge, larger, partners)
        best = larger or best
    return best


def _best_with(judge: Judge, parts: Parts, partners: Sequence[Contender]) -> Parts | None:
    """The networks with the one more that helps them most; ``None`` where none does, or may be added."""
    count = judge.most_photos
    larger = [(*parts, partner) for partner in partners if partner not in parts]
    tried = [more for more in larger if judge.may_be(more) and judge.judge_joint(more, count)]
    best = min(tried, key=lambda these: judge.judgements[these, count].cost, default=parts)
    return best if judge.judgements[best, count].cost < judge.judgements[parts, count].cost else None


def _judge_stages(judge: Judge, best: Parts) -> None:
    """The best ones once more, each with what it sees before its last layer: for textures often better, for dishes not."""
    count = judge.most_photos
    staged = [_with_stages(judge, part, count) for part in best if part.is_trained]
    found = tuple(part for part in staged if part is not None)
    if len(found) == len(best) > 1 and judge.may_be(found):
        judge.judge_joint(found, count)


def _with_stages(judge: Judge, part: Contender, count: int) -> Contender | None:
    """The network with its stages, judged alone; ``None`` where it has none, or there is no time."""
    if part.candidate.name.endswith(MULTI):
        return part
    candidate = replace(part.candidate, name=part.candidate.name + MULTI)
    contender = judge.ready(candidate, count)
    if contender is None or not judge.judge_alone(contender, count):
        judge.left_out.setdefault(candidate, no_time())
        return None
    judge.left_out.pop(candidate, None)
    return contender
