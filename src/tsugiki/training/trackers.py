"""Curves in TensorBoard, MLflow or Weights & Biases, through Accelerate's trackers.

A tracker is opened by name, gets each epoch's numbers, and is closed whatever happens. It is also a ``writer`` for
:func:`tsugiki.train`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tsugiki.core.console import say
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.locale.messages import tr

TRACKERS = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""Names for ``--log``, and the package that each needs."""

_PROJECT = "tsugiki"


class Tracker:
    """One open tracker; has what :func:`tsugiki.train` asks of a ``writer``."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Log one row of a history: every number in it, at its ``epoch``."""
        values = {name: float(value) for name, value in row.items() if name != "epoch" and _is_number(value)}
        self._tracker.log(values, step=int(row["epoch"]))

    def add_scalars(self, main_tag: str, tag_scalar_dict: Mapping[str, float], global_step: int | None = None) -> None:
        """Log several curves of one diagram."""
        self._tracker.log({f"{main_tag}/{name}": float(value) for name, value in tag_scalar_dict.items()}, step=global_step)

    def flush(self) -> None:
        """Nothing to do: every row is written at once."""


@contextmanager
def tracking(name: str | None, folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[Tracker | None]:
    """Open the tracker called ``name`` for the length of this block; ``None`` opens none.

    Args:
        name: One of :data:`TRACKERS`.
        folder: Where its files go; TensorBoard's lie in ``FOLDER/tsugiki``.
        settings: How the run was asked for: numbers, words and switches, stored beside the curves.

    Raises:
        UnknownName: When there is no such tracker.
        RequestError: When its package is not installed.
    """
    if name is None:
        yield None
        return
    tracker = _open(name, folder)
    try:
        if settings:
            tracker.store_init_configuration({key: _storable(value) for key, value in settings.items()})
        yield Tracker(tracker)
    finally:
        tracker.finish()


def require_tracker(name: str | None) -> None:
    """Refuse a tracker that does not exist or is not installed, before any work is done.

    Raises:
        UnknownName: When there is no such tracker.
        RequestError: When its package is not installed.
    """
    if name is None:
        return
    if name not in TRACKERS:
        raise UnknownName(
            tr("There is no tracker {name}.", name=repr(name)), name=name, known=TRACKERS, cure=", ".join(TRACKERS)
        )
    if importlib.util.find_spec(TRACKERS[name]) is None:
        raise RequestError(tr("The tracker {name} is not installed.", name=name), cure=f"pip install {TRACKERS[name]}")


def _open(name: str, folder: Path) -> Any:
    require_tracker(name)
    from accelerate import PartialState
    from accelerate import tracking as trackers

    PartialState()  # Accelerate's trackers ask it whether this is the main process
    folder.mkdir(parents=True, exist_ok=True)
    if name == "tensorboard":
        tracker: Any = trackers.TensorBoardTracker(_PROJECT, logging_dir=folder)
        say(tr("The curves can be watched with: {command}", command=f"tensorboard --logdir {folder}"))
    elif name == "mlflow":
        tracker = trackers.MLflowTracker(_PROJECT)
    else:
        say(tr("Weights & Biases sends the curves to its servers; WANDB_MODE=offline keeps them here."))
        tracker = trackers.WandBTracker(_PROJECT, dir=str(folder))
    tracker.start()
    return tracker


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _storable(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
