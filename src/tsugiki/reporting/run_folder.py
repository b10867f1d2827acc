"""A run on disk: whole or absent."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tsugiki.core.devices import is_main_process
from tsugiki.core.files import atomic_folder, write_atomically, write_json
from tsugiki.evaluation.suspects_file import write_suspects
from tsugiki.reporting.card import write_card
from tsugiki.reporting.report import write_report
from tsugiki.reporting.target import check_target
from tsugiki.training.findings import find_in_run
from tsugiki.training.run import Run

HISTORY = "history.csv"
EVALUATION = "evaluation.json"
PREDICTIONS = "predictions.csv"
SUSPECTS = "suspects.csv"
REPORT = "report.html"
CARD = "README.md"
HISTORY_COLUMNS = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds")


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
    check_target(target)
    name = target.resolve().name
    findings = find_in_run(run)
    with atomic_folder(target) as temporary:
        run.classifier.save(temporary)
        write_atomically(temporary / HISTORY, _history_csv(run.history))
        write_json(temporary / EVALUATION, {**run.evaluation, "findings": findings.summary()})
        run.predictions.to_csv(temporary / PREDICTIONS)
        write_suspects(temporary / SUSPECTS, findings.suspects, names=run.samples.names, classes=run.samples.classes)
        write_atomically(temporary / REPORT, write_report(run, findings, name=name))
        write_atomically(temporary / CARD, write_card(run, findings, name=name))
    return target


def _history_csv(history: list[dict[str, float]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue()
