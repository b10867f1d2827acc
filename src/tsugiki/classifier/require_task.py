"""Photos and a classifier must be about the same: one label per photo, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.samples import Samples
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier


def require_task(classifier: Classifier, samples: Samples) -> None:
    """Refuse a classifier for one label per photo where photos have several, and the other way round.

    Raises:
        RequestError: When the tasks are not the same.
    """
    if classifier.task != samples.task:
        raise RequestError(
            tr("The classifier gives one label per photo, and these photos may have several.")
            if samples.task == "multi"
            else tr("The classifier gives several labels per photo, and these photos have one each."),
            allowed=f"task={samples.task!r}",
            got=f"task={classifier.task!r}",
            cure=tr("train a classifier on photos of this kind")
            if samples.task == "multi"
            else tr("{argument} reads one label as one of several", argument=argument("multi_label", value=True)),
        )
