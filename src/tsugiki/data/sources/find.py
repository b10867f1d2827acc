"""Whatever a person names as their photos -> :class:`Listing`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.data.listing import Listing
from tsugiki.data.sources.archive import ARCHIVE_SUFFIXES, is_archive, unpack
from tsugiki.data.sources.folders import list_folder
from tsugiki.data.sources.manifest import MANIFEST_SUFFIXES, has_columns, list_manifest
from tsugiki.data.sources.names import is_never_meant, split_of
from tsugiki.locale.messages import tr

SAMPLE_MARK = "sample:"


def list_photos(source: str | Path) -> Listing:
    """The candidate photos behind ``source``; no photo is opened.

    Args:
        source: A folder of class folders (with or without ``train`` / ``val`` / ``test``), a ``.csv`` or ``.parquet`` manifest,
            a zip or tar archive of one of these, or ``sample:NAME``.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When an archive is damaged or unsafe.
    """
    if isinstance(source, str) and source.startswith(SAMPLE_MARK):
        from tsugiki.data.synthetic.sample import sample_folder

        return list_folder(sample_folder(source.removeprefix(SAMPLE_MARK)))
    path = Path(source).expanduser()
    if path.is_dir():
        return list_folder(path)
    if not path.exists():
        raise _nothing_there(path)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return list_manifest(path)
    if is_archive(path):
        return _list_archive(path)
    raise RequestError(
        tr("{path} is no data set.", path=path),
        allowed=tr(
            "a folder of class folders, a manifest ({manifests}), an archive ({archives}) or sample:NAME",
            manifests=", ".join(sorted(MANIFEST_SUFFIXES)),
            archives=", ".join(ARCHIVE_SUFFIXES),
        ),
    )


def _nothing_there(path: Path) -> RequestError:
    parent = path.absolute().parent
    siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    return UnknownName(
        tr("There is no {path}.", path=path),
        name=path.name,
        known=siblings,
        cure=tr("name a folder with one folder of photos per class, or try sample:foodvision"),
    )


def _list_archive(path: Path) -> Listing:
    folder = unwrapped(unpack(path))
    listing = list_unpacked(folder, path)
    sentence = tr("{archive} was unpacked to {folder}.", archive=path.name, folder=folder)
    return replace(listing, decisions=(sentence, *listing.decisions))


def list_unpacked(folder: Path, archive: Path) -> Listing:
    """The candidate photos of ``folder``, which came out of ``archive``.

    Raises:
        RequestError: When it is laid out in another way, or names files outside of it.
    """
    manifest = _only_manifest(folder)
    listing = list_manifest(manifest) if manifest else list_folder(folder)
    _refuse_paths_outside(listing, archive)
    return listing


def unwrapped(folder: Path) -> Path:
    """The folder inside a single folder that only wraps everything, as most archives have one."""
    while True:
        entries = [entry for entry in folder.iterdir() if not is_never_meant(entry.name)]
        if len(entries) != 1 or not entries[0].is_dir() or split_of(entries[0].name):
            return folder
        if not any(entry.is_dir() or entry.suffix.lower() in MANIFEST_SUFFIXES for entry in entries[0].iterdir()):
            return folder
        folder = entries[0]


def _only_manifest(folder: Path) -> Path | None:
    tables = [entry for entry in folder.iterdir() if entry.suffix.lower() in MANIFEST_SUFFIXES and has_columns(entry)]
    return tables[0] if len(tables) == 1 else None


def _refuse_paths_outside(listing: Listing, path: Path) -> None:
    """A manifest from somewhere else must not make the program read the person's own files."""
    outside = [name for name in listing.names if name.startswith("../")]
    if outside:
        raise RequestError(
            tr("The manifest in {archive} names files outside of it.", archive=path.name), got=", ".join(outside[:3])
        )
