"""Which engine computes a backbone's features: the fastest one that gives the same features.

A ladder is climbed from its fast end: an engine that cannot take the network, or whose features differ from float32 PyTorch on
the first photos, is passed over, and the person is told. What came of that is kept: on the same machine OpenVINO's float32 need
not be compared a second time and stands for PyTorch's, and a precision that differed once is not tried again.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, get_args

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.known.known_backbones import is_asleep
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

if TYPE_CHECKING:
    from tsugiki.features.engines.openvino_engine import OpenVINOEngine, OpenVINONetwork

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
        self._device = backbone.device
        self._wanted = _checked(name, self._device.type)
        backbone.check_precision()
        self._chosen: dict[bool, Engine] = {}
        self._ready: dict[str, OpenVINOEngine] = {}
        self._compared: tuple[PixelBatch, FeatureBatch] | None = None

    @property
    def parts(self) -> tuple[Engines, ...]:
        """Itself: it is one."""
        return (self,)

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
        ladder = list(self._with_openvino(exact=exact, count=count, like=like))
        if not exact:
            ladder += self._with_torch(count)
        if ladder and self._compared is None:  # one comparison serves the precisions: the network is the same
            self._compared = sample, self._expected(sample)
        for _, build in sorted(ladder, key=lambda step: step[0] != like):  # a stable order: fastest first otherwise
            with working(tr("Trying an engine")):
                engine, cosine = self._try(build, exact=exact)
            if engine is not None:
                return self._stated(engine, cosine, exact=exact)
        # Plain float32 PyTorch is the reference itself.
        return self._stated(self._torch(reduced=False), 1.0, exact=exact)

    def _expected(self, sample: PixelBatch) -> FeatureBatch:
        """Float32 features of the first photos, that others are compared with."""
        if self._may_use_openvino() and self._before("float32"):
            with contextlib.suppress(Exception):  # whatever it stumbles over, it is passed over below, and that is said
                return self._openvino("float32")(sample)
        return Halving(functools.partial(reference_features, self.backbone, self.preprocess))(sample)

    def _may_use_openvino(self) -> bool:
        return self._device.type == "cpu" and self._wanted != "torch" and _openvino_is_here()

    def _with_openvino(self, *, exact: bool, count: int, like: str) -> Iterator[Step]:
        if not self._may_use_openvino():
            return
        pays = count >= CONVERTING_PAYS_FROM or like not in {"", "float32", reduced_precision(self._device)}
        # A network that was seen before is ready for OpenVINO; for PyTorch it would have to be built.
        if not (pays or self._wanted == "openvino" or (is_asleep(self.backbone) and self._before("float32"))):
            return
        for precision in ("float32",) if exact else (*_native_precisions(), "float32"):
            if precision != "float32" and (before := self._before(precision)):
                _say_passed_over("openvino", precision, *before)
            else:
                yield precision, functools.partial(self._openvino, precision)

    def _with_torch(self, count: int) -> Iterator[Step]:
        yield reduced_precision(self._device), functools.partial(self._torch, reduced=True, count=count)
        yield "float32", functools.partial(self._torch, reduced=False, count=count)

    def _torch(self, *, reduced: bool, count: int = 0) -> Engine:
        return TorchEngine(self.backbone, self.preprocess, reduced=reduced, count=count)

    @functools.cached_property
    def _network(self) -> OpenVINONetwork:
        from tsugiki.features.engines.openvino_conversion import converted

        return converted(self.backbone, self.preprocess, key=self.key)

    def _openvino(self, precision: str) -> OpenVINOEngine:
        from tsugiki.features.engines.openvino_engine import OpenVINOEngine

        if precision not in self._ready:
            self._ready[precision] = OpenVINOEngine(self._network, precision=precision)
        return self._ready[precision]

    def _before(self, precision: str) -> tuple[float, float] | None:
        """What OpenVINO was found to give, earlier and on this machine: the same in float32, too different in 16 bits."""
        from tsugiki.features.engines.openvino_engine import compared_before

        return compared_before(self._network, precision)

    def _try(self, build: Callable[[], Engine], *, exact: bool) -> tuple[Engine | None, float]:
        assert self._compared is not None  # noqa: S101 (whoever climbs has looked at it)
        sample, expected = self._compared
        try:
            engine = build()
            if engine.name == "openvino" and (before := self._before(engine.precision)):
                return engine, before[0]
            features = engine(sample)
        except Exception as error:  # noqa: BLE001 (an engine that cannot take the network may fail in any way)
            say(tr("An engine cannot take this network and is passed over: {reason}", reason=_in_one_line(error)))
            return None, 0.0
        cosine, difference = mean_cosine(features, expected), worst_difference(features, expected)
        alike = cosine >= ALIKE and difference <= (EQUAL if exact else NEAR)
        if engine.name == "openvino" and len(sample) == _SAMPLE:
            self._remember(engine.precision, cosine, difference, alike=alike)
        if not alike:
            _say_passed_over(engine.name, engine.precision, cosine, difference)
            return None, 0.0
        return engine, cosine

    def _remember(self, precision: str, cosine: float, difference: float, *, alike: bool) -> None:
        from tsugiki.features.engines.openvino_engine import keep_comparison

        if difference <= EQUAL if precision == "float32" else not alike:
            keep_comparison(self._network, precision, cosine, difference)

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


def _say_passed_over(name: str, precision: str, cosine: float, difference: float) -> None:
    say(
        tr(
            "Engine {name} {precision} is passed over: its features differ from float32 PyTorch's "
            "(mean cosine {cosine}, largest difference {difference}).",
            name=name,
            precision=precision,
            cosine=f"{cosine:.5f}",
            difference=f"{difference:.2g}",
        )
    )


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
