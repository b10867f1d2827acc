"""Which engine computes a backbone's features: the fastest one that gives the same features.

A ladder is climbed from its fast end: an engine that cannot take the network, or whose features differ from float32 PyTorch on
the first photos, is passed over, and the person is told.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import get_args

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.arguments import argument
from tsugiki.core.console import say, say_once, working
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import (
    ALIKE,
    CONVERTING_PAYS_FROM,
    EQUAL,
    NEAR,
    Engine,
    EngineName,
    FeatureBatch,
    PixelBatch,
    mean_cosine,
    worst_difference,
)
from tsugiki.features.engines.reference import reduced_precision, reference_features, weights_key
from tsugiki.features.engines.torch_engine import TorchEngine
from tsugiki.features.halving import Halving
from tsugiki.locale.messages import tr

Step = tuple[str, Callable[[], Engine]]

_SAMPLE = 8  # photos that an engine is compared on


class Engines:
    """The engines of one backbone on one device; the converted network is shared by its precisions.

    Args:
        backbone: Its weights must not change while this object is used.
        preprocess: Size and normalisation.
        name: ``auto``, or the only engine that may be used.

    Raises:
        RequestError: When ``name`` is no engine, not installed, or none for the backbone's device.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess, *, name: EngineName = "auto") -> None:
        self.backbone = backbone
        self.preprocess = preprocess
        self._device = next(backbone.parameters()).device
        self._wanted = _checked(name, self._device.type)
        backbone.check_precision()
        self._chosen: dict[bool, Engine] = {}
        self._network: object | None = None
        self._compared: tuple[PixelBatch, FeatureBatch] | None = None

    @property
    def num_features(self) -> int:
        """The width of the backbone's features."""
        return self.backbone.num_features

    @functools.cached_property
    def key(self) -> str:
        """A digest of the backbone's architecture and weights."""
        return weights_key(self.backbone)

    def choose(self, sample: PixelBatch, *, exact: bool, count: int, like: str = "") -> Engine:
        """The engine to use; chosen once per exactness, stated in one line.

        Args:
            sample: The first photos, uint8 ``[B, 3, H, W]``.
            exact: Whether the features are reported (float32) or learned from (16-bit arithmetic will do).
            count: How many photos are to come.
            like: A precision to prefer: the one of stored features that these will stand beside.
        """
        if exact not in self._chosen:
            self._chosen[exact] = self._climb(sample[:_SAMPLE], exact=exact, count=count, like=like)
        return self._chosen[exact]

    def _climb(self, sample: PixelBatch, *, exact: bool, count: int, like: str) -> Engine:
        if self._compared is None:  # one comparison serves the precisions: the network is the same
            reference = Halving(functools.partial(reference_features, self.backbone, self.preprocess))
            self._compared = sample, reference(sample)
        ladder = list(self._with_openvino(exact=exact, count=count, like=like))
        if not exact:
            ladder += self._with_torch(count)
        for _, build in sorted(ladder, key=lambda step: step[0] != like):  # a stable order: fastest first otherwise
            with working(tr("Trying an engine")):
                engine, cosine = self._try(build, *self._compared, exact=exact)
            if engine is not None:
                return self._stated(engine, cosine, exact=exact)
        # Plain float32 PyTorch is the reference itself.
        return self._stated(self._torch(reduced=False), 1.0, exact=exact)

    def _with_openvino(self, *, exact: bool, count: int, like: str) -> Iterator[Step]:
        pays = count >= CONVERTING_PAYS_FROM or like not in {"", "float32", reduced_precision(self._device)}
        if self._device.type != "cpu" or not (pays or self._wanted == "openvino"):
            return
        if self._wanted == "torch" or not _openvino_is_here():
            return
        for precision in ("float32",) if exact else (*_native_precisions(), "float32"):
            yield precision, functools.partial(self._openvino, precision)

    def _with_torch(self, count: int) -> Iterator[Step]:
        yield reduced_precision(self._device), functools.partial(self._torch, reduced=True, count=count)
        yield "float32", functools.partial(self._torch, reduced=False, count=count)

    def _torch(self, *, reduced: bool, count: int = 0) -> Engine:
        return TorchEngine(self.backbone, self.preprocess, reduced=reduced, count=count)

    def _openvino(self, precision: str) -> Engine:
        from tsugiki.features.engines.openvino_conversion import converted
        from tsugiki.features.engines.openvino_engine import OpenVINOEngine, OpenVINONetwork

        if not isinstance(self._network, OpenVINONetwork):
            self._network = converted(self.backbone, self.preprocess, key=self.key)
        return OpenVINOEngine(self._network, precision=precision)

    def _try(
        self, build: Callable[[], Engine], sample: PixelBatch, expected: FeatureBatch, *, exact: bool
    ) -> tuple[Engine | None, float]:
        try:
            engine = build()
            features = engine(sample)
        except Exception as error:  # noqa: BLE001 (an engine that cannot take the network may fail in any way)
            say(tr("An engine cannot take this network and is passed over: {reason}", reason=_in_one_line(error)))
            return None, 0.0
        cosine, difference = mean_cosine(features, expected), worst_difference(features, expected)
        if cosine < ALIKE or difference > (EQUAL if exact else NEAR):
            say(
                tr(
                    "Engine {name} {precision} is passed over: its features differ from float32 PyTorch's "
                    "(mean cosine {cosine}, largest difference {difference}).",
                    name=engine.name,
                    precision=engine.precision,
                    cosine=f"{cosine:.5f}",
                    difference=f"{difference:.2g}",
                )
            )
            return None, 0.0
        return engine, cosine

    def _stated(self, engine: Engine, cosine: float, *, exact: bool) -> Engine:
        """Say which engine it is: once, as long as the line about the fast one is true of the exact one, too."""
        about = {"name": engine.name, "precision": engine.precision, "device": self._device, "cosine": f"{cosine:.5f}"}
        line = tr("Engine: {name}, {precision}, on {device} (mean cosine with float32 PyTorch: {cosine})", **about)
        others = self._chosen.values()
        if exact and any(other.name == engine.name or other.precision != "float32" for other in others):
            return engine  # it said that held-out photos are in float32
        if not exact and engine.precision != "float32":
            line = tr("{engine}; held-out photos in float32", engine=line)
        say_once(("engine", exact, engine.name, engine.precision), line)
        return engine


def _checked(name: str, device: str) -> str:
    if name not in get_args(EngineName):
        raise RequestError(
            tr("There is no engine {name}.", name=repr(name)), allowed=", ".join(get_args(EngineName)), got=repr(name)
        )
    if name == "openvino" and not _openvino_is_here():
        raise RequestError(tr("OpenVINO is not installed."), cure="pip install openvino")
    if name == "openvino" and device != "cpu":
        raise RequestError(
            tr("The engine openvino computes on the processor only."),
            got=device,
            cure=f"{argument('engine', 'openvino')} {argument('device', 'cpu')}",
        )
    return name


def _native_precisions() -> tuple[str, ...]:
    try:
        from tsugiki.features.engines.openvino_engine import native_precisions

        return native_precisions()
    except Exception as error:  # noqa: BLE001 (a library that is there but does not start on this machine)
        say(tr("An engine cannot take this network and is passed over: {reason}", reason=_in_one_line(error)))
        return ()


def _openvino_is_here() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _in_one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
