"""A network that is being judged: loaded, with the engines that would compute its features, and how fast these are.

Letters: ``B`` photos, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.console import quiet
from tsugiki.core.devices import usable_cores
from tsugiki.data.samples import Samples
from tsugiki.features.engines.choose import Engines
from tsugiki.features.engines.engine import CONVERTING_PAYS_FROM, Engine, EngineName, PixelBatch
from tsugiki.features.executor import FAST, PixelReader
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.inspection.rank.candidates import Candidate
from tsugiki.inspection.rank.speed import ENOUGH, latency_of, photos_per_second


@dataclass(frozen=True)
class Speed:
    """How fast a network is on this machine, photos being decoded already.

    Attributes:
        photos_per_second: Of the engine that computes photos to learn from.
        engine: Its name and precision.
        decoding: Seconds that decoding one photo for this network takes one core.
    """

    photos_per_second: float
    engine: str
    decoding: float


class Contender:
    """A candidate that could be loaded.

    Args:
        candidate: Its name and weights.
        load: Gives its network on the device that it is to run on.
        features: How features are computed.

    Attributes:
        parameters: How many numbers could learn.
        licence: Of the weights.
        learned_from: Digests of photos that they have learned from.
        is_trained: Whether it has weights.
        speed: How fast it is, once that is measured.
        latency_ms: Likewise of one photo alone.

    Raises:
        TsugikiError: When it cannot be loaded.
    """

    def __init__(self, candidate: Candidate, load: Callable[[], Backbone], features: FeatureSettings) -> None:
        backbone = load()
        self.candidate = candidate
        self.engines = ReleasableEngines(backbone, load, features.engine)
        self.extractor = Extractor(self.engines, settings=features)
        self.parameters = backbone.num_parameters
        self.licence = backbone.origin.licence
        self.learned_from = backbone.origin.learned_from
        self.is_trained = backbone.spec.weights != "none"
        # Of the weights as a run keeps them.
        self.megabytes = sum(tensor.numel() * tensor.element_size() for tensor in backbone.tensors().values()) / 1e6
        self.speed: Speed | None = None
        self.latency_ms: float | None = None
        self._pace = 0.0
        self._pixels: PixelBatch | None = None

    @property
    def name(self) -> str:
        """As it was named, with its weights where these are not the default ones."""
        return str(self.candidate)

    @property
    def about(self) -> str:
        """What its features depend on, but for the photos."""
        return repr((self.engines.key, self.engines.preprocess))

    @property
    def seconds_per_photo(self) -> float:
        """How long a photo takes, decoding included: as it was in this process, else as its speed says."""
        if self._pace:
            return self._pace
        if self.speed is None:
            return 0.01
        return 1 / max(self.speed.photos_per_second, 1e-3) + self.speed.decoding / usable_cores()

    def note_pace(self, photos: int, seconds: float) -> None:
        """How long photos took just now; the last ones count as much as all before."""
        now = seconds / photos
        self._pace = (self._pace + now) / 2 if self._pace else now

    def measure(self, store: FeatureStore, samples: Samples, seconds: float = ENOUGH) -> Speed:
        """How fast it is, on some of the training photos: measured once on a machine and kept.

        Args:
            store: Where it is kept.
            samples: The photos.
            seconds: How long it is watched.
        """
        count = len(samples.train_rows)

        def measured() -> dict[str, Any]:
            with quiet():
                engine = self.engines.choose(self._some(samples), exact=False, count=count)
            rate = photos_per_second(engine, self._some(samples), seconds)
            return {"photos_per_second": rate, "engine": f"{engine.name} {engine.precision}"}

        def decoding() -> float:
            self._pixels, taken = self._decoded(samples)
            return taken

        # For a few photos no engine is compiled; and how long decoding takes is a matter of these photos.
        here = repr((self._here(), count >= CONVERTING_PAYS_FROM))
        first = repr((self._here(), [samples.digests[row] for row in samples.train_rows[:_FIRST]]))
        seconds_each = float(store.remembered("decoding-1", first, decoding))
        self.speed = Speed(**store.remembered("speed-2", here, measured), decoding=seconds_each)
        return self.speed

    def latency(self, store: FeatureStore, samples: Samples) -> float:
        """Milliseconds that one photo takes in the engine that answers: measured once on a machine and kept."""
        if self.latency_ms is None:

            def measured() -> float:
                with quiet():
                    return latency_of(self.engines.awake(), self._some(samples))

            self.latency_ms = float(store.remembered("latency-1", self._here(), measured))
        return self.latency_ms

    def _some(self, samples: Samples) -> PixelBatch:
        """Some training photos, decoded once."""
        if self._pixels is None:
            self._pixels = self._decoded(samples)[0]
        return self._pixels

    def _here(self) -> str:
        """What a speed is about: this network on this machine."""
        place = (platform.node(), platform.machine(), usable_cores(), self.engines.device)
        return repr((self.about, self.engines.wanted, place))

    def _decoded(self, samples: Samples) -> tuple[PixelBatch, float]:
        """Some training photos, and the seconds that each took."""
        photos = samples.take(samples.train_rows[:_FIRST])
        reader = PixelReader(photos.paths, photos.digests, self.engines.preprocess, FAST)
        begun = time.perf_counter()
        decoded, _ = reader.read_first(range(len(photos)))
        seconds = (time.perf_counter() - begun) / max(1, len(decoded))
        return _stacked([each.array for each in decoded.values()], self.engines.preprocess.size), seconds


_FIRST = 8
"""Photos that a network's speed is measured on."""


def _stacked(found: list[PixelBatch], size: tuple[int, int]) -> PixelBatch:
    """``[B, 3, H, W]``; grey photos where not one can be read."""
    return np.stack(found) if found else np.full((1, 3, *size), 127, np.uint8)


class ReleasableEngines:
    """Who says which engine computes a network's features, and may let go of the network while nothing is computed.

    Args:
        backbone: The network.
        load: Gives it again.
        wanted: The engine that was asked for.
    """

    def __init__(self, backbone: Backbone, load: Callable[[], Backbone], wanted: EngineName) -> None:
        self.wanted = wanted
        self.preprocess = backbone.preprocess
        self.num_features = backbone.num_features
        self.spec = backbone.spec  # features of random weights do not say how alike photos look
        self.device = str(backbone.device)
        self._load = load
        self._engines: Engines | None = Engines(backbone, backbone.preprocess, name=wanted)
        self.key = self._engines.key

    @property
    def parts(self) -> tuple[ReleasableEngines, ...]:
        """Itself: it is one."""
        return (self,)

    def awake(self) -> Engines:
        """The engines, with the network."""
        if self._engines is None:
            with quiet():
                backbone = self._load()
            self._engines = Engines(backbone, self.preprocess, name=self.wanted)
        return self._engines

    def release(self) -> None:
        """Let go of the network: it is loaded again when something has to be computed."""
        self._engines = None

    def choose(self, sample: PixelBatch, *, exact: bool, count: int, like: str = "") -> Engine:
        """See :meth:`tsugiki.features.engines.engine.EngineChoice.choose`, for uint8 ``[B, 3, H, W]``."""
        return self.awake().choose(sample, exact=exact, count=count, like=like)
