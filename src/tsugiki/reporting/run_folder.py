"""The folder of a run: what is in it, where it may be, and how it is written.

Nothing that is neither a run nor an audit is ever replaced.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from tsugiki.core.console import typed
from tsugiki.core.devices import is_main_process
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.core.files import atomic_folder, cache_folder, write_atomically, write_json
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
        TsugikiError: When the run had to be saved elsewhere: where, and how to move it. No run is lost for a full disk.
    """
    target = Path(folder)
    if not is_main_process():
        return target
    check_output_folder(target)
    try:
        _write_run(run, target, name=target.resolve().name)
    except OSError as fault:
        save_elsewhere(run, target, fault)
    return target


def save_elsewhere(run: Run, target: Path, fault: OSError | RequestError) -> NoReturn:
    """Save a finished run where there is room, and say so: hours of work may be in it.

    Args:
        run: What would be lost.
        target: Where it should have been.
        fault: Why it cannot be there.

    Raises:
        TsugikiError: Always: where the run is now and how to move it, or that no place could be written to.
    """
    name = target.resolve().name or "run"
    reason = fault.what if isinstance(fault, RequestError) else fault.strerror or str(fault)
    for place in (target.absolute().parent, Path.cwd(), cache_folder(), Path(tempfile.gettempdir()), Path("/dev/shm")):  # noqa: S108
        if not place.is_dir():
            continue
        other = place / f"{name}-saved-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            _write_run(run, other, name=name)
        except OSError:
            continue
        raise TsugikiError(
            tr("The run could not be saved in {folder}: it is in {other}.", folder=target, other=other),
            got=reason,
            cure=tr("when there is room: mv {other} {folder}", other=typed(other), folder=typed(target)),
        ) from fault
    raise TsugikiError(
        tr("The run could not be saved in {folder}, nor anywhere else on this machine.", folder=target),
        got=reason,
        cure=tr(
            "make room on the disk, or lift the limit (ulimit -f), and run the same command again: nothing is looked at twice"
        ),
    ) from fault


def _write_run(run: Run, target: Path, *, name: str) -> None:
    findings = run.findings
    with atomic_folder(target) as temporary:
        run.classifier.save(temporary)
        write_atomically(temporary / HISTORY, _history_csv(run.history))
        write_json(temporary / EVALUATION, {**run.evaluation, "findings": findings.summary()})
        run.predictions.to_csv(temporary / PREDICTIONS)
        write_suspects(temporary / SUSPECTS, findings.suspects, names=run.samples.names, classes=run.samples.classes)
        write_atomically(temporary / REPORT, write_report(run, name=name))
        write_atomically(temporary / CARD, write_card(run, name=name))


def _history_csv(history: list[dict[str, float]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue()
