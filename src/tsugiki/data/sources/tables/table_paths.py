"""Where the paths of a table lead; what to try where they lead nowhere.

A path as it stands counts first. Where most lead nowhere, each is taken for the one photo below the table's folder whose own
path ends like it: without its first folders, with an ending, in another case or Unicode form.

Letters: ``N`` paths.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, is_never_meant, is_writable_text, suffix_of
from tsugiki.data.sources.split_words import means_markings, split_in
from tsugiki.locale.messages import first_few, tr

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/{1,3}[^/]|data:image/", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_OTHER_BACKSLASH = re.compile("[¥￥₩]")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of files
_TRIED = 500
_MOST_FILES = 3_000_000  # looked through below the table's folder


def is_address(path: str) -> bool:
    """Whether a path is an address on the network, or a photo written out as text."""
    return bool(_ADDRESS.match(path)) and not path.startswith("file://") and not _DRIVE.match(path)


def parts_of(address: str) -> SplitResult:
    """An address in its parts; what is none after its kind is all path."""
    try:
        return urlsplit(address)
    except ValueError:  # brackets that hold no address of a machine
        kind, _, rest = address.partition(":")
        return SplitResult(kind, "", rest, "", "")


def path_of(text: str) -> str:
    """The path that a text means: itself, or that of a ``file://`` address."""
    if not text.startswith("file://"):
        return text
    from urllib.request import url2pathname  # brings an HTTP client along, which a prediction need not wait for

    return url2pathname(parts_of(text).path)


def relative_to(root: Path, path: str) -> str:
    """A path of a table as a POSIX path relative to ``root``; tables made on Windows may have backslashes.

    Raises:
        RequestError: When it is on another drive.
    """
    path = path_of(path)
    if path.startswith(("~/", "~\\")):
        path = os.path.expanduser(path)  # noqa: PTH111  no Path object per photo
    if os.sep == "/" and "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    if _OTHER_BACKSLASH.search(path) and not (root / path).exists():  # how Japanese and Korean fonts show one
        path = _OTHER_BACKSLASH.sub("/", path)
    if not os.path.isabs(path):  # noqa: PTH117  no Path object per photo
        return os.path.normpath(path).replace(os.sep, "/")
    try:
        return os.path.relpath(path, root.absolute()).replace(os.sep, "/")
    except ValueError:
        raise RequestError(
            tr("{path} is on another drive than the manifest.", path=path), cure=tr("put the manifest beside the photos")
        ) from None


