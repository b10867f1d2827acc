"""Parquet files of photos: tables of paths, or the photos themselves inside, as data sets of the Hugging Face Hub have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tsugiki.core.console import progress
from tsugiki.core.errors import RequestError
from tsugiki.core.files import atomic_folder, cache_folder, sha256_of
from tsugiki.core.regular_files import open_regular, parse_json
from tsugiki.data.images.file_type import ending_of
from tsugiki.data.sources.split_words import means_pictures
from tsugiki.data.sources.tables.table_file import Table, cannot_be_read
from tsugiki.locale.messages import tr

_ROWS_AT_ONCE = 256  # photos in memory


def read_parquet(path: Path) -> Table:
    """The rows of a Parquet file; photos that are inside are unpacked into the cache, once, and their paths are the cells.

    Raises:
        RequestError: When it cannot be read, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RequestError(
            tr("Reading Parquet needs pyarrow, which is not installed."), cure="pip install 'tsugiki[parquet]'"
        ) from None
    inside = None
    try:
        with open_regular(path) as stream, parquet.ParquetFile(stream) as file:
            schema = file.schema_arrow
            photos = next((name for name in schema.names if _holds_photos(schema.field(name))), None)
            others = [name for name in schema.names if name != photos and not _is_heavy(schema.field(name), photos)]
            unread = tuple(name for name in schema.names if name not in {photos, *others})
            columns = [file.read(columns=[name]).column(0).to_pylist() for name in others]
            count = file.metadata.num_rows
            if photos is not None:
                inside = _unpacked(path, file, photos)
                others, columns = [*others, "path"], [*columns, _places(inside, file, photos)]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise cannot_be_read(path, str(fault)) from None
    cells = zip(*columns, strict=True) if columns else ([] for _ in range(count))
    rows = [(number, list(row)) for number, row in enumerate(cells, start=1)]
    return Table(path, others, rows, _names_of_classes(schema, others), unread, inside)


def _holds_photos(field: Any) -> bool:
    """Whether a column holds files: bytes with the path that they had, or bytes under a name that means pictures."""
    from pyarrow import types

    if types.is_binary(field.type) or types.is_large_binary(field.type):
        return means_pictures(field.name) or field.name.strip().casefold() in {"bytes", "image_bytes", "content"}
    return bool(types.is_struct(field.type)) and {inner.name for inner in field.type} >= {"bytes", "path"}


def _is_heavy(field: Any, photos: str | None) -> bool:
    """Whether a column need not be read: bytes that are neither label nor path, and a path beside photos that are inside."""
    from pyarrow import types

    name = field.name.strip().casefold()
    if photos is not None and name == "path":
        return True
    is_bytes = types.is_binary(field.type) or types.is_large_binary(field.type)
    return bool(is_bytes or types.is_struct(field.type)) and name not in {"path", "label", "labels"}


def _unpacked(path: Path, file: Any, column: str) -> Path | None:
    """The folder in the cache with the photos of a column, by row; ``None`` where there are only paths."""
    folder = cache_folder() / "archives" / f"{sha256_of(path)[:32]}-photos"
    if not folder.is_dir():
        with atomic_folder(folder) as temporary, progress(tr("Unpacking"), total=None) as tick:
            for row, (content, _) in enumerate(_contents(file, column)):
                if content:
                    (temporary / f"{row:08}{ending_of(content)}").write_bytes(content)
                    tick(1, "")
    return folder if any(folder.iterdir()) else None


def _places(folder: Path | None, file: Any, column: str) -> list[str]:
    """The path of each row's photo: inside ``folder``, or the one that the row names."""
    inside = {int(entry.name.partition(".")[0]): entry.name for entry in folder.iterdir()} if folder else {}
    if len(inside) == file.metadata.num_rows:
        return [inside[row] for row in range(len(inside))]
    return [inside.get(row) or named for row, (_, named) in enumerate(_contents(file, column))]


def _contents(file: Any, column: str) -> Iterator[tuple[bytes | None, str]]:
    """The bytes of every photo, and the path that it had."""
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=[column]):
        for value in batch.column(0).to_pylist():
            yield (value.get("bytes"), value.get("path") or "") if isinstance(value, dict) else (value, "")


def _of_each(feature: Any) -> Any:
    """What is noted of the entries of a column of lists; of any other column, of its cells."""
    if isinstance(feature, list):
        return feature[0]
    return feature.get("feature", feature) if feature.get("_type") in {"Sequence", "List", "LargeList"} else feature


def _names_of_classes(schema: Any, header: list[str]) -> dict[int, list[str]]:
    """The class names that a data set of the Hub notes beside its numbers."""
    try:
        features = parse_json((schema.metadata or {})[b"huggingface"].decode())["info"]["features"]
        labels = {name: _of_each(feature) for name, feature in features.items()}
        found = {name: feature["names"] for name, feature in labels.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {header.index(name): [str(one) for one in names] for name, names in found.items() if name in header}
