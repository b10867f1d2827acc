"""``rank``: which pretrained network, or which of them together, is best for some photos, before anything is trained.

Choices are made on training photos only: no label of a held-out photo is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tsugiki.core.console import say, telling_once
from tsugiki.core.devices import pick_device
from tsugiki.core.errors import RequestError
from tsugiki.data.load import load
from tsugiki.data.samples import Samples, require_labels
from tsugiki.features.engines.joined_engine import JoinedEngines
from tsugiki.features.executor import EXACT, FAST
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.rank.candidates import Candidate, candidates
from tsugiki.inspection.rank.choice import groups, in_order, reason, recommended
from tsugiki.inspection.rank.contender import Contender
from tsugiki.inspection.rank.judgement import beats_guessing
from tsugiki.inspection.rank.judging import ALONE, Judge, Parts, name_of
from tsugiki.inspection.rank.rank_sentences import is_unknown, no_better_than, unknown_licence
from tsugiki.inspection.rank.rank_settings import Clock, RankSettings
from tsugiki.inspection.rank.ranked_network import NotJudged, RankedNetwork
from tsugiki.inspection.rank.ranking import Ranking, guess_of
from tsugiki.inspection.rank.search import search
from tsugiki.inspection.rank.training_photos import TrainingPhotos, look_at
from tsugiki.locale.messages import first_few, tr

_MOST_SPLITS = 3  # times that other photos are held out because near copies, or photos that cannot be read, were found


@telling_once()
def rank(
    data: Any,
    *,
    backbones: str | Iterable[str] | None = None,
    settings: RankSettings | None = None,
    features: FeatureSettings | None = None,
    zoo: str | Path | None = None,
    device: str | None = None,
    clock: Clock | None = None,
) -> Ranking:
    """Judge pretrained networks by cross-validation on the training photos, and recommend one, or several together.

    Features and judgements are kept: who interrupts it and begins again waits for nothing twice, and a ``fit`` with the
    recommended network finds the features of all its photos in the store.

    Args:
        data: Samples from :func:`tsugiki.load`, or what that takes.
        backbones: ``NAME`` or ``NAME=WEIGHTS``, one or several; without any all networks whose weights are on this machine.
        settings: Budget and limits.
        features: Engine, store and executor; augmented views are not used.
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
        device: ``cpu``, ``cuda`` or ``mps``; by default the best one.
        clock: When the budget began, where that was before.

    Raises:
        RequestError: When the photos have no labels, or not one network could be judged.
        DataError: When the photos cannot be used, or not be cross-validated.
    """
    settings = settings or RankSettings()
    clock = clock or Clock(settings.budget)
    features = replace(features or FeatureSettings(), views=0)
    store = features.store or FeatureStore()
    features = replace(features, store=store)
    listed = candidates(backbones, zoo)
    samples = data if isinstance(data, Samples) else load(data, seed=settings.seed, index=store)
    require_labels(samples)
    judge = Judge(TrainingPhotos(samples, settings.seed), settings, features, store, clock, pick_device(device))
    search(judge, listed)
    _require_some(judge)
    final, to_decode = _finished(judge, listed, samples)
    judge.clock = clock
    return _ranking(judge, final, to_decode)


def _require_some(judge: Judge) -> None:
    if not judge.judgements:
        raise RequestError(
            tr("Not one network could be judged."),
            got=first_few([f"{name}: {why}" for name, why in judge.left_out.items()]),
            cure=tr("name others (`tsugiki backbones` lists them), or allow more"),
        )


def _finished(judge: Judge, listed: list[Candidate], samples: Samples) -> tuple[Samples, int]:
    """Look at all that a fit with the recommended network will need; the photos of that fit, and how many it must decode.

    Held-out photos are decoded, their labels are not read. Where their features show that a draw has parted near copies, or
    some cannot be read, other photos are held out, as by the fit: then everything is judged again on those to learn from.
    """
    for _ in range(_MOST_SPLITS):
        chosen = recommended(judge)
        found, to_decode = _looked_at(judge, chosen, samples)
        if to_decode or (found.names, found.splits) == (judge.photos.samples.names, judge.photos.samples.splits):
            return found, to_decode
        if not _is_time_to_judge_again(judge):
            moved = {*judge.photos.samples.of("train").digests} - {*found.of("train").digests}
            say(
                tr(
                    "There is no time to judge again: of the photos that were judged, fit will hold {count} out.",
                    count=len(moved),
                )
            )
            return found, to_decode
        say(tr("Other photos are held out now, as the fit will do: the networks are judged again on those to learn from."))
        judge.begin_anew(TrainingPhotos(found, judge.settings.seed))
        judge.clock = Clock(judge.clock.budget and judge.clock.left())
        search(judge, listed)
    return _looked_at(judge, recommended(judge), samples)  # perhaps another one than before


def _is_time_to_judge_again(judge: Judge) -> bool:
    """Whether all that were judged alone can be judged once more; their features are there."""
    if judge.clock.budget is None:
        return True
    alone = [parts for parts in in_order(judge) if len(parts) == 1]
    return sum(judge.cost(parts, judge.most_photos) for parts in alone) < ALONE * judge.clock.left()


def _looked_at(judge: Judge, chosen: Parts, samples: Samples) -> tuple[Samples, int]:
    """The photos as a fit settles them, with features of all in the store; how many are missing where time is up."""
    ways = [(samples.train_rows, FAST), (samples.val_rows, EXACT), (samples.held_out_rows, EXACT)]
    parts = [(samples.take(rows), way) for rows, way in ways if rows]
    for contender in chosen:
        for part, way in parts:
            if look_at(contender, replace(part, draw=None), way, judge.clock) is None:
                return samples, max(_missing(each, parts) for each in chosen)
    engines = chosen[0].engines if len(chosen) == 1 else JoinedEngines([each.engines for each in chosen])
    return extract(samples, engines, settings=judge.features).samples, 0


def _missing(contender: Contender, parts: list[tuple[Samples, Any]]) -> int:
    return sum(contender.extractor.missing(part, way) for part, way in parts)


def _ranking(judge: Judge, samples: Samples, to_decode: int) -> Ranking:
    order, chosen = in_order(judge), recommended(judge)
    _measure_latencies(judge, [chosen, *order])
    numbers = groups(judge, order)
    several = samples.task == "multi"
    warnings = [unknown_licence(part.name) for part in chosen if is_unknown(part.licence)]
    guess = guess_of(samples)
    if guess is not None and not beats_guessing(judge.latest[chosen]):
        warnings.append(no_better_than(guess))
    return Ranking(
        rows=tuple(_row(judge, parts, numbers[parts]) for parts in order),
        best=name_of(chosen),
        reason=reason(judge, chosen),
        left_out=tuple(NotJudged(str(one), why) for one, why in judge.left_out.items()),
        metric="mean_average_precision" if several else "accuracy",
        photos=len(judge.photos),
        to_decode=to_decode,
        seconds=judge.clock.spent,
        budget=judge.settings.budget,
        warnings=tuple(warnings),
        samples=samples,
        seed=judge.settings.seed,
    )


def _measure_latencies(judge: Judge, order: list[Parts]) -> None:
    """The most important ones first; those that there is no time for stay unknown."""
    for part in (part for parts in order for part in parts):
        if judge.clock.left() > 1.0:  # seconds that it takes at most
            part.latency(judge.store, judge.photos.samples)


def _row(judge: Judge, parts: Parts, group: int) -> RankedNetwork:
    judgement = judge.latest[parts]
    speeds = [part.speed for part in parts if part.speed is not None]
    assert len(speeds) == len(parts)  # noqa: S101 (only such parts are judged)
    latencies = [part.latency_ms for part in parts if part.latency_ms is not None]
    return RankedNetwork(
        name=name_of(parts),
        group=group,
        score=judgement.value,
        interval=judgement.interval,
        log_loss=judgement.log_loss,
        photos=judgement.photos,
        judged=judgement.judged,
        photos_per_second=1 / sum(1 / speed.photos_per_second for speed in speeds),
        latency_ms=sum(latencies) if len(latencies) == len(parts) else None,
        parameters=sum(part.parameters for part in parts),
        megabytes=sum(part.megabytes for part in parts),
        licence=" + ".join(dict.fromkeys(part.licence for part in parts)),
        engine=" + ".join(dict.fromkeys(speed.engine for speed in speeds)),
        found_again=judgement.found_again,
        candidates=tuple(part.candidate for part in parts),
    )
