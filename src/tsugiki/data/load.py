"""Whatever a person names as their photos -> :class:`~tsugiki.data.samples.Samples`, and what the person reads about them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.arguments import argument
from tsugiki.core.console import say, typed
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError, RequestError, TsugikiError, UnknownName
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.label_sets import ABSENT, AS_WRITTEN, PRESENT, LabelReading
from tsugiki.data.photo_index import PhotoIndex
from tsugiki.data.samples import DEFAULT_HELD_OUT, Samples
from tsugiki.data.sources.archives.archive import ARCHIVE_SUFFIXES, guessed_names, is_archive, unpack
from tsugiki.data.sources.beside.labels_unread import OTHER_ARCHIVES, SPREADSHEETS
from tsugiki.data.sources.folders import list_folder
from tsugiki.data.sources.in_memory.objects import list_object
from tsugiki.data.sources.layout_hints import places_with_several
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, Listing, doubtful_names, is_never_meant, with_writable_names
from tsugiki.data.sources.manifest import MANIFEST_SUFFIXES, list_manifest
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.tables.label_rows import finished, names_of_classes
from tsugiki.data.sources.tables.table_paths import is_address
from tsugiki.locale.messages import tr

_CLASSES_SHOWN = 30
_LEFT_OUT_SHOWN = 10


def load(
    source: Any,
    *,
    seed: int = DEFAULT_SEED,
    held_out: float = DEFAULT_HELD_OUT,
    index: PhotoIndex | None = None,
    multi_label: bool = False,
    label_separator: str | None = None,
) -> Samples:
    """Read a data set and say what was decided: classes, counts, splits, files left out.

    Every file is read, and what cannot be a photo is left out; photos are decoded once, when their features are computed.

    Args:
        source: A folder of class folders (with or without ``train`` / ``val`` / ``test``), or of photos with a table; a
            manifest (``.csv``, ``.jsonl``, ``.parquet``), whose photos may be at addresses (``https://``, ``s3://``, ...) that
            are fetched once; a zip or tar archive of one of these; ``hf:OWNER/NAME``, a data set of the Hugging Face Hub, which
            is fetched once, or ``hf:FOLDER`` of one that is here; or ``sample:NAME``. In Python
            also what a program holds already: a torchvision ``ImageFolder``, a pandas ``DataFrame`` with the columns ``path``
            and ``label`` (``split``, ``group``), pairs of path and label; a map-style ``Dataset`` of (PIL image, label), a
            ``datasets.Dataset`` with a column of pictures, a pair of pictures and labels (uint8 ``[N, H, W, 3]`` or
            ``[N, H, W]``, or a list of PIL images); a dictionary of these by split; or ``Samples``, which are given back.
        seed: Of the draw that holds photos out, where nobody did.
        held_out: The share of every class to hold out then; 0 holds nothing out, and a score is out-of-fold.
        index: Where it is kept what the files hold; a feature store is one.
        multi_label: Whether a photo may have several labels, or none, even where no label says so: a photo in several class
            folders, or in several rows of a table, has all of their labels then.
        label_separator: What stands between the names of several labels of one photo, ``|`` where nobody says; a space means
            any space between words.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When the photos cannot be used as they are.
    """
    reading = label_reading(multi_label=multi_label, label_separator=label_separator)
    samples = read_samples(source, seed=seed, held_out=held_out, index=index, reading=reading)
    say(describe_samples(samples))
    return samples


def label_reading(*, multi_label: bool, label_separator: str | None) -> LabelReading:
    """How labels are to be read, as a person has said it.

    Raises:
        RequestError: When the separator is nothing.
    """
    if label_separator == "":
        raise RequestError(
            tr("{argument} is empty: nothing can stand between names.", argument=argument("label_separator")),
            allowed=tr("a sign that is in no name, as | or ;, or a space"),
            got=repr(label_separator),
            cure=argument("label_separator", ";"),
        )
    return LabelReading(multi_label, label_separator)


def read_samples(
    source: Any,
    *,
    seed: int = DEFAULT_SEED,
    held_out: float = DEFAULT_HELD_OUT,
    index: PhotoIndex | None = None,
    reading: LabelReading = AS_WRITTEN,
) -> Samples:
    """What :func:`load` gives, without telling it: for who has more to say about these photos first."""
    if isinstance(source, Samples):
        return source
    listing = list_photos(source, reading)
    _point_to_several_classes(listing)
    return Samples.from_listing(listing, (index or PhotoIndex()).contents(listing.paths), seed=seed, held_out=held_out)


def list_photos(source: Any, reading: LabelReading = AS_WRITTEN) -> Listing:
    """The candidate photos behind ``source``; no photo is opened.

    Args:
        source: What :func:`load` takes, but for ``Samples``.
        reading: How labels are to be read.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When an archive is damaged or unsafe.
    """
    by_path = isinstance(source, str | os.PathLike)
    listing = finished(_list_source(source, reading), reading) if by_path else list_object(source, reading)
    listing = with_writable_names(listing)
    return replace(listing, decisions=(*listing.decisions, *doubtful_names(names_of_classes(listing))))


def _list_source(source: str | os.PathLike[str], reading: LabelReading) -> Listing:
    if isinstance(source, str) and source.startswith(SAMPLE_MARK):
        from tsugiki.data.synthetic.sample import sample_folder

        return list_folder(sample_folder(source.removeprefix(SAMPLE_MARK)), reading)
    if isinstance(source, str) and source.startswith(HUB_MARK) and not source.startswith("hf://"):
        return _list_of_hub(source.removeprefix(HUB_MARK), reading)
    if is_address(str(source)):
        raise RequestError(
            tr("{address} is an address: nothing is fetched here.", address=source),
            cure=f"tsugiki data get {typed(str(source))}",
        )
    path = Path(source).expanduser()
    if path.is_dir():
        return list_folder(path, reading)
    if not path.exists():
        raise _nothing_there(path)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return list_manifest(path, reading=reading, fetches=True)
    if is_archive(path):
        return _list_archive(path, reading)
    raise RequestError(
        tr("{path} is no data set.", path=path),
        allowed=tr(
            "a folder of class folders, a manifest ({manifests}), an archive ({archives}), hf:OWNER/NAME or sample:NAME",
            manifests=", ".join(sorted(MANIFEST_SUFFIXES)),
            archives=", ".join(ARCHIVE_SUFFIXES),
        ),
        cure=_cure_of(path.suffix.lower()),
    )


def _cure_of(suffix: str) -> str:
    """What to do about a file that is not read, by its ending."""
    if suffix in SPREADSHEETS:
        return tr("save the table as CSV UTF-8 and name that file")
    if suffix in OTHER_ARCHIVES:
        return tr("unpack it, and name the folder")
    return tr("name the folder that it is in") if suffix in PHOTO_SUFFIXES else ""


def _nothing_there(path: Path) -> RequestError:
    parent = path.absolute().parent
    siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    return UnknownName(
        tr("There is no {path}.", path=path),
        name=path.name,
        known=siblings,
        cure=tr("name a folder with one folder of photos per class, or try sample:foodvision"),
    )


def _list_of_hub(name: str, reading: LabelReading) -> Listing:
    """A folder laid out as the Hub's data sets are, which any folder may be; or such a data set by its name."""
    if name and Path(name).expanduser().exists():
        return _list_source(Path(name), reading)
    from tsugiki.data.sources.addresses.hub_folder import hub_folder

    folder, called = hub_folder(name), Path(HUB_MARK + name)
    try:
        listing = list_unpacked(folder, called, reading)
    except TsugikiError as fault:
        raise _said_of_archive(fault, folder, called) from fault
    sentence = tr("The data set {name} of the Hugging Face Hub is in {folder}.", name=name, folder=folder)
    return replace(listing, decisions=(sentence, *listing.decisions))


def _list_archive(path: Path, reading: LabelReading) -> Listing:
    folder = unpack(path)
    try:
        listing = list_unpacked(folder, path, reading)
    except TsugikiError as fault:
        raise _said_of_archive(fault, folder, path) from fault
    sentences = [tr("{archive} was unpacked to {folder}.", archive=path.name, folder=folder), guessed_names(path)]
    return replace(listing, decisions=(*filter(None, sentences), *listing.decisions))


def _said_of_archive(fault: TsugikiError, folder: Path, archive: Path) -> TsugikiError:
    """The error with the archive's name in place of the folder in the cache, which nobody has named."""
    what, allowed, got, cure = (
        text.replace(str(folder), str(archive)) for text in (fault.what, fault.allowed, fault.got, fault.cure)
    )
    kind = RequestError if isinstance(fault, RequestError) else type(fault)
    return kind(what, allowed=allowed, got=got, cure=cure)


def list_unpacked(folder: Path, archive: Path, reading: LabelReading = AS_WRITTEN) -> Listing:
    """The candidate photos of ``folder``, which came out of ``archive``: those of any such folder.

    Raises:
        RequestError: When it is laid out in another way, or names files outside of it.
    """
    listing = list_folder(folder, reading)
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


def _refuse_paths_outside(listing: Listing, path: Path) -> None:
    """A manifest from somewhere else must not make the program read the person's own files."""
    outside = [name for name in listing.names if name.startswith("../")]
    if outside:
        raise RequestError(
            tr("The manifest in {archive} names files outside of it.", archive=path.name), got=", ".join(outside[:3])
        )


def _point_to_several_classes(listing: Listing) -> None:
    """Where all photos are of one class, nothing can be learned; often the folder above or below was meant."""
    if len(classes := set(listing.labels)) != 1 or listing.label_sets is not None:
        return
    (label,) = classes
    places = list(places_with_several(listing.root, label))
    if places:
        raise DataError(
            tr("There is only one class."),
            got=label,
            cure=tr("name the folder whose folders are the classes: {folder}", folder=places[0]),
        )


def describe_samples(samples: Samples) -> str:
    """A short text of several lines: a table of classes, the decisions, and the files left out with their reasons."""
    lines = [tr("{photos} photos, {classes} classes", photos=len(samples), classes=len(samples.classes))]
    if samples.targets is not None:
        lines = [_said_of_several(samples, samples.targets)]
    lines += _table(samples)
    lines += [f"- {sentence}" for sentence in (*samples.decisions, *samples.warnings)]
    lines += _left_out(samples)
    return "\n".join(lines)


def _said_of_several(samples: Samples, targets: npt.NDArray[np.int8]) -> str:
    """The first line where photos may have several labels."""
    per_photo = (targets == PRESENT).sum(axis=1)  # [N]
    return tr(
        "{photos} photos, {classes} classes, multi-label: {mean} labels per photo, {most} at most, {none} photos with none",
        photos=len(samples),
        classes=len(samples.classes),
        mean=f"{per_photo.mean():.2g}",
        most=per_photo.max(),
        none=(targets == ABSENT).all(axis=1).sum(),
    )


def _table(samples: Samples) -> Iterator[str]:
    counts = samples.counts()
    rows = [("", *counts)]
    shown = samples.classes[:_CLASSES_SHOWN]
    rows += [(visible(name, one_line=True), *(str(counts[split][name]) for split in counts)) for name in shown]
    if (more := len(samples.classes) - _CLASSES_SHOWN) > 0:
        rows.append((tr("... and {count} more", count=more), *("" for _ in counts)))
    if samples.targets is not None:
        rows.append((tr("photos"), *(str(samples.splits.count(split)) for split in counts)))
    else:
        rows.append((tr("all"), *(str(sum(counts[split].values())) for split in counts)))
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [" " * (width - _width(number)) + number for number, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join(["", name + " " * (widths[0] - _width(name)), *cells]).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: a Japanese letter takes two, a combining mark none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text
    )


def _left_out(samples: Samples) -> Iterator[str]:
    if not samples.left_out:
        return
    yield tr("Left out: {count}", count=len(samples.left_out))
    for photo in samples.left_out[:_LEFT_OUT_SHOWN]:
        yield f"  {visible(photo.name, one_line=True)}: {photo.reason}"
    if (more := len(samples.left_out) - _LEFT_OUT_SHOWN) > 0:
        yield "  " + tr("... and {count} more", count=more)


SAMPLE_MARK = "sample:"
HUB_MARK = "hf:"
