"""The folder of a run: what is in it, where it may be, and how it is written.

Nothing that is neither a run nor an audit is ever replaced, and these only where a person says so.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.arguments import argument
from tsugiki.core.console import say, typed
from tsugiki.core.devices import is_main_process
from tsugiki.core.errors import ArtefactError, DataError, RequestError, TsugikiError
from tsugiki.core.files import atomic_folder, cache_folder, check_folder_place, real_path, write_atomically, write_json
from tsugiki.core.regular_files import read_json
from tsugiki.evaluation.label_issues import read_decisions
from tsugiki.locale.messages import first_few, listed, tr
from tsugiki.reporting.card import write_card
from tsugiki.reporting.report import write_report
from tsugiki.reporting.run_tables import history_text, read_history, read_predictions, write_doubts
from tsugiki.training.more_photos.known_photos import PHOTOS, write_known_photos
from tsugiki.training.run import LoadedRun, Run

HISTORY = "history.csv"
EVALUATION = "evaluation.json"
PREDICTIONS = "predictions.csv"
SUSPECTS = "suspects.csv"
REPORT = "report.html"
CARD = "README.md"
RUN_FILES = (
    "classifier.json",
    "weights.safetensors",
    "engine",
    HISTORY,
    EVALUATION,
    PREDICTIONS,
    PHOTOS,
    SUSPECTS,
    REPORT,
    CARD,
)
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


def check_output_folder(folder: Path, kind: Kind = RUN, *, overwrite: bool = False) -> Path:
    """Refuse, before anything is written, a folder that holds something or that cannot be written.

    Args:
        folder: Where a run or an audit is to be: a new folder or an empty one.
        kind: :data:`RUN` or :data:`AUDIT`.
        overwrite: Whether an older one of the same kind may be there; it will be replaced.

    Returns:
        The folder.

    Raises:
        RequestError: When there is a file, a folder that holds anything else, or no way to make a folder.
    """
    check_folder_place(folder.absolute().parent)
    above = next((parent for parent in folder.absolute().parents if parent.exists()), folder)
    if not os.access(above, os.W_OK):
        raise RequestError(
            tr("{folder} cannot be written: nothing may be made in {parent}.", folder=folder, parent=above),
            cure=tr("name another folder with --out, or allow writing there"),
        )
    # A folder is replaced by a new one, which would leave a shell that stands in it nowhere.
    if real_path(folder) == Path.cwd():
        raise _refusal(folder, kind, got=tr("the folder one stands in"))
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise _refusal(folder, kind, got=tr("a file"))
    found = {entry.name for entry in folder.iterdir()}
    foreign = found if found and kind.files[0] not in found else found - {*kind.files} - _MAY_BE_THERE
    if foreign:
        raise _refusal(folder, kind, got=_named(foreign))
    if found and not overwrite:
        raise _would_be_lost(folder, kind)
    return folder


def _would_be_lost(folder: Path, kind: Kind) -> RequestError:
    """What to raise where an older run or audit is there and nobody said that it may go."""
    what = (
        tr("{folder} holds a run already: it would be replaced.", folder=folder)
        if kind.name == "run"
        else tr("{folder} holds an audit already: it would be replaced.", folder=folder)
    )
    allowed = tr("a new folder, or {argument} to replace what is there", argument=argument("overwrite", value=True))
    cure = tr("name another folder, as {folder}", folder=typed(free_folder(folder)))
    return RequestError(what, allowed=allowed, got=what_is_there(folder, kind), cure=cure)


def free_folder(folder: Path) -> Path:
    """The first of ``NAME-2``, ``NAME-3`` ... beside ``folder`` that is not there yet."""
    name = real_path(folder).name
    return next(other for number in itertools.count(2) if not (other := folder.parent / f"{name}-{number}").exists())


def what_is_there(folder: Path, kind: Kind = RUN) -> str:
    """A run or an audit in a few words: when it was written, its classes, its score."""
    first = folder / kind.files[0]
    written = datetime.fromtimestamp(first.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M")
    about, numbers = _json_of(first), _json_of(folder / EVALUATION)
    parts = [tr("written {date}", date=written)]
    if classes := about.get("classes"):
        parts.append(tr("classes: {names}", names=first_few([str(name) for name in classes])))
    if {"mean_average_precision", "n"} <= numbers.keys():
        value = f"{numbers['mean_average_precision']:.1%}"
        parts.append(tr("mean average precision {value} on {n} photos", value=value, n=numbers["n"]))
    elif {"accuracy", "n"} <= numbers.keys():
        parts.append(tr("{accuracy} of {n} photos right", accuracy=f"{numbers['accuracy']:.1%}", n=numbers["n"]))
    if _is_edited(folder / SUSPECTS):
        parts.append(tr("decisions of yours in {name}", name=SUSPECTS))
    return listed(parts)


def _json_of(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_edited(path: Path) -> bool:
    try:
        decided = read_decisions(path)
    except (OSError, DataError):
        return path.exists()  # whatever it is, nobody wrote it but a person
    return bool(decided.exclude or decided.relabel)


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
    other = folder.parent / f"{real_path(folder).name}-{kind.name}"
    return RequestError(what, allowed=allowed, got=got, cure=tr("name another folder, as {folder}", folder=other))


def save_run(run: Run, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write everything about a run into ``folder``; an older run there is replaced only when the new one is whole.

    Of several processes that trained together only the main one writes; the others return at once.

    Args:
        run: From :func:`tsugiki.fit`.
        folder: A new folder or an empty one; or that of the same classifier, saved before: then nothing is lost.
        overwrite: Whether any older run that is there may be replaced; nothing else ever is.

    Returns:
        The folder.

    Raises:
        RequestError: When the folder holds another run, or anything else, or cannot be written; or when the run's classifier
            has been trained again since.
        TsugikiError: When the run had to be saved elsewhere: where, and how to move it. No run is lost for a full disk.
    """
    if not isinstance(run, Run):
        raise RequestError(
            tr("{name} is something else than was expected.", name="run"),
            allowed="run=tsugiki.fit(...)",
            got=type(run).__name__,
            cure="model.save(folder)" if hasattr(run, "save") else "",
        )
    target = Path(folder)
    if not is_main_process():
        return target
    check_output_folder(target, overwrite=True)
    if isinstance(run, LoadedRun):
        return _copied(run, target, overwrite=overwrite)
    run.require_own_classifier()
    try:
        _write_run(run, target, name=real_path(target).name, overwrite=overwrite)
    except OSError as fault:
        save_elsewhere(run, target, fault)
    return target


