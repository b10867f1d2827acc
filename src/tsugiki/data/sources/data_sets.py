"""``tsugiki data get``: a data set by name, address or archive, as a folder of photos that is ready to use."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit
from urllib.request import url2pathname

from tsugiki.core.arguments import argument
from tsugiki.core.console import say, typed
from tsugiki.core.errors import DataError, RequestError, TsugikiError, UnknownName
from tsugiki.core.files import atomic_folder, sha256_of, write_atomically
from tsugiki.core.http import Line, alone, fetched
from tsugiki.core.regular_files import read_text
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.load import SAMPLE_MARK, label_reading, list_unpacked, unwrapped
from tsugiki.data.sources.archives.archive import extract_archive, guessed_names, without_suffix
from tsugiki.data.synthetic.sample import describe_samples, sample_folder
from tsugiki.locale.messages import tr

_ARTICLE = "https://github.com/vinsmoke-three/deeplearning-with-pytorch/raw/main/data/"

DATA_SETS: dict[str, str] = {
    "pizza_steak_sushi": _ARTICLE + "pizza_steak_sushi.zip",
    "pizza_steak_sushi_20_percent": _ARTICLE + "pizza_steak_sushi_20_percent.zip",
    "hymenoptera": "https://download.pytorch.org/tutorial/hymenoptera_data.zip",
}
"""Names and addresses: the data of the two articles and of PyTorch's own tutorial."""


@dataclass(frozen=True)
class _Order:
    """What was asked for: an address or an archive of the person's own, and the folder's name."""

    name: str
    url: str = ""
    archive: Path | None = None
    sha256: str = ""
    reading: LabelReading = AS_WRITTEN


def get_data(
    name_or_url_or_zip: str | Path,
    *,
    to: Path = Path("data"),
    multi_label: bool = False,
    label_separator: str | None = None,
) -> Path:
    """Bring a data set into the folder ``to``; what is there already is not fetched again.

    Args:
        name_or_url_or_zip: One of :data:`DATA_SETS`, ``sample:NAME``, an ``http``, ``https`` or ``file`` address (with
            ``#sha256=...`` its content is checked), or a zip or tar archive on this machine.
        to: Where the data set's folder is made.
        multi_label: Whether a photo may have several labels, as for :func:`tsugiki.load`; nothing that is fetched is changed.
        label_separator: What stands between several labels of one photo, likewise.

    Returns:
        The folder with the classes, or with the ``train`` and ``test`` that hold them.

    Raises:
        RequestError: When there is no such data set, or the folder is there and holds something else.
        DataError: When it cannot be fetched, is not what it should be, or holds no labelled photos.
    """
    text = str(name_or_url_or_zip)
    reading = label_reading(multi_label=multi_label, label_separator=label_separator)
    if text.startswith(SAMPLE_MARK):
        return _copy_sample(text.removeprefix(SAMPLE_MARK), to)
    order = replace(_understand(text), reading=reading)
    folder = to / order.name
    if _is_present(folder, order):
        say(tr("{folder} is there already; nothing was fetched.", folder=folder))
        return folder
    if order.archive is not None:
        _unpack_photos(order, order.archive, folder)
        return folder
    with alone(folder):
        if not _is_present(folder, order):  # another process may have been quicker
            say(tr("Fetching {url}", url=order.url))
            line = Line(order.url, partial(_unreachable, order.url), tr("Fetching"))
            with fetched(line, to / f"{order.name}.download") as archive:
                _unpack_photos(order, archive, folder)
    return folder


def _unreachable(url: str, reason: str) -> DataError:
    return DataError(
        tr("{url} could not be fetched.", url=url),
        got=reason,
        cure=tr(
            "try again later (what came so far is kept), or fetch the file elsewhere and type: "
            "tsugiki data get path/to/{name}; without a network, sample:foodvision works at once",
            name=typed(url.partition("?")[0].rstrip("/").rpartition("/")[2]),
        ),
    )


def _understand(text: str) -> _Order:
    if text in DATA_SETS:
        return _Order(text, url=DATA_SETS[text])
    address, fragment = urldefrag(text)
    scheme = urlsplit(address).scheme.lower()
    sha256 = _wanted_digest(fragment)
    if scheme in {"http", "https"}:
        return _Order(_folder_name(unquote(urlsplit(address).path)), url=address, sha256=sha256)
    if scheme == "file":
        return _own_archive(Path(url2pathname(urlsplit(address).path)), text, sha256)
    if "://" in text:
        raise RequestError(tr("{address} cannot be fetched.", address=text), allowed="http://, https://, file://")
    return _own_archive(Path(text).expanduser(), text)


