"""What a person decided about doubted labels, applied: the files stay as they are, the training sees other labels.

``tsugiki fit DATA --exclude suspects.csv --relabel suspects.csv`` reads the lists that ``fit`` and ``audit`` write.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tsugiki.core.errors import DataError, RequestError, UnknownName
from tsugiki.data.label_sets import ABSENT, PRESENT, combinations, set_text
from tsugiki.data.samples import Correction, Samples, with_warnings
from tsugiki.data.sources.listing import LeftOut
from tsugiki.evaluation.label_issues import Decisions, read_decisions
from tsugiki.evaluation.multi_label.cell_issues import apply_changes
from tsugiki.locale.messages import tr


def choose(exclude: Path | None = None, relabel: Path | None = None) -> Decisions:
    """The decisions in two lists, which may be the same file.

    Args:
        exclude: Its rows with the action ``exclude`` count.
        relabel: Its rows with the action ``relabel`` count.

    Raises:
        RequestError: When there is no such file, or nothing is decided in it.
        DataError: When a file is no such list.
    """
    left_out = _read(exclude).exclude if exclude else frozenset()
    changed = _read(relabel) if relabel else Decisions(frozenset(), {})
    for path, decided in ((exclude, left_out), (relabel, changed.relabel)):
        if path and not decided:
            raise RequestError(
                tr("Nothing is decided in {name}.", name=path.name),
                cure=tr("write exclude or relabel into its column action, row by row"),
            )
    return replace(changed, exclude=left_out)


def _read(path: Path) -> Decisions:
    if not path.is_file():
        raise RequestError(
            tr("There is no file {path}.", path=path), allowed=tr("a list that fit or audit wrote: suspects.csv")
        )
    return read_decisions(path)


def apply_decisions(samples: Samples, decisions: Decisions) -> Samples:
    """The samples as a person decided: photos left out, labels replaced; no file is touched.

    Decisions about photos that are not there count for nothing: a list stays useful after photos were deleted.

    Args:
        samples: Not changed.
        decisions: Paths as in ``samples.names``.

    Raises:
        UnknownName: When a photo is given to a class that does not exist.
        RequestError: When none of the photos is there, most likely because the list is about another folder.
        DataError: When a class loses its last training photo, or nothing is held out any more.
    """
    decided = {*decisions.exclude, *decisions.relabel}
    if not decided:
        return samples
    rows = [row for row, name in enumerate(samples.names) if name in decided]
    if not rows:
        raise RequestError(
            tr("None of the photos in the list is here."),
            allowed=samples.names[0],
            got=", ".join(sorted(decided)[:3]),
            cure=tr("name the data that the list is about, or write its paths as the photos are named here"),
        )
    gone = {row for row in rows if samples.names[row] in decisions.exclude}
    moved, changed = _moved(samples, decisions, [row for row in rows if row not in gone])
    changed = replace(
        changed,
        decisions=(*samples.decisions, *_told(samples, gone, moved)),
        corrections=(*samples.corrections, *_by_content(samples, dict.fromkeys(gone, "") | moved)),
    )
    lost = [LeftOut(samples.names[row], tr("excluded by the list")) for row in sorted(gone)]
    kept = changed.take(row for row in range(len(samples)) if row not in gone)
    if samples.held_out and not kept.held_out:
        raise DataError(tr("The list leaves no held-out photo."), cure=tr("keep some of them"))
    return _usable(kept, lost)


def _moved(samples: Samples, decisions: Decisions, rows: list[int]) -> tuple[dict[int, str], Samples]:
    """What the photos at ``rows`` are labelled now, as text, and the samples labelled so."""
    if samples.targets is None:
        moved = {row: _known(decisions.relabel[samples.names[row]], samples.classes) for row in rows}
        labels = samples.labels.copy()
        for row, name in moved.items():
            labels[row] = samples.classes.index(name)
        return moved, replace(samples, labels=labels)
    targets, texts, moved = samples.targets.copy(), samples.label_names(), {}
    for row in rows:
        now = {_known(name, samples.classes) for name in apply_changes(texts[row], decisions.changes[samples.names[row]])}
        moved[row] = set_text(now)
        for place, name in enumerate(samples.classes):
            # What nobody knows stays so, unless the list says that the photo shows it.
            if name in now or targets[row, place] == PRESENT:
                targets[row, place] = PRESENT if name in now else ABSENT
    return moved, replace(samples, targets=targets, labels=combinations(targets))


def _by_content(samples: Samples, now: dict[int, str]) -> list[Correction]:
    """The decisions as a run notes them, so that they hold wherever the photos lie later."""
    before = samples.label_names()
    if samples.targets is not None:  # a photo with none of the classes has a text, too
        before = [set_text(names) for names in samples.label_sets()]
    return [Correction(samples.digests[row], before[row], name) for row, name in sorted(now.items()) if name != before[row]]


def _known(name: str, classes: tuple[str, ...]) -> str:
    name = name if name in classes else name.strip()  # a space that only a spreadsheet or a hand has put there
    if name not in classes:
        raise UnknownName(tr("There is no class {name} to put a photo into.", name=repr(name)), name=name, known=classes)
    return name


def _told(samples: Samples, gone: set[int], moved: dict[int, str]) -> list[str]:
    sentences = []
    if gone:
        sentences.append(tr("Left out because a list says so: {count}.", count=len(gone)))
    if moved and samples.targets is None:
        sentences.append(tr("Another class because a list says so: {count}.", count=len(moved)))
    elif moved:
        sentences.append(tr("Other labels because a list says so: {count}.", count=len(moved)))
    held_out = sum(samples.splits[row] == samples.held_out for row in {*gone, *moved})
    if samples.draw is not None:  # which may be made again, when photos turn out unreadable or near copies
        sentences.append(tr("Where held-out photos are among them, the score is about the photos as decided."))
    elif held_out:
        sentences.append(tr("Held-out photos among them: {count}. The score is about the photos as decided.", count=held_out))
    return sentences


def _usable(samples: Samples, lost: list[LeftOut]) -> Samples:
    learned = samples.counts().get("train", {})
    empty = [name for name in samples.classes if not learned.get(name)]
    if empty:
        raise DataError(
            tr("The list leaves no training photo of: {names}.", names=", ".join(empty)),
            cure=tr("keep some of them, or take the class folder away"),
        )
    # What the list has cured is no warning any more.
    return with_warnings(replace(samples, left_out=(*samples.left_out, *lost)))