def save_elsewhere(run: Run, target: Path, fault: OSError) -> NoReturn:
    """Save a finished run where there is room, and say so: hours of work may be in it.

    Args:
        run: What would be lost.
        target: Where it should have been.
        fault: Why it cannot be there.

    Raises:
        TsugikiError: Always: where the run is now and how to move it, or that no place could be written to.
    """
    name = real_path(target).name or "run"
    reason = fault.strerror or str(fault)
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


def _write_run(run: Run, target: Path, *, name: str, overwrite: bool = False) -> None:
    findings = run.findings
    with atomic_folder(target) as temporary:
        held_out = run.samples.take(run.samples.held_out_rows).paths
        run.classifier.save(temporary, proof=dict(zip(held_out, run.table.held_out, strict=True)))
        if not overwrite and _is_another(target, temporary):
            raise _would_be_lost(target, RUN)
        write_atomically(temporary / HISTORY, history_text(run.history, run.classifier.task))
        write_json(temporary / EVALUATION, {**run.evaluation, "findings": findings.summary()})
        run.predictions.to_csv(temporary / PREDICTIONS)
        write_known_photos(temporary / PHOTOS, run.samples, beside=target)
        write_doubts(temporary / SUSPECTS, findings, run.samples)
        _write_extra(temporary / REPORT, lambda: write_report(run, name=name))
        _write_extra(temporary / CARD, lambda: write_card(run, name=name))


def _copied(run: LoadedRun, target: Path, *, overwrite: bool) -> Path:
    if target.exists() and target.samefile(run.folder):
        return target
    if not overwrite and target.exists() and _is_another(target, run.folder):
        raise _would_be_lost(target, RUN)
    with atomic_folder(target) as temporary:
        for name in RUN_FILES:
            if (run.folder / name).is_dir():
                shutil.copytree(run.folder / name, temporary / name)
            elif (run.folder / name).exists():
                shutil.copyfile(run.folder / name, temporary / name)
    return target


def load_run(folder: str | Path) -> LoadedRun:
    """What :meth:`tsugiki.Run.load` promises.

    Raises:
        RequestError: When there is no such folder.
        ArtefactError: When the folder holds something else, is damaged, or was made by a newer program.
    """
    place = Path(folder)
    classifier = Classifier.load(place)
    try:
        history = read_history(place / HISTORY)
        evaluation = read_json(place / EVALUATION)
        predictions = read_predictions(place / PREDICTIONS)
    except (OSError, ValueError, TypeError, DataError) as error:
        what = tr("{folder} holds a classifier, but not a whole run.", folder=place)
        raise ArtefactError(what, got=str(error), cure=f"tsugiki.Classifier.load({str(place)!r})") from error
    return LoadedRun(classifier, history, evaluation, predictions, place)


def _is_another(old: Path, new: Path) -> bool:
    """Whether a folder holds another classifier than a new one, or something that a person has written."""
    if not (old / RUN.files[0]).exists():
        return False
    digests = [_json_of(folder / RUN.files[0]).get("weights_sha256") for folder in (old, new)]
    return digests[0] != digests[1] or _is_edited(old / SUSPECTS)


def _write_extra(path: Path, content: Callable[[], str]) -> None:
    """Write what is told about a run; where that fails it is said, and the run is saved without it: hours may be in it."""
    try:
        text = content()
    except Exception as error:  # noqa: BLE001 (whatever it is, the training has succeeded)
        reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
        say(tr("{name} could not be made; the rest of the run is saved: {reason}", name=path.name, reason=reason))
    else:
        write_atomically(path, text)
