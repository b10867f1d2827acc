"""Weights that are somewhere else: fetched or refused within seconds, and in place only when they are whole."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import zipfile
from functools import partial
from pathlib import Path

from tsugiki.core.arguments import argument
from tsugiki.core.console import say
from tsugiki.core.errors import WeightsError, WeightsUnreachable
from tsugiki.core.files import sha256_of
from tsugiki.core.http import Line, alone, fetched
from tsugiki.core.regular_files import open_regular
from tsugiki.locale.messages import tr

PATIENCE = 6.0
"""Seconds after which a server that does not answer counts as unreachable."""

_OLD_PICKLE = b"\x80\x02"

_STALL = 30.0  # seconds of silence, once it has answered, after which the line counts as broken


def unreachable(name: str, url: str, place: Path, reason: object) -> WeightsUnreachable:
    """The one sentence for weights that cannot be had now, with every way round."""
    return WeightsUnreachable(
        tr("The weights of {name} are not on this machine, and {url} cannot be reached.", name=name, url=url),
        got=str(reason),
        cure=tr(
            "put the file at {place} by hand, or give {weights}, or use {backbone}, which needs no network",
            place=place,
            weights=argument("weights", "FILE"),
            backbone=argument("backbone", "bundled:nae"),
        ),
    )


def _seems_whole(place: Path) -> bool:
    """Whether a file is of the kind that PyTorch writes; the directory of the newer kind stands at its end."""
    with open_regular(place) as stream:
        return stream.read(2) == _OLD_PICKLE or zipfile.is_zipfile(stream)


def why_unreachable(url: str) -> str:
    """Empty when ``url`` answers within :data:`PATIENCE` seconds, else the reason; proxies of the environment are used."""
    answer: list[str] = []
    # In a thread, because looking up a name in a dead network obeys no timeout.
    worker = threading.Thread(target=lambda: answer.append(_ask(url)), daemon=True)
    worker.start()
    worker.join(PATIENCE)
    return answer[0] if answer else tr("no answer within {seconds:g} seconds", seconds=PATIENCE)


def _ask(url: str) -> str:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "tsugiki"})  # noqa: S310 (https, from the catalogues)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        # 404 and 401 are answers of the server itself: the caller knows what they mean.
        return "" if error.code in {401, 403, 404, 405} else f"HTTP {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__


def download(url: str, place: Path, *, name: str, hash_prefix: str = "") -> Path:
    """Fetch ``url`` to ``place`` unless it is there; an interrupted transfer is continued by the next call.

    What is there is used as it is, but for a part of the promised file, which others' interrupted downloads leave.

    Args:
        url: The address.
        place: The file to make.
        name: Of the backbone, for the person.
        hash_prefix: The first digits of the SHA-256 that the content must have.

    Raises:
        WeightsUnreachable: When the server does not answer, or stops answering.
        WeightsError: When what came is not what was promised.
        TsugikiError: When the disk cannot be written to.
    """
    with alone(place):
        if place.is_file():
            if not hash_prefix or _seems_whole(place) or sha256_of(place).startswith(hash_prefix):
                return place
            say(tr("{place} is not whole: it is fetched anew.", place=place))
        failure = partial(unreachable, name, url, place)
        if reason := why_unreachable(url):
            raise failure(reason)
        say(tr("Fetching the weights of {name} from {url}", name=name, url=url))
        with fetched(Line(url, failure, name, timeout=_STALL), place) as whole:
            digest = sha256_of(whole)
            if not digest.startswith(hash_prefix):
                raise WeightsError(
                    tr("What came from {url} is not the promised file.", url=url),
                    allowed=f"SHA-256 {hash_prefix}...",
                    got=f"SHA-256 {digest}",
                )
            whole.replace(place)
    return place
