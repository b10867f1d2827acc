"""Who judges networks: gets them ready, lets them look at photos, cross-validates, and knows what that costs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.names import JOINT
from tsugiki.core.console import say, working
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError, TsugikiError, UnknownName
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.join import joined
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.backbone_photos import not_to_rank
from tsugiki.inspection.rank.candidates import Candidate, is_permissive
from tsugiki.inspection.rank.contender import Contender
from tsugiki.inspection.rank.head_costs import HeadCosts
from tsugiki.inspection.rank.judgement import Judgement, judge_features
from tsugiki.inspection.rank.rank_sentences import judged_sentence, no_time, too_large, too_slow, wrong_licence
from tsugiki.inspection.rank.rank_settings import Clock, RankSettings
from tsugiki.inspection.rank.speed import ENOUGH, LITTLE
from tsugiki.inspection.rank.training_photos import TrainingPhotos
from tsugiki.locale.messages import in_a_row, tr

ALONE, JOINTLY = 0.9, 1.0
"""Shares of the budget after which no network is judged alone any more, and none together with others."""

Parts = tuple[Contender, ...]


class TooFewPhotosError(Exception):
    """So few photos cannot be cross-validated; all of them perhaps can."""


@dataclass
class Judge:
    """Judges networks, and remembers what it found.

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

    def begin_anew(self, photos: TrainingPhotos) -> None:
        """Forget judgements, but no network: they are about other photos."""
        self.photos = TrainingPhotos(photos.samples, self.settings.seed)
        self.judgements.clear()

    def forget(self, contender: Contender, count: int) -> None:
        """Forget what one network is worth on so many photos; the store does not."""
        del self.judgements[(contender,), count]

    @property
    def most_photos(self) -> int:
        """The largest number of photos that a network was judged on."""
        return max((count for _, count in self.judgements), default=0)

    @property
    def latest(self) -> dict[Parts, Judgement]:
        """By networks: their judgement on the most photos that they were judged on."""
        return {parts: self.judgements[parts, count] for parts, count in sorted(self.judgements, key=lambda key: key[1])}

    # Getting ready.

    def ready(self, candidate: Candidate, count: int) -> Contender | None:
        """The candidate, loaded and measured; ``None``, with the reason kept, where it cannot be judged."""
        if candidate in self.left_out or candidate in self.contenders:
            return self.contenders.get(candidate)
        if self.contenders and self.clock.left(ALONE) < self.usual_start + self._costs.guess(count):
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

        def load() -> Backbone:
            backbone = candidate.load(seed=self.settings.seed)
            # Moving a network that is known would build it.
            return backbone if backbone.device == self.device else backbone.to(self.device)

        contender = Contender(candidate, load, self.features)
        if reason := self._unwanted(contender):
            return contender, reason
        hurry = self.clock.budget is not None
        contender.measure(self.store, self.photos.samples, LITTLE if hurry else ENOUGH)
        if not hurry:  # else only of those that it is asked of, while there is time
            contender.latency(self.store, self.photos.samples)
        return contender, self._too_slow((contender,))

    def _unwanted(self, contender: Contender) -> str:
        """Why a network must not be chosen, whatever it is worth; empty where it may."""
        if self.settings.licence == "permissive" and not is_permissive(contender.licence):
            return wrong_licence(contender.licence)
        most = self.settings.max_size
        if most is not None and contender.megabytes > most:
            return too_large(contender.megabytes, most)
        return not_to_rank(contender.learned_from, self.photos.samples)

    def may_be(self, parts: Parts) -> bool:
        """Whether networks together are within the limits, and each another one."""
        size, keys = sum(part.megabytes for part in parts), {part.engines.key for part in parts}
        if len(keys) < len(parts):
            return False  # one network under two names
        return not self._too_slow(parts) and (self.settings.max_size is None or size <= self.settings.max_size)

    def _too_slow(self, parts: Parts) -> str:
        """Why networks together take too long, likewise."""
        most = self.settings.max_latency
        if most is None:
            return ""
        latency = sum(part.latency(self.store, self.photos.samples) for part in parts)
        return too_slow(latency, most) if latency > most else ""

    # Judging.

    def judge_alone(self, contender: Contender, count: int) -> bool:
        """Judge one network; whether there was time, and it could be.

        Raises:
            DataError: When photos cannot be used, or not be cross-validated.
        """
        if ((contender,), count) in self.judgements:
            return True
        first = not self.judgements  # somebody has to be judged, or there is no answer
        clock = Clock() if first else self.clock
        if not (first or self.is_affordable((contender,), count, ALONE)):
            return False
        try:
            if not self.photos.look_at(contender, count, clock, share=ALONE):
                return False
            return self._judged((contender,), count)
        except DataError:
            raise
        except TsugikiError as error:
            self.left_out[contender.candidate] = _why(error)
            self.contenders.pop(contender.candidate, None)
            return False

    def judge_joint(self, parts: Parts, count: int) -> bool:
        """Judge networks together on photos that each has looked at; whether there was time, and they are new together."""
        if any(set(these) == set(parts) for these, _ in self.judgements):
            return False  # the same networks in another order
        return self.is_affordable(parts, count, JOINTLY) and self._judged(parts, count)

    def _judged(self, parts: Parts, count: int) -> bool:
        """Judge networks together on photos that they have looked at.

        Raises:
            DataError: When all photos of all classes belong together.
            TooFewPhotosError: When these do.
        """
        tables = [self.photos.table(part, count) for part in parts]
        table = tables[0] if len(parts) == 1 else self.photos.with_own_pairs(joined(tables), count)
        classes, settings = len(self.photos.samples.classes), HeadSettings(seed=self.settings.seed)
        begun, about = time.monotonic(), repr([part.about for part in parts])
        with working(tr("{name}: cross-validating", name=visible(name_of(parts), one_line=True))):
            found = judge_features(table, classes, settings, store=self.store, about=about)
        if found is None and count < len(self.photos):
            raise TooFewPhotosError
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

    # What it costs.

    def is_affordable(self, parts: Parts, count: int, share: float) -> bool:
        """Whether so much of the budget is left as judging will take."""
        return self.clock.budget is None or self.cost(parts, count) <= self.clock.left(share)

    def cost(self, parts: Parts, count: int) -> float:
        """Seconds that judging networks together on so many photos will take."""
        looking = sum(self.photos.missing(part, count) * part.seconds_per_photo for part in parts)
        return looking + self._costs.guess(count, sum(part.engines.num_features for part in parts))

    @property
    def usual_start(self) -> float:
        """Seconds that getting a network ready usually takes."""
        first, *others = self._preparing or [0.0]
        return statistics.median(others) if others else first / 2  # the first one brings its library along


def _why(error: TsugikiError) -> str:
    """What was wrong, in a line; of a name that does not exist, which ones are near, instead of the name once more."""
    more = error.allowed if isinstance(error, UnknownName) else error.got
    return in_a_row(error.what, "" if more in error.what else more)


def name_of(parts: Parts) -> str:
    """The names together, each with its weights where these are not the default ones."""
    return JOINT.join(part.name for part in parts)
