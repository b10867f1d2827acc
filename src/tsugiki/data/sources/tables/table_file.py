"""A file of rows -> header and cells: CSV as spreadsheets and programs write it, lines of JSON, lists."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.core.regular_files import open_regular, parse_json
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, suffix_of
from tsugiki.data.sources.tables.encodings import ReadText, read_encoded
from tsugiki.data.sources.tables.json_rows import objects_in
from tsugiki.locale.messages import first_few, tr

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".jsonl", ".ndjson"})
LIST_SUFFIXES = frozenset({".txt", ".lst", ".list", ".json"})

_DELIMITERS = ",;\t|"
_ENDINGS = "|".join(sorted(re.escape(suffix) for suffix in PHOTO_SUFFIXES))
_PATH_FIRST = re.compile(rf"(?P<path>.+?(?:{_ENDINGS})[\"']?)(?:\s*[\t,;|]|\s)\s*(?P<rest>.+)", re.IGNORECASE)
_PATH_LAST = re.compile(rf"(?P<rest>[^\s,;|]+)[\s,;|]+(?P<path>.+(?:{_ENDINGS}))", re.IGNORECASE)
_CUT_BY_BARS = re.compile(rf"(?:{_ENDINGS})[\"']?\s*\|", re.IGNORECASE)
_NO_TABLE = re.compile(r"version https://git-lfs|\s*(?i:<!doctype html|<html)")
_MOST_ABOVE = 10  # lines of a title above the header


@dataclass(frozen=True)
class Table:
    """Rows of a file.

    Attributes:
        path: The file.
        header: The names of the columns.
        rows: The number of each row, as a person counts them in the file, and its cells: text, or what Parquet and JSON hold.
        names: By column, the texts that numbers stand for, where the file brings them along.
        unread: Columns that are in no row, because they hold neither text nor numbers.
        photos: The folder of photos that were inside the table; ``None`` where it has paths.
        sentences: For the person: what was guessed about the file.
    """

    path: Path
    header: list[str]
    rows: list[tuple[int, list[Any]]]
    names: dict[int, list[str]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    photos: Path | None = None
    sentences: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder that its paths are relative to."""
        return self.photos or self.path.parent

    def column(self, place: int) -> list[Any]:
        """The cells of one column."""
        return [cells[place] for _, cells in self.rows]


def read_table(path: Path, reading: LabelReading = AS_WRITTEN) -> Table:
    """The rows of a text file, by its ending.

    Args:
        path: The file.
        reading: How labels are to be read.

    Raises:
        RequestError: When it cannot be read, or its rows do not fit its header.
    """
    read = _text(path)
    if found := _NO_TABLE.match(read.text):
        lfs = found[0].startswith("version")
        raise cannot_be_read(path, tr("a Git LFS pointer: the file itself was not downloaded") if lfs else tr("a web page"))
    table = _of_text(path, read.text, reading)
    return replace(table, sentences=(*filter(None, [read.sentence(path.name)]), *table.sentences))


def _of_text(path: Path, text: str, reading: LabelReading) -> Table:
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return _of_json_lines(path, text)
    if suffix == ".json":
        return _of_json(path, text, reading)
    if suffix in LIST_SUFFIXES and not re.match(r"\W*(?:path|file|image)\w*\W*[,;\t|]", text, re.IGNORECASE):
        return _of_list(path, text, reading)
    return _of_csv(path, text)


def cannot_be_read(path: Path, reason: str) -> RequestError:
    """What to raise where a table is damaged."""
    return RequestError(tr("The manifest {path} cannot be read.", path=path), got=reason)


def _text(path: Path) -> ReadText:
    try:
        return read_encoded(path)
    except UnicodeDecodeError:
        raise RequestError(
            tr("The manifest {path} is not UTF-8 text.", path=path), got=_kind(path), cure=tr("save it again as CSV UTF-8")
        ) from None
    except OSError as fault:
        raise cannot_be_read(path, fault.strerror or str(fault)) from fault


def _kind(path: Path) -> str:
    """What a file without text is by its first bytes, whatever its ending says."""
    with open_regular(path) as stream:
        return tr("a file of a spreadsheet program") if stream.read(4) in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"} else ""


def _of_csv(path: Path, text: str) -> Table:
    lines, first, above = _from_header(text)
    delimiter = max(_DELIMITERS, key=lines.partition("\n")[0].count)
    quote = "'" if re.match(rf"'[^'\n]*'\s*{re.escape(delimiter)}\s*'", lines) else '"'
    header, *rows = _records(path, lines, delimiter, first, quote) or [(first, [])]
    names = [name.strip() for name in header[1]]
    for number, cells in rows:
        _check_row(path, names, number, cells, delimiter)
    filled = [(number, _padded(cells, len(names))) for number, cells in rows if any(map(str.strip, cells))]
    said = [tr("Lines above the header of {table} are not read: {lines}.", table=path.name, lines=first_few(above, 3))]
    return Table(path, names, filled, sentences=tuple(said if above else ()))


def _from_header(text: str) -> tuple[str, int, list[str]]:
    """The text from its header on, the number of that line, and what stands above: titles, comments."""
    lines = text.split("\n", _MOST_ABOVE)
    found = [[cell for cell in re.split(f"[{_DELIMITERS}]", line) if cell.strip()] for line in lines[:_MOST_ABOVE]]
    alone = next((at for at, cells in enumerate(found) if cells), 0)
    at = next((at for at, cells in enumerate(found) if len(cells) > 1), alone)
    if any(_is_header(cells[0]) for cells in found[:at] if cells):
        at = alone
    notes = [line.strip(f'{_DELIMITERS}\r" ') for line in lines[:at] if not re.fullmatch(r"sep=.\s*", line, re.IGNORECASE)]
    return "\n".join(lines[at:]), at + 1, list(filter(None, notes))


