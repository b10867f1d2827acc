"""Which engine computes a backbone's features: the fastest one that gives the same features.

A ladder is climbed from its fast end: an engine that cannot take the network, or whose features differ from float32 PyTorch on
the first photos, is passed over, and the person is told.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Literal, get_args

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.console import say
from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engine import ALIKE, EQUAL, Engine, FeatureBatch, PixelBatch, mean_cosine, reference_features
from tsugiki.features.torch_engine import TorchEngine

EngineName = Literal["auto", "openvino", "torch"]

_SAMPLE = 8  # photos that an engine is compared on
_CONVERTING_PAYS_FROM = 48  # photos: converting takes about a second, in which PyTorch computes as many


class Engines:
    """The engines of one backbone on one device; the converted network is shared by its precisions.

    Args:
        backbone: Its weights must not change while this object is used.
        preprocess: Size and normalisation.
        name: ``auto``, or the only engine that may be used.

    Raises:
        RequestError: When ``name`` is no engine, or not installed.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess, *, name: EngineName = "auto") -> None:
        self.backbone = backbone
        self.preprocess = preprocess
        self._wanted = _checked(name)
        self._chosen: dict[bool, Engine] = {}
        self._network: object | None = None

    def choose(self, sample: PixelBatch, *, exact: bool, count: int) -> Engine:
        """The engine to use; chosen once per exactness, stated in one line.

        Args:
            sample: The first photos, uint8 ``[B, 3, H, W]``.
            exact: Whether the features are reported (float32) or learned from (16-bit arithmetic will do).
            count: How many photos are to come.
        """
        if exact not in self._chosen:
            self._chosen[exact] = self._climb(sample[:_SAMPLE], exact=exact, count=count)
        return self._chosen[exact]

    def _climb(self, sample: PixelBatch, *, exact: bool, count: int) -> Engine:
        expected = reference_features(self.backbone, self.preprocess, sample)
        for build in self._ladder(exact=exact, count=count):
            engine = self._try(build, sample, expected, at_least=EQUAL if exact else ALIKE)
            if engine is not None:
                return engine
        # Plain float32 PyTorch is the reference itself.
        return self._stated(TorchEngine(self.backbone, self.preprocess, reduced=False), 1.0)

    def _ladder(self, *, exact: bool, count: int) -> Iterator[Callable[[], Engine]]:
        on_cpu = next(self.backbone.parameters()).device.type == "cpu"
        worth_it = self._wanted == "openvino" or count >= _CONVERTING_PAYS_FROM
        if on_cpu and worth_it and self._wanted != "torch" and _openvino_is_here():
            from tsugiki.features.openvino_engine import native_precisions

            for precision in ("float32",) if exact else (*native_precisions(), "float32"):
                yield functools.partial(self._openvino, precision)
        if not exact:
            yield lambda: TorchEngine(self.backbone, self.preprocess, reduced=True, count=count)

    def _openvino(self, precision: str) -> Engine:
        from tsugiki.features.openvino_engine import OpenVINOEngine, OpenVINONetwork

        if not isinstance(self._network, OpenVINONetwork):
            self._network = OpenVINONetwork(self.backbone, self.preprocess)
        return OpenVINOEngine(self._network, precision=precision)

    def _try(
        self, build: Callable[[], Engine], sample: PixelBatch, expected: FeatureBatch, *, at_least: float
    ) -> Engine | None:
        try:
            engine = build()
            cosine = mean_cosine(engine(sample), expected)
        except Exception as error:  # noqa: BLE001 (an engine that cannot take the network may fail in any way)
            say(tr("An engine cannot take this network and is passed over: {reason}", reason=_in_one_line(error)))
            return None
        if cosine < at_least:
            say(
                tr(
                    "Engine {name} {precision} is passed over: its features differ (mean cosine {cosine} with float32).",
                    name=engine.name,
                    precision=engine.precision,
                    cosine=f"{cosine:.5f}",
                )
            )
            return None
        return self._stated(engine, cosine)

    def _stated(self, engine: Engine, cosine: float) -> Engine:
        device = next(self.backbone.parameters()).device
        say(
            tr(
                "Engine: {name}, {precision}, on {device} (mean cosine with float32 PyTorch: {cosine})",
                name=engine.name,
                precision=engine.precision,
                device=device,
                cosine=f"{cosine:.5f}",
            )
        )
        return engine


def _checked(name: str) -> str:
    if name not in get_args(EngineName):
        raise RequestError(
            tr("There is no engine {name}.", name=repr(name)), allowed=", ".join(get_args(EngineName)), got=repr(name)
        )
    if name == "openvino" and not _openvino_is_here():
        raise RequestError(tr("OpenVINO is not installed."), cure="pip install openvino")
    return name


def _openvino_is_here() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _in_one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
