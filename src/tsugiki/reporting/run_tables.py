"""The tables of a run folder, written and read: epochs, answers, doubted labels; of either task."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tsugiki.core.regular_files import read_text
from tsugiki.data.label_sets import Task
from tsugiki.data.samples import Samples
from tsugiki.evaluation.label_issues import write_suspects
from tsugiki.evaluation.multi_label.cell_issues import write_cell_suspects
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions
from tsugiki.inspection.findings import Findings
from tsugiki.inspection.score import AnyPredictions

_MEASURE: dict[Task, str] = {"single": "acc", "multi": "map"}
"""What is measured at each epoch, beside the loss: accuracy, or mean average precision."""


def history_text(history: Sequence[Mapping[str, float]], task: Task) -> str:
    """A line per epoch; where photos have several labels, with ``train_map`` and ``val_map`` instead of accuracies."""
    measure = _MEASURE[task]
    columns = ("epoch", "train_loss", f"train_{measure}", "val_loss", f"val_{measure}", "lr", "seconds")
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue()


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of :func:`history_text`; what was not measured is NaN.

    Raises:
        OSError: When there is no such file.
        ValueError: When a cell is no number.
    """
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    return [{name: float(value or "nan") for name, value in row.items()} for row in rows]


def read_predictions(path: Path) -> AnyPredictions:
    """The table of a run's answers, of either task, which its heading tells.

    Raises:
        DataError: When the file is no such table.
    """
    try:
        heading = next(csv.reader(io.StringIO(read_text(path, encoding="utf-8-sig"), newline="")), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        heading = []  # what is wrong is said by whoever reads all of it
    several = any(name.startswith("label:") for name in heading)
    return MultiLabelPredictions.from_csv(path) if several else Predictions.from_csv(path)


def write_doubts(path: Path, findings: Findings, samples: Samples) -> None:
    """Doubted labels, for a person to decide: a line per photo, or per photo and class where photos have several labels."""
    if samples.targets is None:
        write_suspects(path, findings.suspects, names=samples.names, classes=samples.classes)
    else:
        doubted = findings.cells.suspects if findings.cells else ()
        write_cell_suspects(path, doubted, names=samples.names, targets=samples.targets, classes=samples.classes)