def _is_header(cell: str) -> bool:
    """Whether a cell that stands alone names a column, so that its line is no title."""
    return cell.strip().strip('"').casefold() in {"path", "label", "filename", "file_name", "image", "id"}


def _records(path: Path, text: str, delimiter: str, first: int, quote: str) -> list[tuple[int, list[str]]]:
    """Every record with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=True)
    records: list[tuple[int, list[str]]] = []
    start = first
    try:
        for cells in reader:
            records.append((start, cells))
            start = first + reader.line_num
    except csv.Error as fault:
        if "field limit" in str(fault):
            raise cannot_be_read(path, f"{tr('row {number}', number=start)}: {fault}") from None
        raise RequestError(
            tr("Row {number} of {path} cannot be read: a quote in it is not closed, or stands alone.", number=start, path=path),
            got=str(fault),
            cure=tr("close it, or double a quote that belongs to the text"),
        ) from None
    return records


def _check_row(path: Path, header: list[str], number: int, cells: list[str], delimiter: str) -> None:
    """Refuse a row that says more than the header has columns, and a cell that has swallowed other rows."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise RequestError(
            tr("Row {number} of {path} has more cells than the header.", number=number, path=path),
            allowed=tr("{count} cells: {names}", count=len(header), names=", ".join(header)),
            got=tr("{count} cells: {names}", count=len(cells), names=", ".join(cells)),
            cure=tr('put a cell with a comma into quotes, as in "cat, black"'),
        )
    for cell in cells:
        swallowed = [line for line in cell.splitlines()[1:] if line.count(delimiter) >= len(header) - 1 > 0]
        if "\n" in cell and swallowed:
            raise RequestError(
                tr(
                    "A cell in row {number} of {path} goes on over other rows: a quote is not closed.", number=number, path=path
                ),
                got=repr(cell[:60]),
                cure=tr("close it, or double a quote that belongs to the text"),
            )


def _padded(cells: list[str], count: int) -> list[str]:
    return [*cells, *[""] * (count - len(cells))][:count]


def _of_json_lines(path: Path, text: str) -> Table:
    found: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as fault:
            raise cannot_be_read(path, f"{tr('row {number}', number=number)}: {fault}") from None
        if not isinstance(value, dict):
            raise cannot_be_read(path, f"{tr('row {number}', number=number)}: {line[:60]}")
        found.append((number, value))
    return _of_objects(path, found)


def _of_objects(path: Path, found: list[tuple[int, dict[str, Any]]], unread: tuple[str, ...] = ()) -> Table:
    header = list(dict.fromkeys(name for _, value in found for name in value))
    return Table(path, header, [(number, [value.get(name) for name in header]) for number, value in found], unread=unread)


def _of_json(path: Path, text: str, reading: LabelReading) -> Table:
    try:
        objects, unread = objects_in(parse_json(text), several=reading.several)
    except ValueError as fault:
        raise cannot_be_read(path, str(fault)) from None
    return _of_objects(path, list(enumerate(objects, start=1)), unread)


def _of_list(path: Path, text: str, reading: LabelReading) -> Table:
    """Lines of a path and a label, as lists of ImageNet and its like have them; what comes after is said and not read."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    rows = [(number, _path_and_rest(line)) for number, line in lines if line and not line.startswith("# ")]
    more = [rest.split() for _, (_, rest) in rows if rest]
    numbered = any(len(words) > 1 for words in more) and all(map(_are_numbers, (words[1:] for words in more)))
    signs = r"[\t,;|]" if _CUT_BY_BARS.search(text) else r"[\t,;]"  # a | elsewhere stands between labels
    cut = rf"{signs}|\s+" if numbered else signs
    most = 1 if reading.separator is None else 0  # else labels are made of all that comes after the path
    cells = [(number, [name, *_pieces(cut, rest.strip(), most)]) for number, (name, rest) in rows]
    longest = [" ".join(found[2].split()) for _, found in cells if len(found) > 2 and found[2]]
    unread = (tr("what comes after the label ({example})", example=longest[0]),) if longest else ()
    return Table(path, ["path", "label"], [(number, found[:2]) for number, found in cells], unread=unread)


def _path_and_rest(line: str) -> tuple[str, str]:
    """The path in a line of a list, and what else is there: most often the label behind it, seldom before it."""
    if match := _PATH_FIRST.match(line):
        return match["path"].strip("\"' "), match["rest"]
    if match := _PATH_LAST.fullmatch(line):
        return match["path"], match["rest"]
    name, *rest = re.split(r"[\t,]", line, maxsplit=1) if re.search(r"[\t,]", line) else line.rsplit(None, 1)
    return name.strip(), "".join(rest)


def _pieces(cut: str, text: str, most: int) -> list[str]:
    return [piece.strip() for piece in re.split(cut, text, maxsplit=most)] if most else [text]


def _are_numbers(words: list[str]) -> bool:
    return all(re.fullmatch(r"[-+]?\d*\.?\d+", word) for word in words)


def looks_headless(table: Table) -> bool:
    """Whether the first line of a table names a photo, so that the names of the columns are missing."""
    return any(suffix_of(name) in PHOTO_SUFFIXES for name in table.header)
