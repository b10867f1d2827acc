"""Candidate photos as they were found, none of them opened yet: what every source gives. Letters: ``N`` photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LeftOut:
    """A file that does not count, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """Candidate photos.

    Attributes:
        root: The folder that ``names`` are relative to.
        names: ``N`` POSIX paths relative to ``root``, in order.
        labels: ``N`` class names.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or ``""`` where nobody said: such photos are split by
            :meth:`tsugiki.data.samples.Samples.from_listing`.
        groups: ``N`` names of subjects that must not be in two splits (``""``: a subject of its own), or ``None``.
        left_out: Files that were found but cannot be candidates.
        decisions: Sentences for the person: what was decided and why.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> list[Path]:
        """``N`` paths that can be opened."""
        return [self.root / name for name in self.names]
