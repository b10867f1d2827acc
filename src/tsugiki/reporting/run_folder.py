"""The folder of a run: what is in it, where it may be, and how it is written.

Nothing that is neither a run nor an audit is ever replaced.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tsugiki.core.console import say
from tsugiki.core.devices import is_main_process
from tsugiki.core.errors import RequestError
from tsugiki.core.files import atomic_folder, write_atomically, write_json
from tsugiki.evaluation.label_issues import write_suspects
from tsugiki.locale.messages import tr
from tsugiki.reporting.card import write_card
from tsugiki.reporting.report import write_report
from tsugiki.training.run import Run

HISTORY = "history.csv"
EVALUATION = "evaluation.json"
PREDICTIONS = "predictions.csv"
SUSPECTS = "suspects.csv"
REPORT = "report.html"
CARD = "README.md"
RUN_FILES = ("classifier.json", "weights.safetensors", HISTORY, EVALUATION, PREDICTIONS, SUSPECTS, REPORT, CARD)
HISTORY_COLUMNS = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds")
AUDIT_PAGE = "audit.html"
AUDIT_NUMBERS = "audit.json"
AUDIT_FILES = (AUDIT_NUMBERS, AUDIT_PAGE, SUSPECTS)

_MAY_BE_THERE = frozenset({"predictions.png", "weights.safetensors.new", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""Pictures of ``demo``, what an interrupted save has left, and what file managers put everywhere."""

_MOST_NAMED = 5


@dataclass(frozen=True)
class Kind:
    """What a folder can hold.

    Attributes:
        name: ``run`` or ``audit``.
        files: Its own files; a folder with the first of them, and with nothing else than these, may be replaced.
    """

    name: Literal["run", "audit"]
    files: tuple[str, ...]


RUN = Kind("run", RUN_FILES)
AUDIT = Kind("audit", AUDIT_FILES)


def check_output_folder(folder: Path, kind: Kind = RUN) -> Path:
    """Refuse, before anything is written, a folder that is something else or that cannot be written.

    Args:
        folder: Where a run or an audit is to be: a new folder, an empty one, or an older one of the same kind.
        kind: :data:`RUN` or :data:`AUDIT`.

    Returns:
        The folder.

    Raises:
        RequestError: When there is a file, a folder that holds anything else, or no way to make a folder.
    """
    above = next((parent for parent in folder.absolute().parents if parent.exists()), folder)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RequestError(tr("{folder} cannot be written: {parent} is in the way.", folder=folder, parent=above))
    # A folder is replaced by a new one, which would leave a shell that stands in it nowhere.
    if folder.resolve() == Path.cwd():
        raise _refusal(folder, kind, got=tr("the folder one stands in"))
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise _refusal(folder, kind, got=tr("a file"))
    found = {entry.name for entry in folder.iterdir()}
    foreign = found if found and kind.files[0] not in found else found - {*kind.files} - _MAY_BE_THERE
    if foreign:
        raise _refusal(folder, kind, got=_named(foreign))
    return folder


def _named(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:_MOST_NAMED]) + (" ..." if len(shown) > _MOST_NAMED else "")


def _refusal(folder: Path, kind: Kind, *, got: str) -> RequestError:
    if kind.name == "run":
        what = tr("{folder} holds something else than a run: it would be replaced.", folder=folder)
        allowed = tr("a new folder, an empty one, or an older run")
    else:
        what = tr("{folder} holds something else than an audit: it would be replaced.", folder=folder)
        allowed = tr("a new folder, an empty one, or an older audit")
    other = folder.parent / f"{folder.resolve().name}-{kind.name}"
    return RequestError(what, allowed=allowed, got=got, cure=tr("name another folder, as {folder}", folder=other))


def save_run(run: Run, folder: str | Path) -> Path:
    """Write everything about a run into ``folder``; an older run there is replaced, and only when the new one is whole.

    Of several processes that trained together only the main one writes; the others return at once.

    Args:
        run: From :func:`tsugiki.fit`.
        folder: A new folder, an empty one, or an older run; nothing else is replaced.

    Returns:
        The folder.

    Raises:
        RequestError: When the folder holds anything else, or cannot be written.
    """
    target = Path(folder)
    if not is_main_process():
        return target
    check_output_folder(target)
    name, findings = target.resolve().name, run.findings
    with atomic_folder(target) as temporary:
        run.classifier.save(temporary)
        write_atomically(temporary / HISTORY, _history_csv(run.history))
        write_json(temporary / EVALUATION, {**run.evaluation, "findings": findings.summary()})
        run.predictions.to_csv(temporary / PREDICTIONS)
        write_suspects(temporary / SUSPECTS, findings.suspects, names=run.samples.names, classes=run.samples.classes)
        _write_extra(temporary / REPORT, lambda: write_report(run, name=name))
        _write_extra(temporary / CARD, lambda: write_card(run, name=name))
    return target


def _write_extra(path: Path, content: Callable[[], str]) -> None:
    """Write what is told about a run; where that fails it is said, and the run is saved without it: hours may be in it."""
    try:
        text = content()
    except Exception as error:  # noqa: BLE001 (whatever it is, the training has succeeded)
        reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
        say(tr("{name} could not be made; the rest of the run is saved: {reason}", name=path.name, reason=reason))
    else:
        write_atomically(path, text)


def _history_csv(history: list[dict[str, float]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue()
