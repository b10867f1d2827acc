"""Pictures of any kind as files, which is what features are computed from and known by."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import PhotoSource, open_photo
from tsugiki.locale.messages import tr


@contextmanager
def as_files(pictures: Sequence[PhotoSource]) -> Iterator[list[Path]]:
    """Files with the pictures, as long as the block runs; paths are their own files.

    A picture in memory is written as PNG, which loses nothing: the same pixels are the same content, and are looked at once.

    Args:
        pictures: ``N`` paths, PIL pictures, arrays ``[H, W, 3]`` uint8, or contents of files.

    Raises:
        UnreadablePhoto: When a picture in memory is none.
    """
    if all(isinstance(picture, str | os.PathLike) for picture in pictures):
        yield [Path(picture) for picture in pictures]  # type: ignore[arg-type]  # just looked at
        return
    with tempfile.TemporaryDirectory() as folder, ContextThreadPool(usable_cores()) as pool:

        def write(number: int) -> Path:
            picture = pictures[number]
            if isinstance(picture, str | os.PathLike):
                return Path(picture)
            path = Path(folder) / f"{number}.png"
            try:
                open_photo(picture).save(path, compress_level=1)
            except UnreadablePhoto as fault:
                raise UnreadablePhoto(
                    tr("Picture {number} cannot be read: {reason}", number=number, reason=fault.what)
                ) from fault
            return path

        yield list(pool.map(write, range(len(pictures))))
