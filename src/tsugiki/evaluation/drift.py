"""Has what comes in changed? A test that may be looked at after every photo, for ever, without crying wolf more often for it.

Each of ``J`` events (a photo is unknown; a class is answered) has a rate that is not to be exceeded. For each, money is bet
against "the rate is not exceeded" photo by photo, at fair odds: whoever bets against the truth cannot expect to win. By Ville's
inequality (1939) wealth that began as 1 ever reaches 1 / alpha with a probability of at most alpha, however long one plays, so
reaching it is an alarm whose false-alarm rate is known. Since nobody knows when a change begins, nor how large it is, the
wealth is spread: over every photo as the change's first one (the ``t``-th gets ``1 / (t (t + 1))``), and over some rates. See
Shafer, "Testing by betting", 2021, and Shin, Ramdas and Rinaldo, "E-detectors", 2022.

What is assumed: photos like the training photos come independently of each other. Ten pictures of one subject in a row count as
ten, and make a false alarm likelier than stated.

Letters: ``J`` events, ``G`` rates that are bet on.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_BETS = np.array([0.05, 0.12, 0.3, 0.6, 0.9])
"""``[G]`` how far between the limit and certainty the rates lie that are bet on."""

_LEAST = 1e-3  # a rate of 0 would be refuted by one event, whatever came before


class RateWatch:
    """Sequential tests of ``J`` rates, each with an upper limit.

    Args:
        limits: ``[J]`` rates that are not to be exceeded.
        alpha: The probability that a rate which is within its limit is ever called exceeded, for each of them.
    """

    def __init__(self, limits: npt.ArrayLike, alpha: float) -> None:
        limit = np.clip(np.asarray(limits, np.float64), _LEAST, 1 - _LEAST)[:, None]  # [J, 1]
        rates = limit + (1 - limit) * _BETS  # [J, G]
        self._won, self._lost = np.log(rates / limit), np.log((1 - rates) / (1 - limit))
        self._most = -math.log(alpha)
        self._wealth = np.full(rates.shape, -np.inf)  # [J, G] logarithms
        self._climbs = np.zeros(rates.shape)  # [J, G] CUSUM statistics: since when each bet has won
        self._begun = np.zeros(rates.shape, np.int64)
        self.count = 0
        self.since = np.zeros(len(limit), np.int64)
        """``[J]`` the photo, counted from 1, that the change seems to begin with; 0 where there is no alarm."""

    def update(self, events: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Take the next photo.

        Args:
            events: ``[J]`` which of them it is.

        Returns:
            ``[J]`` which rates have been found exceeded with this photo. An alarm stays: it is given once.
        """
        self.count += 1
        factor = np.where(np.asarray(events, np.bool_)[:, None], self._won, self._lost)
        start = -math.log(self.count) - math.log(self.count + 1)
        self._wealth = np.logaddexp(self._wealth, start) + factor
        self._begun[self._climbs <= 0] = self.count
        self._climbs = np.maximum(self._climbs + factor, 0)
        new = (self.since == 0) & (self.log_wealth() >= self._most)
        for event in np.flatnonzero(new).tolist():
            self.since[event] = self._begun[event, int(self._climbs[event].argmax())]
        return np.asarray(new, np.bool_)

    def log_wealth(self) -> npt.NDArray[np.float64]:
        """``[J]`` logarithms of the wealth; an alarm is ``-log(alpha)`` or more."""
        kept = -math.log(self.count + 1)  # for changes that begin later
        return np.asarray(np.logaddexp(np.logaddexp.reduce(self._wealth, axis=1) - math.log(len(_BETS)), kept), np.float64)


def highest_rate(events: int, n: int, *, miss: float) -> float:
    """The upper end of the exact interval (Clopper and Pearson, 1934) of a rate; 1 where nothing was seen.

    Args:
        events: How often.
        n: Of how many.
        miss: The probability that the true rate lies above.
    """
    if events >= n:
        return 1.0
    low, high = events / n, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, n, middle) > miss else (low, middle)
    return high


def _at_most(events: int, n: int, rate: float) -> float:
    """The probability of at most ``events`` in ``n``."""
    if rate <= 0 or rate >= 1:
        return float(rate <= 0 or events >= n)
    k = np.arange(events + 1)
    ways = math.lgamma(n + 1) - _log_factorial(k) - _log_factorial(n - k)
    return float(np.exp(ways + k * math.log(rate) + (n - k) * math.log1p(-rate)).sum())


def _log_factorial(k: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.array([math.lgamma(value + 1) for value in k.tolist()])
