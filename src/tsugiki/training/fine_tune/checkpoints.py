"""Checkpoints: whole or absent, with the one before kept until the new one stands.

Two kinds of files: ``state-N.pt`` (tensors and plain values, read with ``weights_only=True``, so nothing in it can run) and
``checkpoint.json``, which names the states that count, newest first, with their SHA-256. A state is named there only once it is
completely on disk; killed at any moment, the folder still names a whole state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tsugiki.core.console import say
from tsugiki.core.files import atomic_path, sha256_of, write_json
from tsugiki.core.messages import tr

_KEPT = 2
_INDEX = "checkpoint.json"


class Checkpoints:
    """The checkpoints of one request, in one folder.

    Args:
        folder: Made when the first checkpoint is written.
        request: A digest of all that decides the result; states of another request are not continued.
    """

    def __init__(self, folder: Path, request: str) -> None:
        self.folder, self.request = folder, request

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

    def load(self) -> dict[str, Any] | None:
        """The newest whole state of this request; ``None`` where there is none."""
        for entry in self._entries():
            path = self.folder / str(entry["file"])
            if path.is_file() and sha256_of(path) == entry["sha256"]:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            say(tr("The checkpoint {name} is damaged; the one before it is used.", name=path.name))
        return None

    def is_of_another_request(self) -> bool:
        """Whether the folder holds checkpoints of other photos, settings or weights."""
        index = self._index()
        return bool(index) and index.get("request") != self.request

    def clear(self) -> None:
        """Delete every checkpoint; the folder too, once it is empty."""
        if self.folder.is_dir():
            (self.folder / _INDEX).unlink(missing_ok=True)
            self._tidy(set())
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _entries(self) -> list[dict[str, Any]]:
        index = self._index()
        entries: list[dict[str, Any]] = index["states"] if index.get("request") == self.request else []
        return entries

    def _index(self) -> dict[str, Any]:
        try:
            index = json.loads((self.folder / _INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return index if isinstance(index, dict) and isinstance(index.get("states"), list) else {}

    def _tidy(self, kept: set[str]) -> None:
        # Also what a killed process left half written: those names begin with a dot.
        for path in self.folder.iterdir():
            name = path.name.lstrip(".")
            if path.name not in kept and name.startswith(("state-", _INDEX)) and path.name != _INDEX:
                path.unlink(missing_ok=True)
