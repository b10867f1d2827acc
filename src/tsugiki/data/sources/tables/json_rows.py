"""Rows of photos in a JSON document: a list of objects, names with their labels, COCO."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tsugiki.data.sources.listing import PHOTO_SUFFIXES, suffix_of
from tsugiki.locale.messages import tr

Objects = list[dict[str, Any]]


def objects_in(document: Any, *, several: bool = False) -> tuple[Objects, tuple[str, ...]]:
    """One object per photo, and what else the document says of photos and is not read.

    Args:
        document: What the file holds.
        several: Whether photos are to have several labels, even where none of them has.

    Raises:
        ValueError: When it holds nothing like it.
    """
    if _is_objects(document):
        if all("annotations" in one and isinstance(one.get("data"), dict) for one in document):
            return _labelled(list(map(_of_label_studio, document)), several=several), ()
        return document, ()
    if isinstance(document, dict):
        if _is_objects(document.get("images")) and _is_objects(document.get("annotations")):
            return _of_coco(document, several=several)
        lists = [value for value in document.values() if _is_objects(value)]
        if len(lists) == 1:
            return lists[0], tuple(name for name, value in document.items() if value is not lists[0])
        if rows := _of_names(document):
            return rows, ()
    raise ValueError(tr("no list of photos with their labels"))


def _of_names(document: dict[str, Any]) -> Objects:
    """Photos with their label or their labels, or classes with their photos; none where it is something else."""
    lists = all(_is_names(value) for value in document.values())
    if all(isinstance(value, str | int) for value in document.values()) or (lists and all(map(_is_photo, document))):
        return [{"path": name, "label": label} for name, label in document.items()]
    return [{"path": name, "label": label} for label, names in document.items() for name in names] if lists else []


def _is_photo(name: str) -> bool:
    return suffix_of(name) in PHOTO_SUFFIXES


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _of_label_studio(task: dict[str, Any]) -> dict[str, Any]:
    """A task of Label Studio: what is asked about, and the choices of who has answered last."""
    photo = next((value for value in task["data"].values() if isinstance(value, str)), "")
    answers = [one for one in task["annotations"] or () if isinstance(one, dict) and not one.get("was_cancelled")]
    results = answers[-1].get("result", ()) if answers else ()
    values = [one.get("value", {}) for one in results if isinstance(one, dict)]
    labels = [str(name) for value in values for name in value.get("choices", ())]
    return {"path": photo, "label": labels if answers else None}


def _labelled(rows: Objects, *, several: bool) -> Objects:
    """Rows with a list of labels each (``None`` for nothing known): as they are where one has several, else one text each."""
    if several or any(len(row["label"] or ()) > 1 for row in rows):
        return rows
    return [{**row, "label": "".join(row["label"] or ())} for row in rows]


def _of_coco(document: dict[str, Any], *, several: bool) -> tuple[Objects, tuple[str, ...]]:
    """Photos of COCO, each with the categories of its annotations."""
    categories = document.get("categories")
    names = {one.get("id"): one.get("name") for one in categories or ()} if _is_objects(categories) else {}
    found: dict[Any, dict[Any, None]] = defaultdict(dict)
    for one in document["annotations"]:
        found[one.get("image_id")][one.get("category_id")] = None
    rows = []
    for photo in document["images"]:
        labels = [str(names.get(number, number)) for number in found[photo.get("id")]]
        rows.append({"path": str(photo.get("file_name") or ""), "label": labels})
    boxes = any("bbox" in one for one in document["annotations"])
    return _labelled(rows, several=several), (("bbox",) if boxes else ())
