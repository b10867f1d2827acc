"""``suspects.csv``: the list of doubted labels as a table that a person edits in a spreadsheet and feeds back.

The photos themselves are never touched: the file says what a training should do with them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.errors import DataError
from tsugiki.core.files import write_atomically
from tsugiki.core.messages import tr
from tsugiki.evaluation.suspects import Suspect

COLUMNS = ("path", "label", "suggested", "score", "action")
ACTIONS = ("keep", "exclude", "relabel")


@dataclass(frozen=True)
class Decisions:
    """What a person decided about doubted labels.

    Attributes:
        exclude: Paths of photos to leave out.
        relabel: Path to the class that is right.
    """

    exclude: frozenset[str]
    relabel: dict[str, str]


def write_suspects(path: Path, suspects: Sequence[Suspect], *, names: Sequence[str], classes: Sequence[str]) -> None:
    """Write the table; every ``action`` is ``keep`` until a person changes it.

    Args:
        path: The file to write.
        suspects: In the order in which they should be looked at.
        names: Paths of all photos, by row.
        classes: Class names, by label.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in suspects:
        writer.writerow([names[one.row], classes[one.label], classes[one.suggested], f"{one.score:.4f}", ACTIONS[0]])
    # The mark at the start tells spreadsheets that the letters are UTF-8.
    write_atomically(path, stream.getvalue().encode("utf-8-sig"))


def read_decisions(path: Path) -> Decisions:
    """Read an edited table: rows marked ``exclude`` or ``relabel`` (to what stands in ``suggested``).

    Only the columns ``path`` and ``action`` are needed, and ``suggested`` where something is relabelled. Comma, semicolon and
    tab are understood as separators, as spreadsheets write all three.

    Raises:
        DataError: When a column or an action is not understood.
    """
    text = _text(path)
    rows = csv.DictReader(io.StringIO(text), delimiter=_separator(text))
    exclude: set[str] = set()
    relabel: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        name, action, suggested = ((row.get(key) or "").strip() for key in ("path", "action", "suggested"))
        if not name or action.lower() not in (*ACTIONS, "") or (action.lower() == "relabel" and not suggested):
            raise DataError(
                tr("Line {number} of {name} cannot be understood.", number=number, name=path.name),
                allowed=tr("path, action (keep, exclude or relabel), and suggested where the action is relabel"),
                got=str({key: value for key, value in row.items() if key}),
            )
        if action.lower() == "exclude":
            exclude.add(name)
        elif action.lower() == "relabel":
            relabel[name] = suggested
    return Decisions(frozenset(exclude), relabel)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            tr("{name} is not written in UTF-8.", name=path.name),
            cure=tr("save it from the spreadsheet as CSV UTF-8"),
        ) from error
    header = text.splitlines()[0] if text.strip() else ""
    if not {"path", "action"} <= {name.strip().strip('"') for name in header.split(_separator(text))}:
        raise DataError(
            tr("{name} is no list of suspects.", name=path.name),
            allowed=",".join(COLUMNS),
            got=header[:200],
        )
    return text


def _separator(text: str) -> str:
    header = text.splitlines()[0] if text.strip() else ""
    return max(",;\t", key=header.count)