class PhotoFinder:
    """Finds the photos that paths of a table mean.

    Args:
        root: The table's folder.
        split: Where several photos could be meant, those in a folder of this split are.
        fetches: Whether addresses lead to photos, too.
    """

    def __init__(self, root: Path, split: str = "", *, fetches: bool = False) -> None:
        self.root = root
        self.split = split
        self.fetches = fetches

    def leads_to_photos(self, texts: Sequence[str]) -> bool:
        """Whether most of some texts are paths, or ends of paths, of photos that are there."""
        tried = [text for text in _some(texts, 40) if text]
        if not tried:
            return False
        names = [relative_to(self.root, text) for text in tried if not is_address(text)]
        addresses = [text for text in tried if is_address(text)]
        if 2 * len(self.beside(addresses)) > len(tried):
            return True
        if self.fetches and 2 * sum(suffix_of(text.partition("?")[0]) in PHOTO_SUFFIXES for text in addresses) > len(tried):
            return True
        if sum(map(self._is_there, names)) * 2 > len(tried):
            return True
        found = [name for name in names if any(self._candidates(name, drop) for drop in range(_depth([name])))]
        return 2 * len(found) > len(tried)

    def beside(self, addresses: Collection[str]) -> dict[str, str]:
        """Of addresses, the photos below the table's folder whose paths end like them; none where most have none."""
        paths = {address: unquote(parts_of(address).path).lstrip("/") for address in addresses}
        names = [path for path in paths.values() if path]
        try:
            drop = self._best_drop(_some(names, _TRIED)) if names else None
        except RequestError:  # several photos could be meant
            return {}
        found = {} if drop is None else self._resolved(names, drop)
        return {address: found[path] for address, path in paths.items() if path in found}

    def located(self, table: Path, written: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """What each path means that is not there as it stands, and sentences about it.

        Args:
            table: The table, for the sentences.
            written: By relative path, what the table has.

        Raises:
            RequestError: When not one of the paths leads to a photo, or several photos could be meant.
        """
        names = [*written]
        tried = _some(names, _TRIED)
        there = sum(map(self._is_there, tried))
        if 2 * there >= len(tried):
            odd = [name for name in names if not name.isascii() and not self._is_there(name)]
            return self._other_forms(odd), []
        drop = self._best_drop(tried)
        if drop is None and not there:
            drop = self._drop_for_most_photos(names)
        if drop is None:
            if there or any(map(self._is_there, names)):
                return {}, []
            raise self._nowhere(table, written)
        found = {name: photo for name, photo in self._resolved(names, drop).items() if not self._is_there(name)}
        if all(_one_form(name) == _one_form(photo) for name, photo in found.items()):
            return found, []
        name, photo = next(((n, p) for n, p in found.items() if _one_form(n) != _one_form(p)))
        return found, [
            tr(
                "Paths of {table} that lead nowhere as they stand are read as the one photo whose path ends like them: "
                "{count} ({name} is {photo}).",
                table=table.name,
                count=len(found),
                name=written[name],
                photo=photo,
            )
        ]

    def _is_there(self, name: str) -> bool:
        return os.path.isfile(f"{self.root}/{name}")  # noqa: PTH113  no Path object per photo

    def _best_drop(self, names: Sequence[str]) -> int | None:
        """How many of the first folders to leave away, so that most paths are found; ``None`` where none helps."""
        ambiguous: list[tuple[str, list[str]]] = []
        for drop in range(_depth(names)):
            found = self._resolved(names, drop)
            if 2 * len(found) > len(names):
                return drop
            ambiguous += [(name, sorted(photos)) for name in names if len(photos := self._candidates(name, drop)) > 1]
        if 2 * len({name for name, _ in ambiguous}) > len(names):
            name, photos = ambiguous[0]
            raise RequestError(
                tr("{name} could be several photos.", name=name),
                got=first_few(photos, 3),
                cure=tr("write the folder into the path, as in {path}", path=photos[0]),
            )
        return None

    def _drop_for_most_photos(self, names: Sequence[str]) -> int | None:
        """The same where only a part of a table's photos is here: so that most photos that are here are found."""
        for drop in range(_depth(names)):
            if 2 * len(set(self._resolved(names, drop).values())) > len(self._by_path):
                return drop
        return None

    def _resolved(self, names: Sequence[str], drop: int) -> dict[str, str]:
        candidates = {name: self._candidates(name, drop) for name in names}
        return {name: photos[0] for name, photos in candidates.items() if len(photos) == 1}

    def _candidates(self, name: str, drop: int) -> list[str]:
        parts = [part for part in name.split("/") if part not in {"", ".", ".."}]
        if drop >= len(parts):
            return []
        *folders, base = (_one_form(part) for part in parts[drop:])
        if whole := self._by_path.get("/".join([*folders, base])):
            return [whole]
        found = self._of_name(base) or self._of_other_ending(base, anywhere=drop > 0)
        tail = "/".join(folders)
        if tail:
            found = [photo for photo in found if f"/{_one_form(photo.rpartition('/')[0])}".endswith(f"/{tail}")]
        if len(found) > 1 and self.split:
            of_split = [photo for photo in found if self.split in map(split_in, photo.split("/")[:-1])]
            return of_split or found
        return found

    def _of_name(self, base: str) -> list[str]:
        """The photos of a file name: as it is, without its ending, as addresses, numbers and uploads write it."""
        number = base.removesuffix(".0")
        names = [base, f"{base}.", unquote(base), _UPLOADED.sub("", base), f"{number}."]
        if number.isdecimal():
            names.append(f"{number.lstrip('0')}#")
        return next((found for name in names if (found := self._by_name.get(name))), [])

    def _of_other_ending(self, base: str, *, anywhere: bool) -> list[str]:
        """Photos that were converted; no other folder than that of the path is looked into, and none of masks."""
        stem, dot, ending = base.rpartition(".")
        if anywhere or f".{ending}" not in PHOTO_SUFFIXES or not dot:
            return []
        return [name for name in self._by_name.get(f"{stem}.", []) if not any(map(means_markings, name.split("/")))]

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        """Photos by their file name in one form; by it without ending, with a dot in its place; and by number, with a ``#``."""
        found: dict[str, list[str]] = defaultdict(list)
        for photo in _photos_below(str(self.root)):
            base = _one_form(photo.rpartition("/")[2])
            found[base].append(photo)
            stem = base.rpartition(".")[0]
            found[f"{stem}."].append(photo)
            if stem.isdecimal():
                found[f"{stem.lstrip('0')}#"].append(photo)
        return found

    @cached_property
    def _by_path(self) -> Mapping[str, str]:
        """Photos by their whole path, in one form that no other photo has."""
        found: dict[str, str] = {}
        for photo in (photo for photos in self._by_name.values() for photo in photos):
            form = _one_form(photo)
            found[form] = photo if found.get(form, photo) == photo else ""
        return found

    def _other_forms(self, names: Sequence[str]) -> dict[str, str]:
        """The photos that are meant by names whose letters are stored differently (NFC, NFD)."""
        forms: dict[str, list[str]] = defaultdict(list)
        if names:
            for photos in self._by_name.values():
                for photo in photos:
                    forms[unicodedata.normalize("NFC", photo)].append(photo)
        return {name: meant[0] for name in names if (meant := forms.get(unicodedata.normalize("NFC", name)))}

    def _nowhere(self, table: Path, written: Mapping[str, str]) -> RequestError:
        names = [*written.values()]
        here = [name for name in _some(names, _TRIED) if os.path.isfile(name)]  # noqa: PTH113
        what = tr("Not one of the {count} paths in {table} leads to a file.", count=len(names), table=table)
        got = tr("{name}, looked for in {folder}", name=names[0], folder=self.root.absolute())
        if here:
            cure = tr(
                "paths are relative to the folder of the table; from {folder} they lead to files: put the table there",
                folder=Path.cwd(),
            )
            return RequestError(what, got=got, cure=cure)
        return RequestError(what, got=got, cure=tr("write paths relative to the folder of the table, as in cat/1.jpg"))


def _depth(names: Sequence[str]) -> int:
    """How many first folders can be left away."""
    return max((name.count("/") for name in names), default=0) + 1


def _some(values: Sequence[str], most: int) -> Sequence[str]:
    return values[:: max(1, len(values) // most)]


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _photos_below(root: str) -> Iterator[str]:
    left = _MOST_FILES
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_never_meant(name)]
        inner = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in files:
            left -= 1
            if left < 0:
                return
            if suffix_of(name) in PHOTO_SUFFIXES and not is_never_meant(name) and is_writable_text(name):
                yield name if inner == "." else f"{inner}/{name}"
