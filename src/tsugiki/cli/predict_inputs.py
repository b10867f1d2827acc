"""What ``tsugiki predict`` is asked about: photos, folders, videos, and paths that come from standard input."""

from __future__ import annotations

import codecs
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tsugiki.core.console import say
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tsugiki.classifier.predict_stream import Photo

STANDARD_INPUT = Path("-")

_UNKNOWN_COUNT = 32  # photos that are taken to come where nobody knows


@dataclass(frozen=True)
class Asked:
    """What is asked about.

    Attributes:
        groups: The photos, as they come.
        known: Those that are known before; of what comes from standard input, and of videos, nobody knows.
        count: How many there seem to be.
        is_complete: Whether ``known`` are all of them.
    """

    groups: Iterable[Sequence[Photo]]
    known: Sequence[Photo]
    count: int
    is_complete: bool

    @classmethod
    def of(cls, given: Sequence[Path], *, null: bool, every: float) -> Asked:
        """What the words of a command line name.

        Args:
            given: Photos, folders, videos, and :data:`STANDARD_INPUT`.
            null: Whether paths from standard input end with a zero byte.
            every: Seconds between the frames of a video that are asked about.

        Raises:
            RequestError: When there is no such distance, no such photo, or nothing that reads videos.
        """
        from tsugiki.data.images.video import is_video, require_decoder

        if not every > 0:
            raise RequestError(
                tr("There is no such distance between frames."), allowed=tr("more than 0 seconds"), got=f"{every:g}"
            )
        groups: list[Iterable[Sequence[Photo]]] = []
        known: list[Photo] = []
        for place in given:
            if place == STANDARD_INPUT:
                groups.append(_from_standard_input(null=null, every=every))
            elif is_video(place) and place.is_file():
                require_decoder(place)
                groups.append(_frames(place, every))
            else:
                found = _photos(place)
                known += found
                groups.append([found])
        is_complete = all(isinstance(group, list) for group in groups)
        count = len(known) if is_complete else max(len(known), _UNKNOWN_COUNT)
        return cls(itertools.chain.from_iterable(groups), known, count, is_complete)


def _photos(place: Path) -> list[Photo]:
    from tsugiki.classifier.predict import no_photo
    from tsugiki.data.sources.folders import photos_in

    if not place.exists():
        raise no_photo(place)
    if not place.is_dir():
        return [place]
    found, left_out = photos_in(place)
    return [*found, *left_out]


def _from_standard_input(*, null: bool, every: float) -> Iterator[list[Photo]]:
    """Photos whose paths come from standard input, those together that are there at once."""
    end, rest, are_any = b"\0" if null else b"\n", b"", False
    while content := os.read(0, 1 << 16):
        if not are_any and b"\0" in content and not null:
            raise RequestError(
                tr("The paths on standard input end with zero bytes."), cure=tr("read them with {argument}", argument="--null")
            )
        content, are_any = content if are_any else content.removeprefix(codecs.BOM_UTF8), True
        *lines, rest = (rest + content).split(end)
        yield from _of_lines(lines, every)
    yield from _of_lines([rest], every)
    if not are_any:
        say(tr("No photo was named on standard input."))


def _of_lines(lines: Sequence[bytes], every: float) -> Iterator[list[Photo]]:
    from tsugiki.core.errors import TsugikiError
    from tsugiki.data.images.video import is_video, require_decoder
    from tsugiki.data.sources.listing import LeftOut

    group: list[Photo] = []
    for line in lines:
        place = Path(os.fsdecode(line.removesuffix(b"\r")))
        if not line.strip():
            continue
        try:
            if is_video(place) and place.is_file():
                require_decoder(place)
                yield group
                yield from _frames(place, every)
                group = []
            else:
                group += _photos(place) if place.is_dir() else [place]
        except TsugikiError as error:  # one line that makes no sense must not end the others
            group.append(LeftOut(str(place), error.what))
    if group:
        yield group


def _frames(video: Path, every: float) -> Iterator[list[Photo]]:
    """The frames of a video, one by one; where it cannot be read, it is one photo that cannot."""
    from tsugiki.core.errors import UnreadablePhoto
    from tsugiki.data.images.video import frames
    from tsugiki.data.sources.listing import LeftOut

    try:
        for frame in frames(video, every=every):
            yield [frame]
    except UnreadablePhoto as fault:
        yield [LeftOut(str(video), fault.what)]