def _own_archive(path: Path, asked: str, sha256: str = "") -> _Order:
    if path.is_dir():
        raise RequestError(
            tr("{path} is a folder already.", path=path),
            cure=tr("use it as it is: tsugiki fit {path} --out RUN", path=typed(path)),
        )
    if not path.is_file():
        raise UnknownName(
            tr("There is no data set or archive {name}.", name=asked),
            name=asked,
            known=DATA_SETS,
            cure=tr("one of {names}, an address, or an archive on this machine", names=", ".join(describe_data_sets())),
        )
    return _Order(_folder_name(path.name), archive=path, sha256=sha256)


def describe_data_sets() -> dict[str, str]:
    """Everything that ``tsugiki data get`` knows by name, and where it comes from."""
    return DATA_SETS | {SAMPLE_MARK + name: words for name, words in describe_samples().items()}


def _folder_name(path: str) -> str:
    """The archive's name without its ending, fit to be a folder on any system."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return re.sub(r'[\x00-\x1f<>:"|?*]', "_", without_suffix(name)).strip(" .") or "photos"


def _wanted_digest(fragment: str) -> str:
    if not fragment:
        return ""
    match = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if not match:
        raise RequestError(
            tr("What stands after # is no checksum."), allowed=tr("#sha256= and 64 hexadecimal digits"), got=f"#{fragment}"
        )
    return match[1].lower()


def _is_present(folder: Path, order: _Order) -> bool:
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    elsewhere = tr("name another place with {argument}, or take {folder} away", argument=argument("to"), folder=folder)
    try:
        listing = list_unpacked(folder, folder, order.reading)
    except TsugikiError as fault:
        raise RequestError(
            tr("{folder} is there already and holds no labelled photos.", folder=folder), got=fault.what, cure=elsewhere
        ) from fault
    record = _record(folder)
    recorded = read_text(record).partition(" ")[0] if record.is_file() else ""
    if order.sha256 and recorded and order.sha256 != recorded:
        raise RequestError(
            tr("{folder} is there already and came from another file.", folder=folder),
            allowed=f"sha256 {order.sha256}",
            got=f"sha256 {recorded}",
            cure=elsewhere,
        )
    return len(listing) > 0


def _unpack_photos(order: _Order, archive: Path, folder: Path) -> None:
    digest = sha256_of(archive)
    if order.sha256 and digest != order.sha256:
        raise DataError(
            tr("The file is not the one that was asked for."), allowed=f"sha256 {order.sha256}", got=f"sha256 {digest}"
        )
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=_made(folder.parent)) as work:
        packed = Path(work) / "packed"
        packed.mkdir()
        extract_archive(archive, packed)
        if guess := guessed_names(archive):
            say(guess)
        photos = unwrapped(packed)
        count = _count_photos(photos, archive, order.reading)
        if folder.is_dir():
            folder.rmdir()  # it is empty, or it would have been kept
        photos.rename(folder)
    write_atomically(_record(folder), f"{digest}  {_name_of(archive)}\n")
    say(tr("{count} photos in {folder}", count=count, folder=folder))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _count_photos(folder: Path, archive: Path, reading: LabelReading) -> int:
    try:
        count = len(list_unpacked(folder, archive, reading))
    except RequestError as fault:
        # What to do about the labels is what to do here, too; a cure of the folder would name one that is taken away.
        raise _no_photos(archive, fault.what, "" if str(folder) in fault.cure else fault.cure) from fault
    if not count:
        raise _no_photos(archive, tr("nothing"))
    return count


def _no_photos(archive: Path, got: str, cure: str = "") -> DataError:
    return DataError(
        tr("{archive} holds no labelled photos.", archive=_name_of(archive)),
        allowed=tr("one folder of photos per class, with or without train and test around them"),
        got=got,
        cure=cure,
    )


def _name_of(archive: Path) -> str:
    return archive.name.removesuffix(".download.part")


def _record(folder: Path) -> Path:
    """Where the archive's SHA-256 is kept: beside the folder, in the format of ``sha256sum``."""
    return folder.with_name(f"{folder.name}.sha256")


def _copy_sample(name: str, to: Path) -> Path:
    drawn = sample_folder(name)
    folder = to / name
    if _is_present(folder, _Order(name)):
        say(tr("{folder} is there already; nothing was fetched.", folder=folder))
        return folder
    with atomic_folder(folder) as temporary:
        shutil.copytree(drawn, temporary, dirs_exist_ok=True)
    return folder
