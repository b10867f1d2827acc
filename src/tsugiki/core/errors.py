"""Every error the program raises on purpose, as one family.

::

    TsugikiError                 the work failed                            exit status 1
    ├── RequestError             the request made no sense                  exit status 2
    │   └── UnknownName          a name that does not exist, with the nearest ones
    ├── DataError                the photos cannot be used as they are
    │   ├── UnreadablePhoto      one file that is no readable photo
    │   └── UnsafeArchive        an archive that would write outside its folder, or too much
    ├── WeightsError             pretrained weights cannot be used
    │   └── WeightsUnreachable   weights that are neither on this machine nor reachable
    ├── ArtefactError            a run folder that is damaged, foreign or unsafe
    └── TrainingError            training could not go on

Each message follows one grammar: what was wrong, what is allowed, what was got, what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from tsugiki.core.display.visible import visible
from tsugiki.locale.messages import tr


class TsugikiError(Exception):
    """The work failed.

    Args:
        what: What was wrong, one sentence, already translated.
        allowed: What would have been right.
        got: What was there instead.
        cure: What to do next, best as a command to type.
    """

    exit_status = 1

    def __init__(self, what: str, *, allowed: str = "", got: str = "", cure: str = "") -> None:
        self.what = what
        self.allowed = allowed
        self.got = got
        self.cure = cure
        super().__init__(what, allowed, got, cure)

    def __str__(self) -> str:
        what, allowed, got, cure = (visible(part, one_line=True) for part in (self.what, self.allowed, self.got, self.cure))
        lines = [what]
        if allowed:
            lines.append(tr("  allowed: {allowed}", allowed=allowed))
        if got:
            lines.append(tr("  got: {got}", got=got))
        if cure:
            lines.append(tr("  next: {cure}", cure=cure))
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes: keyword arguments are not in ``args``."""
        return _rebuild, (type(self), self.what, self.allowed, self.got, self.cure)


def _rebuild(kind: type[TsugikiError], what: str, allowed: str, got: str, cure: str) -> TsugikiError:
    error = kind.__new__(kind)
    TsugikiError.__init__(error, what, allowed=allowed, got=got, cure=cure)
    return error


class RequestError(TsugikiError):
    """The request made no sense: nothing was done."""

    exit_status = 2


_FEW = 24  # names that can be listed where none is near; of hundreds nobody finds the right one


class UnknownName(RequestError):
    """A name that does not exist; the nearest existing ones are named.

    Args:
        what: What was wrong, with the name in it.
        name: The name that was asked for.
        known: The names that exist.
        cure: What to do next.
    """

    def __init__(self, what: str, *, name: str, known: Iterable[str], cure: str = "") -> None:
        names = [each for each in known if each != name]  # a link that leads nowhere has the name that was asked for
        nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        few = len(names) <= _FEW
        allowed = tr("did you mean {names}?", names=", ".join(nearest)) if nearest else ", ".join(sorted(names)) if few else ""
        super().__init__(what, allowed=allowed, got=repr(name), cure=cure)


class DataError(TsugikiError):
    """The photos cannot be used as they are."""


class UnreadablePhoto(DataError):
    """One file that is no readable photo; ``what`` is the reason, without the path."""


class UnsafeArchive(DataError):
    """An archive that would write outside its folder, holds links, or unpacks to too much."""


class WeightsError(TsugikiError):
    """Pretrained weights cannot be used."""


class WeightsUnreachable(WeightsError):
    """Weights that are neither on this machine nor reachable."""


class ArtefactError(TsugikiError):
    """A run folder that is damaged, foreign or unsafe."""


class TrainingError(TsugikiError):
    """Training could not go on."""
