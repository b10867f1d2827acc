"""Photos that a person asked the server to keep, beside a table that takes labels: what is learned from next.

Files are named by their content: no name that a stranger sends ever becomes a path, and the same photo is kept once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tsugiki.classifier.answer import Prediction
from tsugiki.core.console import say
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.errors import RequestError
from tsugiki.core.files import write_atomically
from tsugiki.core.regular_files import require_regular
from tsugiki.data.images.decode import content_digest
from tsugiki.data.images.file_type import ending_of
from tsugiki.locale.messages import tr
from tsugiki.serving.lanes import Photo

TABLE = "kept.csv"
COLUMNS = ("path", "label", "suggested", "probability", "known", "distance", "classifier", "time")

_MOST_BYTES = 5_000_000_000
_MOST_PHOTOS = 100_000


class KeptPhotos:
    """A folder that photos are kept in.

    Args:
        folder: Made when it is not there.
        most_bytes: From here on nothing more is kept, which is said once.

    Raises:
        RequestError: When the folder cannot be written.
    """

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self.folder, self._most = folder, most_bytes
        self.table = folder / TABLE
        self._lock = threading.Lock()
        self._full = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._there = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
            if TABLE not in self._there:
                # The mark at the start tells spreadsheets that the letters are UTF-8.
                write_atomically(self.table, table_text([COLUMNS]).encode("utf-8-sig"))
            require_regular(self.table)
            with self.table.open("ab"):
                self._bytes = sum(self._there.values())
        except OSError as error:
            raise RequestError(
                tr("{folder} cannot be written.", folder=folder), got=str(error), cure=tr("name another folder with --keep")
            ) from error

    def add(self, photos: Sequence[Photo], answers: Sequence[Prediction], classifier: str) -> None:
        """Keep the photos that could be read, each with its answer; a full disk is said and stops nothing."""
        with self._lock:
            for photo, answer in zip(photos, answers, strict=True):
                if not answer.problem and not self._full:
                    try:
                        self._add(photo, answer, classifier)
                    except OSError as error:
                        self._stop(error.strerror or str(error))

    def _add(self, photo: Photo, answer: Prediction, classifier: str) -> None:
        name = _name(photo)
        if name in self._there:
            return
        if self._bytes >= self._most or len(self._there) > _MOST_PHOTOS:
            self._stop(tr("the folder holds {size} GB", size=f"{self._bytes / 1e9:.1f}"))
            return
        path = self.folder / name
        if isinstance(photo.content, bytes):
            write_atomically(path, photo.content)
        else:
            Image.fromarray(photo.content).save(path, compress_level=1)
        self._there[name] = path.stat().st_size
        self._bytes += self._there[name]
        distance = "" if answer.distance is None else f"{answer.distance:.6f}"
        row = [name, "", answer.suggested, f"{answer.probability:.6f}", answer.known, distance, classifier]
        with self.table.open("ab") as stream:
            stream.write(table_text([[*row, time.strftime("%Y-%m-%dT%H:%M:%S%z")]]).encode())

    def _stop(self, reason: str) -> None:
        self._full = True
        say(tr("No more photos are kept in {folder}: {reason}.", folder=self.folder, reason=reason))


def _name(photo: Photo) -> str:
    if not isinstance(photo.content, bytes):
        return f"{content_digest(photo.content.tobytes() + repr(photo.content.shape).encode())[:32]}.png"
    return f"{content_digest(photo.content)[:32]}{ending_of(photo.content)}"
