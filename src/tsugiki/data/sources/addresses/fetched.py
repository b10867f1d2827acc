"""Photos at addresses: each is fetched once into the cache, and from there on it is a file.

Only addresses in a table or a list that a person names are fetched, never those in a table that lies beside photos.

Letters: ``N`` addresses.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from tsugiki.core.console import progress
from tsugiki.core.errors import DataError, RequestError, TsugikiError
from tsugiki.core.files import cache_folder, cache_place
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import MAX_BYTES
from tsugiki.data.sources.addresses.fetch_file import KINDS, NotFetched, fetch_file, place_of_host
from tsugiki.data.sources.tables.table_paths import parts_of
from tsugiki.locale.messages import first_few, tr

_AT_ONCE = 16  # addresses that are asked at the same time: waiting costs no work
_SILENCES = 3  # after which nobody there is asked any more, where nobody has ever answered
_MOST_OF_A_NAME = 60  # letters: a path has to fit into any file system
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


@dataclass
class Fetched:
    """What came of ``N`` addresses.

    Attributes:
        places: By address, the file in the cache.
        reasons: By address, why it did not come.
        decisions: Sentences for the person.
        cure: What to do about those that did not come, where that is known.
    """

    places: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    cure: str = ""

    def nothing_came(self, named_by: str) -> TsugikiError:
        """The error where not one of the photos is here."""
        known = all(address.lower().startswith(KINDS) for address in self.reasons)
        kind = DataError if known and not self.cure else RequestError  # nobody was asked
        return kind(
            tr("Not one of the photos that {name} names could be fetched: {count}.", name=named_by, count=len(self.reasons)),
            allowed="" if known else ", ".join(KINDS),
            got=first_few([f"{address}: {reason}" for address, reason in self.reasons.items()], 3),
            cure=self.cure or tr("see to the connection and to the right to read there, and run the same command again"),
        )


def fetched_photos(addresses: Iterable[str]) -> Fetched:
    """The photos at addresses, each fetched where it is not in the cache already.

    Raises:
        TsugikiError: When the disk cannot be written to.
    """
    found, wanted = Fetched(), [*dict.fromkeys(addresses)]
    as_text = [address for address in wanted if address.startswith("data:")]
    found.reasons |= dict.fromkeys(as_text, tr("a picture written as text (base64): decode it first"))
    if len(wanted) == len(as_text):
        return found
    folder = fetched_folder()
    places = {address: folder / name_of_address(address) for address in wanted if address not in found.reasons}
    missing = [address for address, place in places.items() if not place.is_file()]
    for address, fault in zip(missing, _fetch(missing, [places[address] for address in missing]), strict=True):
        if fault is not None:
            found.reasons[address] = str(fault)
            found.cure = found.cure or fault.cure
    found.places = {address: str(place) for address, place in places.items() if address not in found.reasons}
    if found.places:
        found.decisions.append(
            tr(
                "Photos at addresses are in {folder}: {count}, of which {new} were fetched now.",
                folder=folder,
                count=len(found.places),
                new=len(missing) - sum(address in found.reasons for address in missing),
            )
        )
    return found


def fetched_folder() -> Path:
    """Where photos from addresses are kept: in the cache, or in a temporary folder where that cannot be written."""
    folder = cache_folder() / "fetched"
    return folder if folder.is_dir() else cache_place("fetched")


def name_of_address(address: str) -> str:
    """Where the photo of an address lies in the cache: called as it is there, where a file can be; no two are in one place."""
    parts = parts_of(address)
    host = parts.netloc.rpartition("@")[2]  # without a password
    plain = [_NOT_IN_NAMES.sub("_", unquote(part)).strip(". ")[:_MOST_OF_A_NAME] for part in (host, *parts.path.split("/"))]
    *folders, name = list(filter(None, plain)) or ["photo"]
    digest = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    stem, dot, ending = name.rpartition(".")
    last = f"{stem}-{digest}.{ending}" if dot and stem else f"{name}-{digest}"
    return "/".join([parts.scheme.lower(), *folders[:1], *folders[1:][-2:], last])


def _fetch(addresses: Sequence[str], places: Sequence[Path]) -> list[NotFetched | None]:
    hosts = _Hosts()
    pool = ContextThreadPool(_AT_ONCE)
    try:
        with progress(tr("Fetching"), total=len(addresses)) as tick:
            faults = []
            for fault in pool.map(partial(_fetch_one, hosts), addresses, places):
                faults.append(fault)
                tick(1, "")
            return faults
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts waits for those under way alone


def _fetch_one(hosts: _Hosts, address: str, place: Path) -> NotFetched | None:
    if fault := hosts.given_up(address):
        return fault
    try:
        fetch_file(address, place, limit=MAX_BYTES)
    except NotFetched as caught:
        hosts.tell(address, caught)
        return caught
    hosts.tell(address, None)
    return None


class _Hosts:
    """Who has answered, and who has not: ten thousand photos of a host that is not there are not waited for one by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silences: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._last: dict[str, NotFetched] = {}

    def tell(self, address: str, fault: NotFetched | None) -> None:
        """What came of an address."""
        host = place_of_host(address)
        with self._lock:
            if fault is None or not (fault.silent or fault.cure):
                self._answered.add(host)
            elif fault is not None:
                self._silences[host] += 1
                self._last[host] = fault

    def given_up(self, address: str) -> NotFetched | None:
        """Why nobody is asked there any more; ``None`` where somebody is."""
        host = place_of_host(address)
        with self._lock:
            gone = self._silences[host] >= _SILENCES and host not in self._answered
            return self._last[host] if gone else None
