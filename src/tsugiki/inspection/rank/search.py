"""The search: every network on a few photos, the better ones on more, then the best of them together.

Successive halving (Jamieson and Talwalkar, 2016) where a budget does not let every network look at every photo: what is spent
next is estimated before it is begun, from what the same work took before.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from tsugiki.backbones.names import JOINT
from tsugiki.core.console import say, working
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError, TsugikiError
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.join import joined
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.rank.candidates import Candidate, is_permissive
from tsugiki.inspection.rank.contender import Contender
from tsugiki.inspection.rank.head_costs import HeadCosts
from tsugiki.inspection.rank.judgement import Judgement, judge_features
from tsugiki.inspection.rank.rank_sentences import judged_sentence, no_time, too_large, too_slow, wrong_licence
from tsugiki.inspection.rank.rank_settings import Clock, RankSettings
from tsugiki.inspection.rank.training_photos import PhotosChangedError, TrainingPhotos
from tsugiki.locale.messages import tr

_SINGLES, _TOGETHER = 0.65, 0.85
"""Shares of the budget after which no network is judged alone any more, and none together with others."""

_FEW = 96  # photos that every network is judged on first, where time is short
_FEW_PER_CLASS = 8
_KEPT = 3  # networks that are never halved: they may be better together
_PARTNERS = 5  # networks, the best ones, that others are put together with

Parts = tuple[Contender, ...]


@dataclass
class Search:
    """One search.

    Attributes:
        photos: To judge on.
        settings: Limits.
        features: How features are computed.
        store: Where judgements are kept.
        clock: What is left of the budget.
        device: What computes.
        contenders: Networks that could be loaded and are within the limits, by candidate.
        left_out: Networks that are not judged, each with the reason.
        judgements: By the networks that are judged together, and how many photos.
    """

    photos: TrainingPhotos
    settings: RankSettings
    features: FeatureSettings
    store: FeatureStore
    clock: Clock
    device: torch.device
    contenders: dict[Candidate, Contender] = field(default_factory=dict)
    left_out: dict[Candidate, str] = field(default_factory=dict)
    judgements: dict[tuple[Parts, int], Judgement] = field(default_factory=dict)
    _costs: HeadCosts = field(default_factory=HeadCosts)
    _preparing: list[float] = field(default_factory=list)

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Judge the candidates alone, then the best of them together.

        Raises:
            DataError: When the photos cannot be cross-validated, or too few of them can be read.
        """
        while True:
            try:
                standing = self._alone(candidates)
                self._combine(standing)
            except PhotosChangedError:
                self.begin_anew(self.photos)
            else:
                return

    def begin_anew(self, photos: TrainingPhotos) -> None:
        """Forget judgements, but no network: they are about other photos."""
        self.photos = TrainingPhotos(photos.samples, self.settings.seed)
        self.judgements.clear()

    @property
    def most_photos(self) -> int:
        """The largest number of photos that a network was judged on."""
        return max((count for _, count in self.judgements), default=0)

    def of(self, parts: Parts) -> Judgement | None:
        """The judgement of networks together on the most photos that they were judged on."""
        counts = [count for these, count in self.judgements if these == parts]
        return self.judgements[parts, max(counts)] if counts else None

    # One network at a time.

    def _alone(self, candidates: Sequence[Candidate]) -> list[Contender]:
        """The networks that were judged on the most photos, the best first."""
        standing, count = self._first_round(candidates)
        while len(standing) > 1 and count < len(self.photos):
            kept, following = self._halved(standing, count), self._next_count(standing, count)
            judged = [each for each in kept if following > count and self._judge_alone(each, following)]
            if not judged:
                break
            standing, count = judged, following
        for candidate, contender in self.contenders.items():
            if self.of((contender,)) is None:
                self.left_out[candidate] = no_time()
        best = [each for each in standing if ((each,), self.most_photos) in self.judgements]
        return sorted(best, key=lambda each: -self.judgements[(each,), self.most_photos].value)

    def _first_round(self, candidates: Sequence[Candidate]) -> tuple[list[Contender], int]:
        """Judge everybody: on all photos if there is time for that, else on a few; who was judged, and on how many."""
        everyone = len(self.photos)
        few = max(_FEW, _FEW_PER_CLASS * len(self.photos.samples.classes))
        few = few if 2 * few < everyone else everyone
        standing: list[Contender] = []
        count = few
        # Random weights last: near copies are known by the features of the first.
        for candidate in sorted(candidates, key=lambda one: one.weights == "none"):
            contender = self._ready(candidate, count)
            if contender is None:
                continue
            if not standing and self._is_time_for_all(contender, len(candidates)):
                count = everyone
            if self._judge_alone(contender, count):
                standing.append(contender)
            elif count > few and candidate in self.contenders:
                self._judge_alone(contender, few)
        return standing, count

    def _is_time_for_all(self, first: Contender, count: int) -> bool:
        """Whether so many networks can be judged on every photo, if they are as the first."""
        return count * (self._usual_start() + self._cost((first,), len(self.photos))) <= self._time_left()

    def _ready(self, candidate: Candidate, count: int) -> Contender | None:
        """The candidate, loaded and measured; ``None``, with the reason kept, where it cannot be judged."""
        if candidate in self.left_out or candidate in self.contenders:
            return self.contenders.get(candidate)
        if self.contenders and self._time_left() < self._usual_start() + self._costs.guess(count):
            self.left_out[candidate] = no_time()
            return None
        begun = time.monotonic()
        try:
            with working(tr("{name}: getting ready", name=visible(candidate, one_line=True))):
                contender, reason = self._prepared(candidate)
        except TsugikiError as error:
            contender, reason = None, _why(error)
        self._preparing.append(time.monotonic() - begun)
        if contender is None or reason:
            self.left_out[candidate] = reason
            return None
        self.contenders[candidate] = contender
        return contender

    def _prepared(self, candidate: Candidate) -> tuple[Contender, str]:
        """The candidate, loaded and, unless it must not be chosen, measured; and why it must not.

        Raises:
            TsugikiError: When it cannot be loaded.
        """
        backbone = candidate.load(seed=self.settings.seed)
        if backbone.device != self.device:  # moving a network that is known would build it
            backbone = backbone.to(self.device)
        contender = Contender(candidate, backbone, self.features)
        if reason := self._unwanted(contender):
            return contender, reason
        contender.measure(self.store, self.photos.samples)
        if self.clock.budget is None:  # else only of those that it is asked of, while there is time
            contender.latency(self.store, self.photos.samples)
        return contender, self._too_slow((contender,))

    def _unwanted(self, contender: Contender) -> str:
        """Why a network must not be chosen, whatever it is worth; empty where it may."""
        if self.settings.licence == "permissive" and not is_permissive(contender.licence):
            return wrong_licence(contender.licence)
        most = self.settings.max_size
        return too_large(contender.megabytes, most) if most is not None and contender.megabytes > most else ""

    def _too_slow(self, parts: Parts) -> str:
        most = self.settings.max_latency
        if most is None:
            return ""
        latency = sum(part.latency(self.store, self.photos.samples) for part in parts)
        return too_slow(latency, most) if latency > most else ""

    def _usual_start(self) -> float:
        """Seconds that getting a network ready usually takes."""
        return statistics.median(self._preparing) if self._preparing else 0.0

    def _time_left(self) -> float:
        return self.clock.left(_SINGLES)

    def _halved(self, standing: Sequence[Contender], count: int) -> list[Contender]:
        """All where there is time for all of them on every photo, else the better half."""
        if sum(self._cost((each,), len(self.photos)) for each in standing) <= self._time_left():
            return list(standing)
        best = sorted(standing, key=lambda each: -self.judgements[(each,), count].value)
        return best[: max(_KEPT, -(-len(standing) // 2))]

    def _next_count(self, standing: Sequence[Contender], count: int) -> int:
        """How many photos there is time for, for all of these."""
        following, kept = count, self._halved(standing, count)
        doubled = (count * 2**step for step in range(1, 30))
        for tried in (*(each for each in doubled if each < len(self.photos)), len(self.photos)):
            if sum(self._cost((each,), tried) for each in kept) <= self._time_left():
                following = tried
        return following

    def _judge_alone(self, contender: Contender, count: int) -> bool:
        """Judge one network; whether there was time, and it could be."""
        if ((contender,), count) in self.judgements:
            return True
        first = not self.judgements  # somebody has to be judged, or there is no answer
        clock = Clock() if first else self.clock
        if not first and self._cost((contender,), count) > self._time_left():
            return False
        try:
            if not self.photos.look_at(contender, count, clock, share=_SINGLES):
                return False
            return self._judged((contender,), count)
        except DataError:
            raise
        except TsugikiError as error:
            self.left_out[contender.candidate] = _why(error)
            self.contenders.pop(contender.candidate, None)
            return False

    def _cost(self, parts: Parts, count: int) -> float:
        """Seconds that judging networks together on so many photos will take."""
        looking = sum(self.photos.missing(part, count) * part.seconds_per_photo for part in parts)
        return looking + self._costs.guess(count, sum(part.engines.num_features for part in parts))

    def _judged(self, parts: Parts, count: int) -> bool:
        """Judge networks together on photos that they have looked at.

        Raises:
            DataError: When all photos of all classes belong together.
        """
        tables = [self.photos.table(part, count) for part in parts]
        table = tables[0] if len(parts) == 1 else self.photos.with_own_pairs(joined(tables), count)
        classes, settings = len(self.photos.samples.classes), HeadSettings(seed=self.settings.seed)
        begun, about = time.monotonic(), repr([part.about for part in parts])
        with working(tr("{name}: cross-validating", name=visible(name_of(parts), one_line=True))):
            found = judge_features(table, classes, settings, store=self.store, about=about)
        if found is None:
            raise DataError(
                tr("Networks cannot be compared: the training photos cannot be cross-validated."),
                allowed=tr("two classes or more with two training photos or more that do not belong together"),
                cure=tr("name the network yourself: {example}", example="tsugiki fit DATA --backbone NAME"),
            )
        if not found.found_again:
            self._costs.note(count, table.train.width, time.monotonic() - begun)
        self.judgements[parts, count] = found
        say(judged_sentence(name_of(parts), found, several=self.photos.samples.task == "multi"))
        return True

    # Several networks together.

    def _combine(self, standing: Sequence[Contender]) -> None:
        """Greedy: to the best network the one that helps it most, as long as one does."""
        partners = [each for each in standing[:_PARTNERS] if each.is_trained]
        pairs = ((one, other) for one in partners for other in partners if other is not one and self._may_be((one, other)))
        current: Parts | None = next(((one,) for one, _ in pairs), None)
        while current is not None and len(current) < self.settings.parts:
            current = self._best_with(current, partners)

    def _best_with(self, parts: Parts, partners: Sequence[Contender]) -> Parts | None:
        """The networks with the one more that helps them most; ``None`` where none does, or may be added."""
        count = self.most_photos
        larger = [(*parts, partner) for partner in partners if partner not in parts]
        tried = [more for more in larger if self._may_be(more) and self._judge_joint(more, count)]
        best = max(tried, key=lambda these: self.judgements[these, count].value, default=parts)
        return best if self.judgements[best, count].value > self.judgements[parts, count].value else None

    def _may_be(self, parts: Parts) -> bool:
        size, keys = sum(part.megabytes for part in parts), {part.engines.key for part in parts}
        if len(keys) < len(parts):
            return False  # one network under two names
        return not self._too_slow(parts) and (self.settings.max_size is None or size <= self.settings.max_size)

    def _judge_joint(self, parts: Parts, count: int) -> bool:
        if any(set(these) == set(parts) for these, _ in self.judgements):
            return False  # the same networks in another order
        if self._cost(parts, count) > self.clock.left(_TOGETHER):
            return False
        return self._judged(parts, count)


def _why(error: TsugikiError) -> str:
    return " ".join(filter(None, (error.what, error.got)))


def name_of(parts: Parts) -> str:
    """As it is typed after ``--backbone``."""
    return JOINT.join(part.name for part in parts)
