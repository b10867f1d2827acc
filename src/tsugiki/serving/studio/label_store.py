"""What a person has decided about each photo: its class, that it is left out, that it is right as it is.

Everything can be undone. The decisions are one table, ``path,label,decision``, which ``tsugiki fit`` takes as it is: it is
written whole after every change, before the change is confirmed. Rows of photos that are not here now are kept in it. Classes
come in the order in which the table has them first, so that their keys stay. Where photos may have several labels, these are
one text (:mod:`tsugiki.serving.studio.label_texts`). Letters: ``N`` photos.
"""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.display.table_cells import table_rows, table_text
from tsugiki.core.errors import DataError, RequestError, UnknownName
from tsugiki.core.files import write_atomically
from tsugiki.data.label_sets import SEPARATOR, parted
from tsugiki.data.natural_order import natural
from tsugiki.data.sources.listing import look_the_same, one_spelling
from tsugiki.data.sources.tables.encodings import read_encoded
from tsugiki.locale.messages import tr
from tsugiki.serving.studio.label_texts import KEYS, renamed, table_place, tidy, toggled, with_keys
from tsugiki.serving.studio.photo_set import PhotoSet

OUT, RIGHT, KEPT = "left out", "right", "kept"
MARKS = ("", OUT, RIGHT, KEPT, f"{RIGHT}, {KEPT}")
"""What can be decided of a photo besides its class: nothing; that it is left out; that its class is right, whoever doubts it;
that it is kept, although it is a copy or odd; or both of these."""

_MOST_STEPS = 1000
_MOST_CLASSES = 1000
_LONGEST = 100  # letters of a class name

Decided = tuple[str, str]
"""Class (``""``: none) and mark of one photo; several labels as ``a|b``, ``|`` for none of the classes."""


@dataclass(frozen=True)
class Step:
    """One change.

    Attributes:
        rows: The photos.
        before: What was decided of each.
        after: What is.
        classes_before: All classes, in order.
        classes_after: Likewise.
        batch: What this was a part of: photos that were put on the page in one go are one change.
    """

    rows: list[int]
    before: list[Decided]
    after: list[Decided]
    classes_before: tuple[str, ...]
    classes_after: tuple[str, ...]
    batch: str = ""

    def turned(self) -> Step:
        """What undoes it."""
        return Step(self.rows, self.after, self.before, self.classes_after, self.classes_before)

    def with_more(self, step: Step) -> Step:
        """Both changes as one."""
        rows, before, after = (self.rows + step.rows, self.before + step.before, self.after + step.after)
        return Step(rows, before, after, self.classes_before, step.classes_after, self.batch)


