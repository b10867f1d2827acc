"""A file of answers that grows while they are computed, and goes on where it was interrupted, however that came.

::

    FILE.unfinished         the answers so far, as they will be read
    FILE.unfinished.log     whose answers they are; then for each one its photo and where its lines end in the file

An answer counts once its line in the log is whole: what stands behind it in the file is cut off when work goes on, so no photo
is there twice and none is missing. When all are there the file is moved into its place, and the log goes.
"""

from __future__ import annotations

import errno
import json
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsugiki.classifier.predict_stream import Photo, name_of
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.core.files import check_file_place
from tsugiki.data.images.video import Frame
from tsugiki.data.sources.listing import LeftOut
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True)
class _Entry:
    """One answered photo: its name, size and time of its file, where its answer ends, and whether it could not be read."""

    name: str
    state: str
    end: int
    problem: bool


class AnswersFile:
    """The answers of one run, being written.

    Args:
        path: Where they will be.
        about: What decides how the answers look, plain values: the run, the format, how many classes are named.
        overwrite: Begin anew, whatever is there.

    Attributes:
        answered: How many photos have an answer, earlier ones included.
        problems: How many of these could not be read.

    Raises:
        RequestError: When the file is there, no file can be there, or it is being written with other answers or by another
            process.
        OSError: When it cannot be written.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.path = path
        self._unfinished = path.with_name(f"{path.name}.unfinished")
        self._log_path = path.with_name(f"{path.name}.unfinished.log")
        for place in (path, self._unfinished, self._log_path):
            check_file_place(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("a+b")
        self._hold()
        entries, valid = ([], 0) if overwrite else self._before_now(json.loads(json.dumps(about)))
        if path.exists() and not entries and not overwrite:
            self._let_go()
            raise RequestError(
                tr("{path} is there already: it would be replaced.", path=path),
                allowed=tr("a new file, or {argument} to replace what is there", argument=argument("overwrite", value=True)),
            )
        self.answered, self.problems = len(entries), sum(entry.problem for entry in entries)
        self._end = entries[-1].end if entries else 0
        self._before = Counter((entry.name, entry.state) for entry in entries)
        self._names = Counter(entry.name for entry in entries)
        self._taken: deque[tuple[str, str]] = deque()
        self._file = self._unfinished.open("r+b" if entries else "wb")
        self._file.truncate(self._end)
        self._file.seek(self._end)
        self._log.truncate(valid)
        if not valid:
            self._log.write(_line(about))
        self._log.flush()

    def _hold(self) -> None:
        """Let no other process write the same file; on Windows and on some network disks nobody can tell."""
        try:
            import fcntl

            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            return
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                return
            self._log.close()
            raise RequestError(
                tr("{path} is being written by another process.", path=self._unfinished),
                cure=tr("wait for it, or name another file"),
            ) from None

    def _let_go(self) -> None:
        self._log.close()
        if not self._unfinished.exists():
            self._log_path.unlink(missing_ok=True)

    def _before_now(self, about: Mapping[str, Any]) -> tuple[list[_Entry], int]:
        """What was answered before, by this run and in this form; and how long the log is that says so."""
        size = self._unfinished.stat().st_size if self._unfinished.exists() else 0
        self._log.seek(0)
        first, *lines = self._log.read().split(b"\n")
        if not size:
            return [], 0
        if _plain(first) != about:
            self._log.close()
            raise RequestError(
                tr("{path} holds answers of another run, or in another form.", path=self._unfinished),
                allowed=tr("the same run and options as before, which go on from there"),
                cure=tr("name another file, or begin anew with {argument}", argument=argument("overwrite", value=True)),
            )
        entries: list[_Entry] = []
        valid = len(first) + 1
        for line in lines[:-1]:
            values = _plain(line)
            # The machine may have gone down: the log was kept, and the answers were not.
            if not isinstance(values, list) or len(values) != 4 or values[2] > size:
                break
            entries.append(_Entry(*values))
            valid += len(line) + 1
        return entries, valid if lines else 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been written yet."""
        return self._end == 0

    def require_among(self, photos: Iterable[Photo]) -> None:
        """Refuse to go on with other photos than those that were answered already.

        Raises:
            RequestError: When one that has an answer is not among ``photos``.
        """
        gone = self._names - Counter(map(name_of, photos))
        if gone:
            raise RequestError(
                tr("Photos that have an answer in {path} are not asked about any more.", path=self._unfinished),
                got=first_few(sorted(gone)),
                cure=tr("name another file, or begin anew with {argument}", argument=argument("overwrite", value=True)),
            )

    def without_answered(self, groups: Iterable[Sequence[Photo]]) -> Iterator[list[Photo]]:
        """The photos that have no answer yet; one that comes twice is answered twice.

        Raises:
            RequestError: When one has an answer and has changed since.
        """
        for group in groups:
            left = []
            for photo in group:
                name, state = name_of(photo), _state_of(photo)
                if self._before[name, state] > 0:
                    self._before[name, state] -= 1
                    self._names[name] -= 1
                elif self._names[name] > 0:
                    raise RequestError(
                        tr("{path} has changed since it was answered.", path=name),
                        cure=tr("begin anew with {argument}", argument=argument("overwrite", value=True)),
                    )
                else:
                    self._taken.append((name, state))
                    left.append(photo)
            if left:
                yield left

    def head(self, text: str) -> None:
        """Lines before the first answer."""
        self._write(text)

    def add(self, text: str, *, problem: bool) -> None:
        """The answer for the next of the photos that :meth:`without_answered` gave."""
        name, state = self._taken.popleft()
        self._write(text)
        self._log.write(_line((name, state, self._end, problem)))
        self._log.flush()
        self.answered += 1
        self.problems += problem

    def _write(self, text: str) -> None:
        content = text.encode("utf-8", "surrogateescape")
        self._file.write(content)
        self._file.flush()
        self._end += len(content)

    def finish(self) -> None:
        """All answers are there: the file takes its place."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.replace(self.path)
        self._log_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; what is in it so far stays."""
        self._file.close()
        self._log.close()


def _state_of(photo: Photo) -> str:
    """What tells whether a photo's file is the same one: size and time; empty where there is no file to look at."""
    if isinstance(photo, LeftOut):
        return ""
    try:
        found = (photo.path if isinstance(photo, Frame) else photo).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _plain(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
