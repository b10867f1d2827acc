"""Checkpoints: whole or absent, with the one before kept until the new one stands.

Two kinds of files: ``state-N.pt`` (tensors and plain values, read with ``weights_only=True``, so nothing in it can run) and
``checkpoint.json``, which names the states that count, newest first, with their SHA-256. A state is named there only once it is
completely on disk; killed at any moment, the folder still names a whole state.

Each request has a folder of its own inside the one it is given: who tries another setting and thinks better of it goes on with
the first training where it was. All of them go once a training has come to its end and its run is saved.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from tsugiki.core.console import say
from tsugiki.core.files import at_work, atomic_path, is_at_work, sha256_of, write_json
from tsugiki.core.regular_files import read_json
from tsugiki.locale.messages import tr

_KEPT = 2
_INDEX = "checkpoint.json"
_PREFIX = "request-"
_WORK = "work-"  # begins the names of folders for large files, which a process needs while it trains

Found = Literal["whole", "damaged", "others", "nothing"]
"""A whole state of this request; only damaged ones of it; only states of other requests; nothing at all."""


class Checkpoints:
    """The checkpoints of one request.

    Args:
        root: Holds those of other requests, too; made when the first checkpoint is written.
        request: A digest of all that decides the result; states of another request are not continued.
    """

    def __init__(self, root: Path, request: str) -> None:
        self.root, self.request = root, request
        self.folder = root / f"{_PREFIX}{request[:12]}"

    def save(self, state: Mapping[str, Any]) -> None:
        """Write ``state`` (tensors and plain values) and let the oldest go."""
        entries = self._entries()
        number = 1 + max((int(entry["number"]) for entry in entries), default=0)
        path = self.folder / f"state-{number}.pt"
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            torch.save(dict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
        entries = [{"number": number, "file": path.name, "sha256": sha256_of(path)}, *entries][:_KEPT]
        write_json(self.folder / _INDEX, {"request": self.request, "states": entries})
        self._tidy({entry["file"] for entry in entries})

    def save_if_possible(self, state: Mapping[str, Any]) -> None:
        """As :meth:`save`; where the disk is full or cannot be written, that is said, and the training goes on without."""
        try:
            self.save(state)
        except (OSError, RuntimeError) as error:  # the latter is what PyTorch's writer makes of the former
            if isinstance(error, RuntimeError) and "write" not in str(error).lower():
                raise
            say(
                tr(
                    "This checkpoint could not be written ({reason}): the training goes on, but cannot be resumed from here.",
                    reason=error,
                )
            )

    def load(self) -> dict[str, Any] | None:
        """The newest whole state of this request; ``None`` where there is none."""
        damaged: list[str] = []
        for entry in self._entries():
            path = self.folder / str(entry["file"])
            if self._is_whole(entry):
                for name in damaged:
                    say(tr("The checkpoint {name} is damaged; the one before it is used.", name=name))
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            damaged.append(path.name)
        return None

    def found(self) -> Found:
        """What there is to continue from."""
        entries = self._entries()
        if any(self._is_whole(entry) for entry in entries):
            return "whole"
        if entries or (self.folder / _INDEX).exists():
            return "damaged"
        others = any((folder / _INDEX).exists() for folder in self.root.glob(f"{_PREFIX}*"))
        return "others" if others else "nothing"

    def _is_whole(self, entry: Mapping[str, Any]) -> bool:
        path = self.folder / str(entry["file"])
        return path.is_file() and sha256_of(path) == entry["sha256"]

    def _entries(self) -> list[dict[str, Any]]:
        index = self._index()
        entries = index["states"] if index.get("request") == self.request else []
        return [entry for entry in entries if _is_entry(entry)]

    def _index(self) -> dict[str, Any]:
        try:
            index = read_json(self.folder / _INDEX)
        except (OSError, ValueError):
            return {}
        return index if isinstance(index, dict) and isinstance(index.get("states"), list) else {}

    def _tidy(self, kept: set[str]) -> None:
        # Also what a killed process left half written: those names begin with a dot.
        for path in self.folder.iterdir():
            name = path.name.lstrip(".")
            if path.name not in kept and name.startswith(("state-", _INDEX)) and path.name != _INDEX:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete every checkpoint of this request; its folder too, once it is empty."""
        if self.folder.is_dir():
            (self.folder / _INDEX).unlink(missing_ok=True)
            self._tidy(set())
            _remove_empty(self.folder)


def _is_entry(entry: object) -> bool:
    """Whether what stands in an index, which may be damaged, names a state in its own folder."""
    if not isinstance(entry, dict):
        return False
    number, name = entry.get("number"), entry.get("file")
    return isinstance(number, int) and name == f"state-{number}.pt" and isinstance(entry.get("sha256"), str)


def forget(root: Path) -> None:
    """Delete the checkpoints of every request in ``root``, and what killed trainings left there, but nothing of others."""
    if is_at_work(root):  # with another training, begun since
        return
    for folder in root.glob(f"{_PREFIX}*"):
        Checkpoints(root, folder.name.removeprefix(_PREFIX)).clear()
    for work in root.glob(f"{_WORK}*"):
        shutil.rmtree(work, ignore_errors=True)
    _remove_empty(root)


@contextmanager
def working_folder(folder: Path | None, process: int) -> Iterator[Path]:
    """A folder for large files of this training; what a killed process left there is swept out first.

    Args:
        folder: Where to make it; without one, among the system's temporary files.
        process: The number of this process.

    Raises:
        RequestError: When another training is at work in ``folder``.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="tsugiki-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    work = folder / f"{_WORK}{process}"
    with at_work(folder) if process == 0 else contextlib.nullcontext():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    """Remove ``folder`` if nothing is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
