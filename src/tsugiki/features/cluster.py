"""The executor for many machines: Ray's processes decode photos and compute their features; only vectors travel.

Every process has the network of the engine that was chosen and compared here, and computes in the same precision, one chunk
after the other, as a thread of this process would. Photos are read where they lie, so each machine has to see them under the
same path. What comes in is kept in the store of this machine every few seconds; a process that dies is started again, and the
photos that it had in hand are given out once more.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tsugiki.core.console import say_once
from tsugiki.core.errors import DataError, RequestError, TsugikiError
from tsugiki.core.validation import Checks
from tsugiki.features.executor import Chunk, ChunkWorker, parts_of
from tsugiki.locale.messages import language, speaking, tr

LOCAL = "local"
"""As an address: processes of this machine alone."""

_PHOTOS_AT_ONCE = 256  # what a process that dies can lose
_PATIENCE = 5.0  # seconds that a cluster has to answer
_PORTS = 65_536
_WAITING = 2  # parts that each process has in hand: the next one is there when one is done


@dataclass(frozen=True)
class InRay:
    """Decodes and computes in processes of a Ray cluster; give it to ``FeatureSettings(executor=...)``.

    Attributes:
        address: Of a cluster, as ``ray.init`` takes it (``auto``: the one that this machine belongs to), or ``local``.
        workers: How many processes; by default one for each core of the cluster.

    Raises:
        RequestError: When Ray is not installed, nobody listens there, or there would be no process.
    """

    address: str = LOCAL
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            checks = Checks()
            checks.whole("workers", self.workers, 1)
            checks.refuse(tr("So many processes cannot look at photos."), cure=tr("leave it out: one for each core"))
        _ray()
        _require_somebody(self.address)

    def __call__(self, positions: Sequence[int], worker: ChunkWorker) -> Generator[Chunk, None, None]:
        """Chunks as they are done, in any order; few are under way at a time, so memory does not grow."""
        if not positions:
            return
        if worker.device != "cpu":
            raise RequestError(
                tr("The processes of a cluster compute on processors."), allowed="--device cpu", got=f"--device {worker.device}"
            )
        ray = _connected(self.address)
        count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        parts = [*parts_of(positions, max(1, min(_PHOTOS_AT_ONCE, -(-len(positions) // count))))]
        count = min(count, len(parts))
        say_once((self, count), tr("Photos are looked at by {count} processes of the cluster.", count=count))
        # One core each; a process that dies is started again, and what it had in hand is done once more.
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Looker)
        lookers = [remote.remote() for _ in range(count)]
        try:
            yield from _collected(ray, lookers, (ray.put(ray.cloudpickle.dumps(worker)), language()), parts)
        finally:
            for looker in lookers:
                ray.kill(looker)


class _Looker:
    """One process: it has the engine, and looks at the photos that it is given."""

    def __init__(self) -> None:
        self._worker: ChunkWorker | None = None

    def look(self, asked: tuple[Any, str], positions: Sequence[int]) -> tuple[list[Chunk], list[Path]] | TsugikiError:
        """The photos at these positions, and the files that are not there; an error is given back: Ray would wrap it.

        Args:
            asked: Where the worker is, and the language to speak.
            positions: Of the photos.
        """
        try:
            with speaking(asked[1]):
                worker = self._worker = self._worker or _fetched(asked[0])
                chunks = [worker(chunk) for chunk in parts_of(positions, worker.batch_size)]
        except TsugikiError as error:
            return error
        lost = (worker.reader.paths[position] for chunk in chunks for position in chunk.problems)
        return chunks, [path for path in lost if not path.exists()]


def _fetched(worker: Any) -> ChunkWorker:
    import ray

    from tsugiki.core.devices import use_torch_threads

    use_torch_threads(1)
    # Here, not by Ray, which would wrap what an engine says that cannot be had on this machine.
    found: ChunkWorker = pickle.loads(ray.get(worker))  # noqa: S301 (it comes from who asks)
    return found


def _require_seen(missing: Sequence[Path]) -> None:
    """Refuse photos that are here and not where they should have been looked at: they are no unreadable ones."""
    for path in missing:
        if path.exists():
            raise DataError(
                tr("A machine of the cluster does not see the photo {path}.", path=path),
                cure=tr("put the photos where every machine sees them under the same path"),
            )


def _collected(ray: Any, lookers: Sequence[Any], asked: tuple[Any, str], parts: Sequence[Sequence[int]]) -> Iterator[Chunk]:
    waiting = iter(parts)
    running: dict[Any, Any] = {}
    for looker in [*lookers] * _WAITING:
        running |= {looker.look.remote(asked, part): looker for part in islice(waiting, 1)}
    while running:
        done, _ = ray.wait(list(running))
        for reference in done:
            looker = running.pop(reference)
            running |= {looker.look.remote(asked, part): looker for part in islice(waiting, 1)}
            found = ray.get(reference)
            if isinstance(found, TsugikiError):
                raise found
            chunks, missing = found
            _require_seen(missing)
            yield from chunks


def _connected(address: str) -> Any:
    """Ray, connected; it stays so until the program ends, or somebody shuts it down: starting takes seconds."""
    ray = _ray()
    if ray.is_initialized():
        return ray
    page = False if address == LOCAL else None
    try:
        ray.init(address=address, include_dashboard=page, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as fault:
        raise _nobody(address, fault) from None
    return ray


def _require_somebody(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would ask for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in {LOCAL, "auto"}:
        return
    if not (host and colon and port.isdecimal() and int(port) < _PORTS):
        raise _nobody(address)
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except OSError as fault:
        raise _nobody(address, fault) from None


def _nobody(address: str, fault: Exception | None = None) -> RequestError:
    return RequestError(
        tr("There is no Ray cluster at {address}.", address=address),
        allowed=tr("local, auto, HOST:PORT or ray://HOST:PORT"),
        got=address if fault is None else " ".join(str(fault).split())[:200],
    )


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when it starts: it would report to its maker
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # devices stay as they are
    try:
        import ray
    except ImportError:
        raise RequestError(tr("Ray is not installed."), cure="pip install 'tsugiki[ray]'") from None
    return ray
