"""How fast a network is in the engine that would be used: many photos at once, and one alone.

Letters: ``B`` photos, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tsugiki.features.engines.choose import Engines
from tsugiki.features.engines.engine import CONVERTING_PAYS_FROM, Engine, PixelBatch

ENOUGH, LITTLE = 0.4, 0.1
"""Seconds of work that a rate is measured on; and where time is short."""
_TIMES = 9  # photos, one by one


def photos_per_second(engine: Engine, pixels: PixelBatch, seconds: float = ENOUGH) -> float:
    """How many photos an engine computes in a second, with as many calls at once as it likes.

    Args:
        engine: Ready.
        pixels: Some photos, uint8 ``[B, 3, H, W]``.
        seconds: How long it is watched.
    """
    batch = np.resize(pixels, (engine.batch_size, *pixels.shape[1:]))
    engine(batch)  # what is prepared at the first call is no part of the speed
    done, begun = [0] * engine.lanes, time.perf_counter()

    def work(lane: int) -> None:
        while time.perf_counter() - begun < seconds:
            engine(batch)
            done[lane] += len(batch)

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(1, engine.lanes)]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun)


def latency_of(engines: Engines, pixels: PixelBatch) -> float:
    """Milliseconds that one photo takes where a run answers: the median of a few, each alone.

    Args:
        engines: Of the network.
        pixels: Some photos, uint8 ``[B, 3, H, W]``.
    """
    engine, seconds = _answering(engines, pixels), []
    engine(pixels[:1])
    for turn in range(_TIMES):
        photo, begun = pixels[turn % len(pixels)][None], time.perf_counter()
        engine(photo)
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


def _answering(engines: Engines, pixels: PixelBatch) -> Engine:
    """What would compute one photo: the run's engine, which takes one at a time, else what reports features here."""
    exact = engines.choose(pixels, exact=True, count=CONVERTING_PAYS_FROM)
    if exact.name != "openvino":
        return exact
    with contextlib.suppress(Exception):  # whatever it stumbles over: then a run has no engine of its own either
        return _one_at_a_time(engines)
    return exact


def _one_at_a_time(engines: Engines) -> Engine:
    from tsugiki.features.engines.openvino_conversion import network_files
    from tsugiki.features.engines.openvino_engine import OpenVINOEngine, OpenVINONetwork

    files = network_files(engines.backbone, engines.preprocess, key=engines.key)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        path.write_bytes(files.graph)
        path.with_suffix(".bin").write_bytes(files.numbers)
        network = OpenVINONetwork.read(path, (1, 3, *engines.preprocess.size))
        return OpenVINOEngine(network, precision="float32", lanes=1)
