"""One open studio: its photos, what was decided about them, and whoever waits for news."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.core.console import quiet
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import LANGUAGES, language, tr
from tsugiki.serving.api.bodies import Intake
from tsugiki.serving.counters import Counters
from tsugiki.serving.limits import Limits, Refusal
from tsugiki.serving.previews import Previews
from tsugiki.serving.studio.choosing import NetworkChoice
from tsugiki.serving.studio.label_store import LabelStore
from tsugiki.serving.studio.learner import Learner, Network
from tsugiki.serving.studio.leaving import RunWriter
from tsugiki.serving.studio.photo_set import PhotoSet

if TYPE_CHECKING:
    from tsugiki.inspection.findings import Findings
    from tsugiki.serving.studio.learning import Learned


class News:
    """Tells pages that wait when something has changed; may be rung from any thread."""

    def __init__(self) -> None:
        self.number = 0
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def ring(self) -> None:
        """Something has changed."""
        self.number += 1
        for loop, event in [*self._waiting]:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def after(self, seen: int, seconds: float) -> None:
        """Wait until something has changed since number ``seen``, at most ``seconds``."""
        waiting = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(waiting)
        try:
            if self.number == seen:
                async with asyncio.timeout(seconds):
                    await waiting[1].wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)


@dataclass
class Studio:
    """What the page is about.

    Attributes:
        photos: The opened ones.
        labels: What was decided about them.
        limits: What requests may cost.
        network: That looks at the photos to begin with.
        named: Networks to compare besides those on this machine.
        zoo: A zoo file whose networks are among them.
        change_token: What every change has to show: a page of another site cannot know it.
    """

    photos: PhotoSet
    labels: LabelStore
    network: Network
    named: Sequence[str] = ()
    zoo: Path | None = None
    limits: Limits = field(default_factory=lambda: Limits(photos=1))
    change_token: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def __post_init__(self) -> None:
        self.counters = Counters()
        self.intake = Intake(self.limits, self.counters)
        self.previews = Previews(self.limits.photo_pixels)
        self.news = News()
        self.learner = Learner(self.photos, self.labels, self.network, self.news.ring)
        self.writer = RunWriter(self.labels, self.learner, self.photos.splits, self.news.ring)
        self.choice = NetworkChoice(self.learner, self.writer.samples, self.news.ring, named=self.named, zoo=self.zoo)
        self.language = language()
        self._stopping = False
        self._found: tuple[Learned, int, Findings, tuple[int, ...]] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        table: Path,
        network: Network,
        *,
        named: Sequence[str] = (),
        zoo: Path | None = None,
        several: bool = False,
    ) -> Studio:
        """A studio on a folder; ``table`` is read and written.

        Args:
            folder: Of photos.
            table: Of decisions.
            network: That looks at the photos to begin with.
            named: Networks to compare besides those on this machine, as ``tsugiki rank`` takes them.
            zoo: A zoo file whose networks are among them.
            several: Whether a photo may have several labels, even where neither the photos nor the table say so.

        Raises:
            TsugikiError: When one of them is something else.
        """
        added = table.with_suffix("") if table.suffix else table.with_name(f"{table.name}.photos")
        photos = PhotoSet(folder, added, several=several)
        return cls(photos, LabelStore(photos, table, several=several), network, named, zoo)

    @property
    def stopping(self) -> bool:
        """Whether the server stops: nobody is kept waiting then."""
        return self._stopping

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._stopping = value
        self.news.ring()

    def close(self) -> None:
        """Nothing is learned any more; every decision is on the disk already."""
        self.choice.close()
        self.writer.close()
        self.learner.close()

    def changed(self) -> None:
        """Something was decided."""
        self.learner.changed()
        self.news.ring()

    def going_on(self) -> dict[str, Any]:
        """What pages are told while they wait."""
        return {"learning": self.learner.told(), "choosing": self.choice.told(), "leaving": self.writer.told()}

    def doubtful(self) -> dict[str, Any]:
        """What looks wrong by what was learned last, plain values."""
        from tsugiki.serving.studio.cleaning import doubts, findings_of, what_is_not_known

        learned, features = self.learner.learned, self.learner.features
        if learned is None or features is None:
            return {"says": what_is_not_known(None), "kinds": {}}
        compared = len(features.known(learned.labels.held_out))
        if self._found is None or self._found[0] is not learned or self._found[1] != compared:
            self._found = (learned, compared, *findings_of(learned, features))
        found, numbers = self._found[2:]
        kinds = doubts(found, numbers, learned.labels, [*self.labels.decided])
        return {"says": what_is_not_known(found), "kinds": kinds, "behind": learned.labels.revision != self.labels.revision}

    def try_photo(self, content: bytes, *, with_reasons: bool) -> dict[str, Any]:
        """What was learned last answers for a photo, plain values.

        Raises:
            Refusal: When nothing is learned yet.
            UnreadablePhoto: When it is no photo.
        """
        from tsugiki.serving.studio.trying import try_photo

        learned = self.learner.learned
        if learned is None:
            raise Refusal(409, tr("Nothing is learned yet."), cure=tr("give photos their class, and learn"))
        with self.learner.backbone_lock, quiet():
            return try_photo(learned, content, most_pixels=self.limits.photo_pixels, with_reasons=with_reasons)

    def speak(self, name: str) -> None:
        """Speak another language from now on.

        Raises:
            RequestError: When it is not known.
        """
        if name not in LANGUAGES:
            raise RequestError(tr("The program does not speak {name}.", name=repr(name[:20])), allowed=", ".join(LANGUAGES))
        self.language = name

    def state(self) -> dict[str, Any]:
        """All that a page has to know to begin, plain values; labels are numbers of classes, -1 for none.

        Where photos may have several: lists of numbers, an empty one for none of the classes.
        """
        labels = self.labels
        decided = [*labels.decided]
        return {
            "revision": labels.revision,
            "news": self.news.number,
            "names": [*self.photos.names],
            "several": labels.several,
            "labels": labels.placed(label for label, _ in decided),
            "marks": {str(row): mark for row, (_, mark) in enumerate(decided) if mark},
            "splits": self.photos.splits if any(self.photos.splits) else [],
            **self.classes(),
            **self.going_on(),
        }

    def classes(self) -> dict[str, Any]:
        """The classes, and what can be undone."""
        undo, redo = self.labels.undoable
        return {"classes": [*self.labels.classes], "undo": undo, "redo": redo}


def table_for(folder: Path, chosen: Path | None) -> Path:
    """Where decisions about the photos of ``folder`` are kept: beside it, or where a person has chosen.

    Raises:
        RequestError: When it would lie inside the folder, where it could be taken for a part of the photos, or nothing can be
            written there.
    """
    table = chosen or folder.absolute().with_name(f"{folder.absolute().name}.studio.csv")
    if table.suffix.lower() != ".csv" or table.absolute().resolve().is_relative_to(folder.absolute().resolve()):
        raise RequestError(
            tr("The decisions are kept in a table beside the photos."), allowed="../NAME.studio.csv", got=str(table)
        )
    above = next(parent for parent in table.absolute().parents if parent.exists())
    if not os.access(above, os.W_OK):
        raise RequestError(tr("{folder} cannot be written.", folder=above), cure=tr("name another file with --labels"))
    return table
