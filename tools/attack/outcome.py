"""What an attack counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

FAULTS = (
    "disagreements", "crashes", "hangs", "tracebacks", "wrong results", "corrupt", "lost", "left behind", "unescaped",
    "connections", "written into the home",
)  # fmt: skip
"""What must be counted 0 times."""


def is_fault(name: str) -> bool:
    """Whether a count is one of faults."""
    return name in FAULTS


@dataclass
class Outcome:
    """Counts, and one line for each fault.

    Attributes:
        counts: By what was counted.
        faults: What went wrong, with what it takes to do it again.
        tell: Hears of each fault when it is found.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    tell: Callable[[str], object] = str

    def fault(self, text: str) -> None:
        """Note what went wrong."""
        self.faults.append(text)
        self.tell(text)

    def add(self, other: Outcome) -> None:
        """Take in what another part of the same attack has counted."""
        self.counts.update(other.counts)
        self.faults += other.faults
