"""What a ranking may cost, and what the network that it recommends may."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.core.validation import Checks
from tsugiki.locale.messages import tr

LICENCES = ("any", "permissive")
MOST_PARTS = 3
"""Networks that are tried together, if nobody says otherwise."""


@dataclass(frozen=True)
class RankSettings:
    """How networks are ranked.

    Attributes:
        budget: Seconds that the ranking may take; ``None``: as long as it takes to judge every network on every photo.
        max_latency: Milliseconds that one photo may take, of the network alone.
        max_size: Megabytes that the weights may take on disk.
        licence: ``any``, or ``permissive``: only networks whose weights allow any use.
        parts: How many networks may be put together at most; 1 judges networks as they are: no combination, no stages.
        seed: Of folds and random weights.

    Raises:
        RequestError: With every impossible value at once.
    """

    budget: float | None = None
    max_latency: float | None = None
    max_size: float | None = None
    licence: str = "any"
    parts: int = MOST_PARTS
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        checks = Checks()
        for name in ("budget", "max_latency", "max_size"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.real(name, getattr(self, name), 1e-3, 1e9))
        checks.choice("licence", self.licence, LICENCES)
        object.__setattr__(self, "parts", checks.whole("parts", self.parts, 1, 8))
        object.__setattr__(self, "seed", checks.whole("seed", self.seed, 0, 2**32 - 1))
        checks.refuse(tr("Networks cannot be ranked like this."), cure=tr("change them as allowed, or leave them out"))


@dataclass(frozen=True)
class Clock:
    """How much of a budget is left.

    Attributes:
        budget: Seconds; ``None``: no limit.
        begun: When, by :func:`time.monotonic`.
    """

    budget: float | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.begun

    def left(self, share: float = 1.0) -> float:
        """Seconds that are left of a share of the budget; endless without one."""
        return math.inf if self.budget is None else share * self.budget - self.spent
