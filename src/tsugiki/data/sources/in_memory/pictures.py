"""Pictures that a program holds as objects: written once into the cache, so that from there on they are files like all others.

What is written is what :func:`tsugiki.data.images.decode.open_photo` makes of a picture, as PNG, so nothing is lost; where a
Pillow image came from a file whose bytes are still at hand and give these very pixels, it is that file. The folder is named by
what is in it: the same pictures are written once, whatever object holds them.

Letters: ``N`` pictures.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from tsugiki.core.console import progress
from tsugiki.core.errors import RequestError, TsugikiError, UnreadablePhoto
from tsugiki.core.files import atomic_folder
from tsugiki.data.images.decode import content_digest, open_photo, read_content
from tsugiki.data.images.file_type import ending_of
from tsugiki.data.sources.archives.archive import unpacked_place
from tsugiki.locale.messages import tr

ARRAYS = "uint8 [H, W], [H, W, 3], [H, W, 4]"
_FAST = 1  # of PNG: the tenth of a size that a higher level saves takes several times as long


class Held(NamedTuple):
    """A picture that was looked at once.

    Attributes:
        pictures: What holds it; asked again when it has to be written.
        at: Its place in there.
        digest: Of its file's content, or of its pixels.
        ending: That its file will have.
        reason: Why it cannot be read; empty where it can.
    """

    pictures: Any
    at: int
    digest: str = ""
    ending: str = ".png"
    reason: str = ""


def is_picture(value: object) -> bool:
    """Whether an object is meant as one picture: a Pillow image, or an array or tensor of two or three dimensions."""
    return isinstance(value, Image.Image) or (_is_array(value) and getattr(value, "ndim", 0) in {2, 3})


def are_pictures(values: Any) -> bool:
    """Whether an object is meant as several: a list of pictures, or one array or tensor of them."""
    if _is_array(values) and values.dtype != np.dtype(object):
        return values.ndim in {3, 4}
    return (isinstance(values, list | tuple) or _is_array(values)) and len(values) > 0 and all(map(is_picture, values))


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, "detach") and hasattr(value, "ndim"))  # a tensor


def check_array(pictures: Any) -> None:
    """Refuse an array of pictures that are none, all at once.

    Args:
        pictures: ``[N, ...]``, or a list, which is let through.

    Raises:
        RequestError: With what makes it one.
    """
    if not _is_array(pictures) or pictures.dtype == np.dtype(object) or not len(pictures):
        return
    try:
        open_photo(_as_array(pictures[0]))
    except UnreadablePhoto as fault:
        if not fault.allowed:  # a picture that cannot be read among others
            return
        raise RequestError(
            tr("This is no array of pictures."),
            allowed="uint8 [N, H, W], [N, H, W, 3], [N, H, W, 4]",
            got=_described(pictures),
            cure=_cure_of(_as_array(pictures[0]), fault.cure, "ARRAY.transpose(0, 2, 3, 1)"),
        ) from None


def _cure_of(picture: npt.NDArray[Any], cure: str, transposed: str) -> str:
    """What to do about an array that is no picture; ``cure`` takes it for one whose values only have another scale or order."""
    if picture.dtype.kind == "f" and picture.size and not 0 <= picture.min() <= picture.max() <= 255:
        return tr("give the pictures as they were before they were made ready for a network")
    shape = picture.shape
    if len(shape) == 3 and shape[0] in {1, 3, 4} and shape[2] not in {1, 3, 4}:
        return tr("channels come last: {code}", code=transposed)
    return cure


def looked_at(pictures: Any, at: int, value: Any) -> Held:
    """A picture, known by what it holds.

    Args:
        pictures: What holds it.
        at: Its place in there.
        value: What was found there: a picture, or a file's content.

    Raises:
        RequestError: When it is no picture at all, or numbers that are no picture any more.
    """
    try:
        content = _content_of(at, value)
    except UnreadablePhoto as fault:
        return Held(pictures, at, reason=fault.what)
    if isinstance(content, bytes):
        return Held(pictures, at, content_digest(content), ending_of(content))
    return Held(pictures, at, _digest_of(content))


def _content_of(at: int, value: Any) -> bytes | Image.Image:
    """The bytes of the file that a picture is or came from, else its pixels."""
    if isinstance(value, bytes):
        return value
    if not is_picture(value):
        raise RequestError(
            tr("Entry {number} of {name} is no picture.", number=at, name=type(value).__name__),
            allowed=tr("a PIL image, or an array: {arrays}", arrays=ARRAYS),
            got=_described(value),
        )
    if isinstance(value, Image.Image):
        return _unread_file(value) or _same_file(value) or open_photo(value)
    try:
        return open_photo(_as_array(value))
    except UnreadablePhoto as fault:
        if not fault.allowed:
            raise
        ready = tr("take its transform away (transform=None): what a network is given is made of the pictures later")
        is_tensor = not isinstance(value, np.ndarray)
        raise RequestError(
            tr("Entry {number} holds numbers, no picture.", number=at),
            allowed=tr("a PIL image, or an array: {arrays}", arrays=ARRAYS),
            got=_described(value),
            cure=ready if is_tensor else _cure_of(value, fault.cure, "ARRAY.transpose(1, 2, 0)"),
        ) from None


def _unread_file(picture: Image.Image) -> bytes | None:
    """The content of the file of a picture that was opened and not loaded yet: so it has not been changed."""
    if not isinstance(picture, ImageFile.ImageFile) or picture.fp is None or not picture.tile:
        return None
    try:
        place = picture.fp.tell()
        content = read_content(picture.fp)  # type: ignore[arg-type]
        picture.fp.seek(place)
        with Image.open(io.BytesIO(content)) as again:
            seen = [(one.size, one.mode, one.tell()) for one in (picture, again)]  # a draft has fewer pixels
    except (UnreadablePhoto, OSError, ValueError):
        return None
    return content if seen[0] == seen[1] else None


def _same_file(picture: Image.Image) -> bytes | None:
    """The content of the file that a picture was opened from, where it gives the very pixels that the picture has now."""
    if not (name := getattr(picture, "filename", "")):
        return None
    try:
        content = read_content(name)
        return content if open_photo(content).tobytes() == open_photo(picture).tobytes() else None
    except (UnreadablePhoto, OSError, ValueError):
        return None


def _as_array(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _described(value: Any) -> str:
    if not _is_array(value):
        return repr(value)[:80]
    return f"{type(value).__name__} {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _digest_of(pixels: Image.Image) -> str:
    return hashlib.sha256(b"%d %d\n" % pixels.size + pixels.tobytes()).hexdigest()


def write_pictures(pictures: Sequence[tuple[str, Held]]) -> tuple[Path, list[str]]:
    """A folder in the cache with ``N`` pictures, each in the folder of its split, and their names in there.

    Args:
        pictures: ``N`` splits, empty where nobody said, and pictures that can be read.

    Raises:
        RequestError: When a picture is another one than it was when it was looked at: it is drawn anew each time.
    """
    counts: dict[str, int] = {}
    names = []
    for split, held in pictures:
        number = counts[split] = counts.get(split, -1) + 1
        names.append(f"{split}/{number:08}{held.ending}".lstrip("/"))
    said = "\n".join(f"{held.digest} {name}" for name, (_, held) in zip(names, pictures, strict=True))
    folder = unpacked_place(f"{hashlib.sha256(said.encode()).hexdigest()[:32]}-pictures")
    if not folder.is_dir():
        try:
            _write(folder, [*counts], list(zip(names, (held for _, held in pictures), strict=True)))
        except OSError as fault:
            raise TsugikiError(
                tr("{path} cannot be written.", path=folder),
                got=str(fault),
                cure=tr("make room on the disk, or set TSUGIKI_CACHE to a folder on another one"),
            ) from fault
    return folder, names


def _write(folder: Path, splits: Sequence[str], pictures: Sequence[tuple[str, Held]]) -> None:
    with atomic_folder(folder) as temporary, progress(tr("Unpacking"), total=len(pictures)) as tick:
        for split in splits:
            (temporary / split).mkdir(exist_ok=True)
        for name, held in pictures:
            (temporary / name).write_bytes(_written(held))
            tick(1, "")


def _written(held: Held) -> bytes:
    content = _content_of(held.at, held.pictures[held.at])
    if held.digest != (content_digest(content) if isinstance(content, bytes) else _digest_of(content)):
        raise RequestError(
            tr("Picture {number} was another one when it was asked for again.", number=held.at),
            allowed=tr("a data set that always gives the same picture"),
            cure=tr("take its augmentation away (transform=None): photos are learned from as they are"),
        )
    if isinstance(content, bytes):
        return content
    stream = io.BytesIO()
    content.save(stream, "PNG", compress_level=_FAST)
    return stream.getvalue()
