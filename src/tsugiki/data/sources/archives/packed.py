"""Photos that are packed once more inside a folder: an archive per class or per split."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tsugiki.core.files import atomic_folder, cache_folder, sha256_of
from tsugiki.data.sources.archives.archive import extract_archive, is_archive, without_suffix
from tsugiki.data.sources.split_words import whole_of
from tsugiki.data.sources.tables.table_file import TABLE_SUFFIXES
from tsugiki.data.sources.walk import Walk


def unpacked_inside(root: Path, walk: Walk) -> tuple[Path, list[str]] | None:
    """Where the archives of a folder without photos are unpacked to, each as a folder of its name, and their names.

    The pieces of one download are unpacked into one folder.

    Tables beside them are copied there, since their paths lead to what is packed.

    Args:
        root: The folder.
        walk: Of it.

    Raises:
        DataError: When an archive is damaged or unsafe.
    """
    archives = [name for name in walk.inside().others if is_archive(Path(name))]
    if not archives or walk.has_photos(""):
        return None
    tables = [name for name in walk.inside().others if Path(name).suffix.lower() in TABLE_SUFFIXES]
    folder = cache_folder() / "archives" / _digest(root, [*archives, *tables])
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            for name, inner in zip(archives, _folder_names(archives), strict=True):
                (temporary / inner).mkdir(exist_ok=True)
                extract_archive(root / name, temporary / inner)
            for name in tables:
                shutil.copyfile(root / name, temporary / name)
    return folder, archives


def _folder_names(archives: list[str]) -> list[str]:
    """Their names without ending; a word that a program has put after every class is none of it."""
    names = [whole_of(without_suffix(name)) for name in archives]
    if all(name.endswith("-samples") for name in names):
        return [name.removesuffix("-samples") for name in names]
    return names


def _digest(root: Path, files: list[str]) -> str:
    content = "\n".join(f"{sha256_of(root / name)} {name}" for name in files)
    return hashlib.sha256(content.encode()).hexdigest()[:32]
