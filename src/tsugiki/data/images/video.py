"""Frames of a video, by OpenCV where it is installed: a video is asked about as the photos that it is made of.

Letters: ``h`` x ``w`` a frame.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import RequestError, UnreadablePhoto
from tsugiki.locale.messages import tr

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts", ".m2ts", ".ogv", ".flv"}
)
"""What the names of video files end with."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        path: Of the video.
        seconds: From its beginning.
        pixels: RGB, uint8 ``[h, w, 3]``.
    """

    path: Path
    seconds: float
    pixels: npt.NDArray[np.uint8]

    @property
    def name(self) -> str:
        """The video's path with the time, as media fragments are written: ``film.mp4#t=2.00``."""
        return f"{self.path}#t={self.seconds:.2f}"


def is_video(path: Path) -> bool:
    """Whether a path is named like a video."""
    return path.suffix.lower() in SUFFIXES


def require_decoder(path: Path) -> None:
    """Refuse a video where nothing can read it.

    Raises:
        RequestError: When OpenCV is not installed.
    """
    if importlib.util.find_spec("cv2") is None:
        raise RequestError(
            tr("{path} is a video, and nothing is installed that reads videos.", path=path),
            allowed=tr("photos, a folder of frames"),
            cure="pip install 'tsugiki[video]'",
        )


def frames(path: Path, *, every: float) -> Iterator[Frame]:
    """The first frame of a video, and then one each time that ``every`` seconds have passed; turned as it is meant to be seen.

    Raises:
        UnreadablePhoto: When it is no video that OpenCV can read.
    """
    import cv2

    film: Any = cv2.VideoCapture(str(path))
    try:
        rate, wanted, number = float(film.get(cv2.CAP_PROP_FPS)) or 25.0, 0.0, 0
        while film.grab():
            # Some containers tell no times; then the rate does.
            seconds = max(float(film.get(cv2.CAP_PROP_POS_MSEC)) / 1000, 0.0) or number / rate
            number += 1
            if seconds + 1e-6 < wanted:
                continue
            read, pixels = film.retrieve()
            if read:
                yield Frame(path, seconds, np.ascontiguousarray(pixels[:, :, ::-1]))
                wanted += every * (1 + int((seconds - wanted) / every))
        if not number:
            raise UnreadablePhoto(tr("no video that can be read"))
    finally:
        film.release()
