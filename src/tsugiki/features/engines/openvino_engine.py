"""The OpenVINO engine: the fastest way through a convolutional network on a processor. Nothing here needs PyTorch.

A network is compiled per precision; what was compiled once is kept for later processes. Each lane is one core with a
copy of its own, so that a core decodes photos and computes their features in turn, and no two ever wait for each other.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import functools
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.backbones.known import engine_cache
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import ArtefactError
from tsugiki.features.engines.engine import FeatureBatch, PixelBatch
from tsugiki.features.engines.openvino_import import openvino_module
from tsugiki.locale.messages import tr

_HINTS = {"float16": "f16", "bfloat16": "bf16", "float32": "f32"}

# What OpenVINO's binding to Python prepares in its first inference it prepares under a lock of its own, and while it holds that
# one it waits for Python's: two threads whose first inferences meet would wait for each other for ever.
_one_first = threading.Lock()
_begun = threading.Event()


class OpenVINONetwork:
    """A network in OpenVINO's form, to be compiled for one precision or several.

    It takes uint8 pixels ``[B, 3, H, W]`` of RGB and gives features ``[B, D]``; it takes exactly ``B`` photos at once.

    Args:
        model: Gives the network; asked only where no compiled form of it is kept.
        shape: ``(B, 3, H, W)``.
        digest: Says which network this is: the same digest, the same numbers. Without one nothing is kept.
    """

    def __init__(self, model: Callable[[], Any], shape: tuple[int, ...], *, digest: str = "") -> None:
        self._give = model
        self.shape = shape
        self.digest = digest

    @classmethod
    def read(
        cls, path: Path, shape: tuple[int, ...], *, digest: str = "", check: Callable[[], None] = lambda: None
    ) -> OpenVINONetwork:
        """The network in an ``.xml`` file and the ``.bin`` file beside it; when they are needed they are checked and opened."""

        def model() -> Any:
            check()
            return _core().read_model(path)

        return cls(model, shape, digest=digest)

    @functools.cached_property
    def model(self) -> Any:
        """The network itself."""
        return self._give()


class OpenVINOEngine:
    """Features by OpenVINO on the CPU.

    Args:
        network: In OpenVINO's form.
        precision: One that :func:`native_precisions` names, or ``float32``.
        lanes: How many threads may call at the same time; by default one per core.
        cores: How many it may keep busy; by default all that this process may use.
        compiled: The network as it was compiled on a machine like this one.
    """

    name = "openvino"

    def __init__(
        self, network: OpenVINONetwork, *, precision: str, lanes: int = 0, cores: int = 0, compiled: bytes = b""
    ) -> None:
        self.precision = precision
        self.lanes = lanes or usable_cores()
        self.batch_size = network.shape[0]
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": self.lanes,
            "INFERENCE_NUM_THREADS": cores or usable_cores(),
        }
        self._network, self._settings = network, settings
        self._compiled = _core().import_model(compiled, "CPU", settings) if compiled else _compiled(network, settings)
        self._process = os.getpid()
        self._own = threading.local()  # an inference request belongs to one thread

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` of uint8 pixels ``[B, 3, H, W]``.

        Raises:
            ArtefactError: In a process that was forked from the one that made the engine.
        """
        _refuse_forked(self._process)
        count = self.batch_size
        return np.concatenate([self._run(pixels[start : start + count]) for start in range(0, len(pixels), count)])

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, here or on another machine, which uses it from one core."""
        network = self._network
        # What was compiled, as it is kept: OpenVINO cannot write once more what it has read.
        compiled = engine_cache.kept(_compiled_key(network, self._settings)) if network.digest else None
        form = (this_machine(), compiled or b"", *_serialised(network.model))
        return _engine_of, (form, network.shape, network.digest, self.precision)

    def _run(self, pixels: PixelBatch) -> FeatureBatch:
        if _begun.is_set():
            return self._computed(pixels)
        with _one_first:
            features = self._computed(pixels)
            _begun.set()
            return features

    def _computed(self, pixels: PixelBatch) -> FeatureBatch:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        padded = pixels
        if len(pixels) < self.batch_size:  # the compiled network takes exactly this many
            padded = np.zeros((self.batch_size, *pixels.shape[1:]), np.uint8)
            padded[: len(pixels)] = pixels
        features = self._own.request.infer({0: padded}, share_inputs=True)[0]
        return np.array(features[: len(pixels)], np.float32).reshape(len(pixels), -1)


def _serialised(model: Any) -> tuple[bytes, bytes]:
    """A network's description and its weights, as OpenVINO writes them into files."""
    with tempfile.TemporaryDirectory() as folder:
        description, weights = Path(folder) / "network.xml", Path(folder) / "network.bin"
        openvino_module("openvino").serialize(model, str(description), str(weights))
        return description.read_bytes(), weights.read_bytes()


