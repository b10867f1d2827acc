"""Decisions about photos that may have several labels, as the table has them: ``a|b``, ``|`` for none of the classes, ``""``.

The empty text says that nobody has decided yet; ``|`` is a decision like any other one. Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tsugiki.data.label_sets import SEPARATOR, parted, set_text

KEYS = "keys"
"""The column that says that photos may have several labels, and whose first cell has all classes in the order of their keys: of
labels that stand together no order could be read."""


def toggled(texts: Sequence[str], name: str) -> list[str]:
    """What ``N`` photos show once a class is given to all of them; once it is taken away, where all of them show it.

    What shows nothing any more is undecided again: "none of the classes" is only what somebody has said.
    """
    sets = [parted(text).present for text in texts]
    away = all(name in one for one in sets)
    return [_text(one - {name} if away else one | {name}) for one in sets]


def renamed(text: str, old: str, new: str) -> str:
    """A decision once class ``old`` is called ``new``, or is no class any more (``""``)."""
    names = parted(text).present
    return _text(names - {old} | {new} - {""}) if old in names else text


def tidy(text: str) -> str:
    """A decision as a table or a page has it, as it is written."""
    return set_text(parted(text).present) if text else ""


def table_place(text: str, order: Mapping[str, int]) -> tuple[int, ...]:
    """By which rows are sorted: class after class, then none of the classes, then those that have no decision.

    Args:
        text: A class, or several labels.
        order: The place of each class.
    """
    if text in order:
        return (order[text],)
    names = sorted(order[name] for name in parted(text).present if name in order)
    return tuple(names) or (len(order) + (not text),)


def with_keys(rows: Sequence[Sequence[str]], classes: Iterable[str]) -> list[Sequence[str]]:
    """A table, its heading first, with the order of the classes."""
    cells = [KEYS, SEPARATOR.join(classes)]
    return [(*row, cells[at] if at < len(cells) else "") for at, row in enumerate(rows)]


def _text(names: frozenset[str]) -> str:
    return set_text(names) if names else ""