class LabelStore:
    """Decisions about the photos of a set.

    Args:
        photos: Whose number is the place of its decision.
        table: The file; read where it is there.
        several: Whether a photo may have several labels, even where neither the table nor the photos say so.

    Attributes:
        several: Whether it may.
        told_by: Who says so, where nobody asked for it: the name of the table or of the folder.
        classes: In the order of their keys.
        decided: ``N``.
        revision: Counts changes.

    Raises:
        DataError: When the file is something else.
    """

    def __init__(self, photos: PhotoSet, table: Path, *, several: bool = False) -> None:
        self._photos, self.table = photos, table
        self.several, self.told_by = several or photos.several, ""
        if photos.several and not several:
            self.told_by = photos.folder.absolute().name
        self.decided: list[Decided] = [(label, "") for label in photos.labels]
        self.classes: tuple[str, ...] = ()
        self.revision = 0
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._elsewhere: list[tuple[str, str, str, str]] = []  # path, label, split, decision
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._written_paths: list[str] = []
        self._folders: dict[Path, str] = {}
        self._written, self._stamp = 0, _stamp(table)
        if self._stamp:
            self._read()
        more = {name for label, _ in self.decided for name in self.names_in(label)} - {*self.classes}
        self.classes = (*self.classes, *sorted(more, key=natural))

    @property
    def undoable(self) -> tuple[bool, bool]:
        """Whether something can be undone, and done again."""
        return bool(self._done), bool(self._undone)

    def names_in(self, label: str) -> Sequence[str]:
        """The classes that a decision names."""
        return [*parted(label).present] if self.several else [label] if label else []

    def placed(self, labels: Iterable[str]) -> list[int | list[int]]:
        """What pages are told instead of decisions: the number of the class, those of several; -1 for none."""
        order = {name: number for number, name in enumerate(self.classes)}
        if not self.several:
            return [order.get(label, -1) for label in labels]
        found: dict[str, int | list[int]] = {"": -1}
        labels = [*labels]
        for text in {*labels} - {""}:
            found[text] = sorted(order[name] for name in parted(text).present if name in order)
        return [found[text] for text in labels]

    def toggle(self, rows: Sequence[int], name: str) -> Step:
        """Several labels: give photos one more; take it away where all of them have it.

        Raises:
            UnknownName: When there is no such class.
            RequestError: When there is no such photo, or each has one label.
        """
        with self._lock:
            self._require(rows, name)
            if not self.several:
                raise RequestError(tr("Photos have one label each here."), cure="tsugiki studio DATA --multi-label")
            before = [self.decided[row] for row in rows]
            labels = toggled([label for label, _ in before], name)
            after = [(label, "" if label else mark) for label, (_, mark) in zip(labels, before, strict=True)]
            return self._do(Step(list(rows), before, after, self.classes, self.classes))

    def _require(self, rows: Sequence[int], label: str | None) -> None:
        """Refuse photos and classes that are not there."""
        if any(not 0 <= row < len(self.decided) for row in rows):
            raise RequestError(tr("There is no such photo."), got=str(max(rows)))
        for name in self.names_in(label or ""):
            self._place(name)

    def decide(self, rows: Sequence[int], *, label: str | None = None, mark: str | None = None) -> Step:
        """Give photos a class (``""`` takes it away), a mark, or both; several labels as ``a|b``.

        Raises:
            UnknownName: When there is no such class.
            RequestError: When there is no such photo or mark.
        """
        with self._lock:
            self._require(rows, label)
            label = tidy(label) if label and self.several else label
            if mark is not None and mark not in MARKS:
                raise RequestError(tr("There is no such decision."), allowed=", ".join(MARKS[1:]), got=repr(mark)[:100])
            before = [self.decided[row] for row in rows]
            # Whoever gives a photo a class wants it learned from, and looks at a label that was right before anew.
            after = [(one if label is None else label, ("" if label else old) if mark is None else mark) for one, old in before]
            return self._do(Step(list(rows), before, after, self.classes, self.classes))

    def add_class(self, name: str) -> Step:
        """A new class, the last one.

        Raises:
            RequestError: When that is no name, or there is such a class.
        """
        with self._lock:
            name = _checked(name, self.classes)
            if len(self.classes) >= _MOST_CLASSES:
                raise RequestError(tr("There are too many classes."), allowed=str(_MOST_CLASSES))
            return self._do(Step([], [], [], self.classes, (*self.classes, name)))

    def rename_class(self, old: str, new: str) -> Step:
        """Give a class another name.

        Raises:
            UnknownName: When there is no such class.
            RequestError: When the new name is none, or another class's.
        """
        with self._lock:
            place = self._place(old)
            new = _checked(new, (*self.classes[:place], *self.classes[place + 1 :]))
            return self._do(self._replaced(old, new, (*self.classes[:place], new, *self.classes[place + 1 :])))

    def remove_class(self, name: str) -> Step:
        """Take a class away; its photos have none then.

        Raises:
            UnknownName: When there is no such class.
        """
        with self._lock:
            place = self._place(name)
            return self._do(self._replaced(name, "", (*self.classes[:place], *self.classes[place + 1 :])))

    def undo(self) -> Step | None:
        """Take the last change back; ``None`` where there is none."""
        with self._lock:
            if not self._done:
                return None
            step = self._done.pop()
            self._undone.append(step)
            return self._apply(step.turned())

    def redo(self) -> Step | None:
        """Do again what was undone last; ``None`` where there is nothing."""
        with self._lock:
            if not self._undone:
                return None
            step = self._undone.pop()
            self._done.append(step)
            return self._apply(step)

    def grow(self, batch: str = "") -> Step:
        """Make room for photos that were added; undone, they are left out.

        Args:
            batch: The same for photos that were added in one go.
        """
        with self._lock:
            rows = [*range(len(self.decided), len(self._photos))]
            self.decided += [("", "")] * len(rows)
            added = Step(rows, [("", OUT)] * len(rows), [("", "")] * len(rows), self.classes, self.classes, batch)
            if batch and self._done and self._done[-1].batch == batch:
                self._done[-1] = self._done[-1].with_more(added)
                return self._apply(added)
            return self._do(added)

    def save(self) -> None:
        """Write the table, unless somebody else has just written it with everything in it.

        Raises:
            DataError: When another program has changed the file, or it cannot be written.
        """
        with self._writing:
            with self._lock:
                revision, rows = self.revision, self._rows()
            if self._written >= revision and self._stamp is not None:
                return
            if _stamp(self.table) != self._stamp:
                raise DataError(
                    tr("{name} was changed by another program: nothing more is saved.", name=self.table.name),
                    cure=tr("move your copy aside, and start the studio again"),
                )
            try:
                # The mark at the start tells spreadsheets that the letters are UTF-8.
                write_atomically(self.table, table_text(rows).encode("utf-8-sig"))
            except OSError as error:
                raise DataError(
                    tr("{folder} cannot be written.", folder=self.table.parent), got=error.strerror or str(error)
                ) from error
            self._written, self._stamp = revision, _stamp(self.table)

    def _place(self, name: str) -> int:
        if name not in self.classes:
            raise UnknownName(tr("There is no class {name}.", name=repr(name)[:200]), name=name[:200], known=self.classes)
        return self.classes.index(name)

    def _replaced(self, old: str, new: str, classes: tuple[str, ...]) -> Step:
        rows = [row for row, (label, _) in enumerate(self.decided) if old in self.names_in(label)]
        before = [self.decided[row] for row in rows]
        after = [(renamed(label, old, new) if self.several else new, mark) for label, mark in before]
        return Step(rows, before, after, self.classes, classes)

    def _do(self, step: Step) -> Step:
        self._done = [*self._done[-_MOST_STEPS:], step]
        self._undone = []
        return self._apply(step)

    def _apply(self, step: Step) -> Step:
        for row, decided in zip(step.rows, step.after, strict=True):
            self.decided[row] = decided
        self.classes = step.classes_after
        self.revision += 1
        return step

    def _rows(self) -> Iterable[Sequence[str]]:
        """The table: class after class; then what was decided of photos that have none."""
        with_splits = any(self._photos.splits) or any(split for _, _, split, _ in self._elsewhere)
        order = {name: place for place, name in enumerate(self.classes)}
        told = [row for row, decided in enumerate(self.decided) if decided != ("", "") or self._photos.labels[row]]
        told.sort(key=lambda row: table_place(self._shown(row), order))
        rows: list[Sequence[str]] = [("path", "label", "split", "decision")]
        rows += ((self._written_path(row), self._shown(row), self._photos.splits[row], self.decided[row][1]) for row in told)
        rows += self._elsewhere
        if not with_splits:
            rows = [(*cells[:2], cells[3]) for cells in rows]
        return with_keys(rows, self.classes) if self.several else rows

    def _shown(self, row: int) -> str:
        """The class that a photo is learned in: none where it is left out."""
        label, mark = self.decided[row]
        return "" if mark == OUT else label

    def _written_path(self, row: int) -> str:
        """As seen from the table; found out once: asking the system for 50,000 of them takes a second."""
        while len(self._written_paths) <= row:
            path = self._photos.paths[len(self._written_paths)]
            folder = path.parent
            if folder not in self._folders:
                seen = os.path.relpath(folder.absolute(), self.table.absolute().parent)
                self._folders[folder] = Path(seen).as_posix()
            prefix = self._folders[folder]
            self._written_paths.append(path.name if prefix == "." else f"{prefix}/{path.name}")
        return self._written_paths[row]

    def _read(self) -> None:
        try:
            text = read_encoded(self.table).text
            separator = max(",;\t", key=text.partition("\n")[0].count)
            header, *rows = table_rows(text, separator)
            places = [header.index(name) for name in ("path", "label", "decision")]
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(
                tr("{path} is no table of decisions.", path=self.table),
                allowed="path,label,decision",
                cure=tr("name another file with --labels"),
            ) from error
        place_of = {self._written_path(row): row for row in range(len(self._photos))}
        places.insert(2, header.index("split") if "split" in header else len(header))
        told = [[cells[place] if place < len(cells) else "" for place in places] for cells in rows]
        classes = self._read_keys(header, rows, [label for _, label, *_ in told])
        for path, written, split, mark in told:
            label = one_spelling(written)
            label = tidy(label) if self.several else label
            classes.update(dict.fromkeys(self.names_in(label)))
            if path in place_of:
                self.decided[place_of[path]] = (label, mark if mark in MARKS else "")
            elif path:
                self._elsewhere.append((path, label, split, mark))
        self.classes = tuple(classes)

    def _read_keys(self, header: list[str], rows: list[list[str]], labels: list[str]) -> dict[str, None]:
        """The classes whose keys are told; a table with several labels says that photos may have them."""
        if not self.several and (KEYS in header or any(SEPARATOR in label for label in labels)):
            self.several, self.told_by = True, self.table.name
        place = header.index(KEYS) if KEYS in header else len(header)
        told = rows[0][place] if rows and place < len(rows[0]) else ""
        return {one_spelling(name): None for part in told.split(SEPARATOR) if (name := part.strip())}


def _checked(name: str, others: Sequence[str]) -> str:
    name = one_spelling(" ".join(name.split()))
    if not name or len(name) > _LONGEST or "|" in name or not name.isprintable():
        raise RequestError(
            tr("This is no name for a class."),
            allowed=tr("1 to {most} letters in one line, without |", most=_LONGEST),
            got=repr(name[:_LONGEST]),
        )
    if twin := next((other for other in others if look_the_same(name, other)), ""):
        raise RequestError(tr("There is such a class already: {name}", name=twin), got=repr(name))
    return name


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
