"""How the learning rate and the resolution follow the progress of a run, which goes from 0 to 1."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Clock = Callable[[], float]


@dataclass(frozen=True)
class Schedule:
    """Shape of a run.

    Attributes:
        peak: The highest learning rate.
        warm_up: The part of the run during which it rises; afterwards it falls to 0. Both along straight lines.
        sizes: Pixels per side before and after the switch.
        switch: The progress at which the resolution changes; most is learned on small, cheap photos.
    """

    peak: float = 0.4
    warm_up: float = 0.15
    sizes: tuple[int, int] = (64, 96)
    switch: float = 0.7

    def learning_rate(self, progress: float) -> float:
        """The learning rate at ``progress``."""
        if progress < self.warm_up:
            return self.peak * progress / self.warm_up
        return self.peak * (1 - progress) / (1 - self.warm_up)

    def size(self, progress: float) -> int:
        """Pixels per side at ``progress``."""
        return self.sizes[0] if progress < self.switch else self.sizes[1]


@dataclass
class Budget:
    """How long a run may go on: a number of steps, which gives the same backbone every time, or minutes, which do not.

    Attributes:
        steps: Steps in all, or 0 where the minutes count.
        minutes: Minutes in all.
    """

    steps: int
    minutes: float = 0.0
    clock: Clock = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def progress(self, step: int) -> float:
        """The part of the run that is behind after ``step`` steps, at most 1."""
        if self.steps:
            return min(1.0, step / self.steps)
        return min(1.0, (self.clock() - self._began) / (60 * self.minutes))
