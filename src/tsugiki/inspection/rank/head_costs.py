"""How long cross-validating a head takes, guessed from the ones before."""

from __future__ import annotations

_USUAL = 1.0  # seconds for so many photos and features, until one was measured
_PHOTOS, _WIDTH = 600, 1280
_ALWAYS_PHOTOS, _ALWAYS_WIDTH = 400, 200
"""What a head costs whatever there is to learn, as if there were so many photos and features more."""


class HeadCosts:
    """Remembers what heads took in this process."""

    def __init__(self) -> None:
        self._per_work = _USUAL / _work(_PHOTOS, _WIDTH)
        self._measured = False

    def guess(self, photos: int, width: int = _WIDTH) -> float:
        """Seconds for a head on so many photos and features."""
        return self._per_work * _work(photos, width)

    def note(self, photos: int, width: int, seconds: float) -> None:
        """What one took; the last ones count as much as all before."""
        now = seconds / _work(photos, width)
        self._per_work = (self._per_work + now) / 2 if self._measured else now
        self._measured = True


def _work(photos: int, width: int) -> float:
    return (photos + _ALWAYS_PHOTOS) * (width + _ALWAYS_WIDTH)
