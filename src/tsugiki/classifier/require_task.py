"""Photos and a classifier must be about the same: one label per photo, or several."""

from __future__ import annotations

from typing import Protocol

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import Task
from tsugiki.locale.messages import tr


class HasTask(Protocol):
    """A classifier, its head, samples, or a listing."""

    @property
    def task(self) -> Task:
        """``multi`` where a photo may show any number of the classes."""


def require_task(classifier: HasTask, photos: HasTask) -> None:
    """Refuse a classifier for one label per photo where photos have several, and the other way round.

    Raises:
        RequestError: When the tasks are not the same.
    """
    if classifier.task != photos.task:
        raise RequestError(
            tr("The classifier gives one label per photo, and these photos may have several.")
            if photos.task == "multi"
            else tr("The classifier gives several labels per photo, and these photos have one each."),
            allowed=f"task={photos.task!r}",
            got=f"task={classifier.task!r}",
            cure=tr("train a classifier on photos of this kind")
            if photos.task == "multi"
            else tr("{argument} reads one label as one of several", argument=argument("multi_label", value=True)),
        )
