"""Photos whose label is probably wrong, the most suspicious first.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021),
written from the paper: a photo counts as of another class when the probability of that class is at least what is usual for
photos labelled so. Photos are ranked by normalised margin. The labels of a photo's nearest neighbours are not heard.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.core.console import say
from tsugiki.core.display.table_cells import table_rows, table_text
from tsugiki.core.errors import DataError
from tsugiki.core.files import write_atomically
from tsugiki.data.sources.tables.encodings import read_encoded
from tsugiki.data.split_warnings import UNEVEN
from tsugiki.evaluation.metrics import Floats, Ints
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class Suspect:
    """A photo whose label is doubted.

    Attributes:
        row: Which photo.
        label: Its class.
        suggested: The class that it looks like.
        score: 0..1, how suspicious: one half where the two classes are equally likely.
        confident: Whether it is off the diagonal of the confident joint.
    """

    row: int
    label: int
    suggested: int
    score: float
    confident: bool


def find_suspects(labels: Ints, probabilities: Floats) -> list[Suspect]:
    """Every photo that looks more like another class than like its own, the most suspicious first.

    Args:
        labels: ``[N]``.
        probabilities: ``[N, K]`` out-of-fold: a head that has trained on a wrong label has learned to agree with it.
    """
    everyone = np.arange(len(labels))
    others = np.array(probabilities, dtype=np.float64)
    others[everyone, labels] = 0.0
    margin = probabilities[everyone, labels] - others.max(axis=1)
    confident = confident_class(labels, probabilities)
    doubted = np.flatnonzero((margin < 0) | (confident != labels))
    order = doubted[np.argsort(margin[doubted], kind="stable")]
    looks_like = others.argmax(axis=1)
    return [
        Suspect(row, int(labels[row]), int(looks_like[row]), float((1 - margin[row]) / 2), bool(confident[row] != labels[row]))
        for row in order.tolist()
    ]


def even_probabilities(labels: Ints, probabilities: Floats) -> Floats:
    """What ``[N, K]`` probabilities would be if every class had as many photos, where the classes are uneven.

    A head has learned how frequent the classes are, too. Without this a rare class is hardly ever the most probable one, and
    all its photos look mislabelled. Where classes are about even the probabilities are given back as they are.

    Args:
        labels: ``[N]`` of the photos that the head has learned from.
        probabilities: ``[N, K]`` of a head that was trained without class weights.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    present = counts[counts > 0]
    if not len(present) or present.max() <= UNEVEN * present.min():
        return probabilities
    even = probabilities.astype(np.float64) / np.maximum(counts, 1)
    return np.asarray(even / even.sum(axis=1, keepdims=True), np.float64)


def confident_class(labels: Ints, probabilities: Floats) -> npt.NDArray[np.int64]:
    """``[N]`` the class that each photo confidently is, or its own label where it is confidently none.

    A photo is confidently of a class when the probability of that class reaches the mean probability that photos labelled so
    get; where several classes qualify, the most probable one counts.
    """
    enough = probabilities >= class_thresholds(labels, probabilities)
    best = np.where(enough, probabilities, -1.0).argmax(axis=1)
    return np.where(enough.any(axis=1), best, labels).astype(np.int64)


def class_thresholds(labels: Ints, probabilities: Floats) -> npt.NDArray[np.float64]:
    """``[K]`` the mean probability of a class among the photos labelled so; out of reach for a class without photos."""
    num_classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.bincount(labels, weights=own, minlength=num_classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


COLUMNS = ("path", "label", "suggested", "score", "action")
ACTIONS = ("keep", "exclude", "relabel")


@dataclass(frozen=True)
class Decisions:
    """What a person decided about doubted labels.

    Attributes:
        exclude: Paths of photos to leave out.
        relabel: Path to the class that is right.
        changes: Where photos may have several labels: path to the changes of that photo, each as it stands in ``label`` and
            ``suggested``.
    """

    exclude: frozenset[str]
    relabel: dict[str, str]
    changes: dict[str, list[tuple[str, str]]] = field(default_factory=dict, compare=False)


def write_suspects(path: Path, suspects: Sequence[Suspect], *, names: Sequence[str], classes: Sequence[str]) -> None:
    """Write the table; every ``action`` is ``keep`` until a person changes it.

    Args:
        path: The file to write.
        suspects: In the order in which they should be looked at.
        names: Paths of all photos, by row.
        classes: Class names, by label.
    """
    rows = [[names[one.row], classes[one.label], classes[one.suggested], f"{one.score:.4f}", ACTIONS[0]] for one in suspects]
    # The mark at the start tells spreadsheets that the letters are UTF-8.
    write_atomically(path, table_text([COLUMNS, *rows]).encode("utf-8-sig"))


def read_decisions(path: Path) -> Decisions:
    """Read an edited table: rows marked ``exclude`` or ``relabel`` (to what stands in ``suggested``).

    Only the columns ``path`` and ``action`` are needed, and ``suggested`` where something is relabelled. Comma, semicolon and
    tab are understood as separators, as spreadsheets write all three.

    Raises:
        DataError: When a column or an action is not understood.
    """
    exclude: set[str] = set()
    relabel: dict[str, str] = {}
    changes: dict[str, list[tuple[str, str]]] = {}
    for _, row in _decided_rows(path):
        if row["action"] == "exclude":
            exclude.add(row["path"])
        elif row["action"] == "relabel":
            relabel[row["path"]] = row["suggested"]
            changes.setdefault(row["path"], []).append((row["label"], row["suggested"]))
    return Decisions(frozenset(exclude), relabel, changes)


def _decided_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row of an edited table: ``path``, ``label``, ``suggested``, ``action`` in lower case.

    Raises:
        DataError: When a column or an action is not understood.
    """
    text = _text(path)
    try:
        header, *cells = table_rows(text, _separator(text))
    except csv.Error as error:
        raise DataError(tr("{path} cannot be read.", path=path), got=str(error)) from error
    rows = [dict(zip(header, row, strict=False)) for row in cells if row]
    for number, row in enumerate(rows, start=2):
        # The path is taken as it stands: names of files may begin or end with a space.
        known = {key: row.get(key) or "" for key in ("path", "label", "suggested", "action")}
        action = known["action"] = known["action"].strip().lower()
        if (
            not known["path"].strip()
            or action not in (*ACTIONS, "")
            or (action == "relabel" and not known["suggested"].strip())
        ):
            raise DataError(
                tr("Line {number} of {name} cannot be understood.", number=number, name=path.name),
                allowed=tr("path, action (keep, exclude or relabel), and suggested where the action is relabel"),
                got=str({key: value for key, value in row.items() if key}),
            )
        yield number, known


def _text(path: Path) -> str:
    try:
        read = read_encoded(path)
    except OSError as error:
        raise DataError(tr("{path} cannot be read.", path=path), got=str(error)) from error
    except UnicodeDecodeError as error:
        raise DataError(
            tr("{name} is not written in UTF-8.", name=path.name),
            cure=tr("save it from the spreadsheet as CSV UTF-8"),
        ) from error
    if guess := read.sentence(path.name):
        say(guess)
    text = read.text
    header = text.splitlines()[0] if text.strip() else ""
    if not {"path", "action"} <= {name.strip().strip('"') for name in header.split(_separator(text))}:
        raise DataError(
            tr("{name} is no list of suspects.", name=path.name),
            allowed=",".join(COLUMNS),
            got=header[:200],
        )
    return text


def _separator(text: str) -> str:
    header = text.splitlines()[0] if text.strip() else ""
    return max(",;\t", key=header.count)