def _engine_of(
    form: tuple[tuple[str, ...], bytes, bytes, bytes], shape: tuple[int, ...], digest: str, precision: str
) -> OpenVINOEngine:
    """The engine, for one core; on a machine of the same kind as it was compiled there: so its numbers are the same.

    What was written and read again is compiled in another order, which float32 shows in the seventh digit.

    Raises:
        ArtefactError: Where the precision is none of this machine's.
    """
    machine, compiled, description, weights = form
    if precision not in {*native_precisions(), "float32"}:
        raise ArtefactError(
            tr("A machine of the cluster cannot compute in {precision}.", precision=precision),
            allowed=", ".join((*native_precisions(), "float32")),
            cure=tr("machines of one kind, or --engine torch"),
        )
    network = OpenVINONetwork(lambda: _core().read_model(description, weights), shape, digest=f"{digest} read again")
    same = compiled if machine == this_machine() else b""
    return OpenVINOEngine(network, precision=precision, lanes=1, cores=1, compiled=same)


def _compiled(network: OpenVINONetwork, settings: dict[str, Any]) -> Any:
    """The network, ready to compute: as it was kept, or compiled now."""
    core = _core()
    if not network.digest:
        return core.compile_model(network.model, "CPU", settings)
    key = _compiled_key(network, settings)
    content = engine_cache.kept(key)
    if content is not None:
        try:
            return core.import_model(content, "CPU", settings)
        except Exception:  # noqa: BLE001, S110 (OpenVINO's own ways of refusing what another build of it has written)
            pass
    compiled = core.compile_model(network.model, "CPU", settings)
    engine_cache.keep(key, compiled.export_model().getvalue())
    return compiled


def _compiled_key(network: OpenVINONetwork, settings: dict[str, Any]) -> str:
    return engine_cache.key_of(("compiled", 1, network.digest, network.shape, *this_machine(), *settings.items()))


def compared_before(network: OpenVINONetwork, precision: str) -> tuple[float, float] | None:
    """Mean cosine with float32 PyTorch and largest difference, as found on this machine; ``None`` where nobody has looked."""
    found = engine_cache.kept_json(_comparison(network, precision))
    return None if found is None else (float(found[0]), float(found[1]))


def keep_comparison(network: OpenVINONetwork, precision: str, cosine: float, difference: float) -> None:
    """Keep what :func:`compared_before` gives."""
    if network.digest:
        engine_cache.keep_json(_comparison(network, precision), (cosine, difference))


def _comparison(network: OpenVINONetwork, precision: str) -> str:
    return f"{engine_cache.key_of(('compared', 1, network.digest, network.shape, *this_machine(), precision))}.compared"


@functools.cache
def this_machine() -> tuple[str, ...]:
    """OpenVINO's version and the processor: what a compiled network depends on besides its settings."""
    core = _core()
    version = str(openvino_module("openvino").get_version())
    capabilities = ",".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")))
    return version, str(core.get_property("CPU", "FULL_DEVICE_NAME")), capabilities


@functools.cache
def native_precisions() -> tuple[str, ...]:
    """The 16-bit types that the processor itself computes in, the more exact one first (emulation would be slower).

    float16 keeps 11 significant bits and bfloat16 8: at the same speed the features of MobileNetV2 differ from float32 by a
    cosine of 0.0002 with the one and 0.004 with the other (docs/decisions/0002-engines.md).
    """
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name, capability in (("float16", "FP16"), ("bfloat16", "BF16")) if capability in capabilities)


def _core() -> Any:
    core, process = _core_and_process()
    _refuse_forked(process)
    return core


@functools.cache
def _core_and_process() -> tuple[Any, int]:
    return openvino_module("openvino").Core(), os.getpid()


def _refuse_forked(process: int) -> None:
    """OpenVINO's threads are not there in a process that was forked: it would wait for them for ever."""
    if process != os.getpid():
        raise ArtefactError(
            tr("OpenVINO was at work before this process was forked, and cannot answer in it."),
            cure=tr("start workers by multiprocessing's spawn, or before the first photo is asked about"),
        )
