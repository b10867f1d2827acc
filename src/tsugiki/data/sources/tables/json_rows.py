"""Rows of photos in a JSON document: a list of objects, names with their labels, COCO."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tsugiki.locale.messages import first_few, tr

Objects = list[dict[str, Any]]


def objects_in(document: Any) -> tuple[Objects, tuple[str, ...]]:
    """One object per photo, and what else the document says of photos and is not read.

    Raises:
        ValueError: When it holds nothing like it, or several classes per photo.
    """
    if _is_objects(document):
        if all("annotations" in one and isinstance(one.get("data"), dict) for one in document):
            return list(map(_of_label_studio, document)), ()
        return document, ()
    if isinstance(document, dict):
        if _is_objects(document.get("images")) and _is_objects(document.get("annotations")):
            return _of_coco(document)
        lists = [value for value in document.values() if _is_objects(value)]
        if len(lists) == 1:
            return lists[0], tuple(name for name, value in document.items() if value is not lists[0])
        if document and all(isinstance(value, str | int) for value in document.values()):
            return [{"path": name, "label": value} for name, value in document.items()], ()
        if document and all(_is_names(value) for value in document.values()):
            return [{"path": name, "label": label} for label, names in document.items() for name in names], ()
    raise ValueError(tr("no list of photos with their labels"))


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _of_label_studio(task: dict[str, Any]) -> dict[str, Any]:
    """A task of Label Studio: what is asked about, and the one choice of who has answered last."""
    photo = next((value for value in task["data"].values() if isinstance(value, str)), "")
    answers = [one for one in task["annotations"] or () if isinstance(one, dict) and not one.get("was_cancelled")]
    results = answers[-1].get("result", ()) if answers else ()
    values = [one.get("value", {}) for one in results if isinstance(one, dict)]
    return {"path": photo, "label": _one_class(photo, [name for value in values for name in value.get("choices", ())])}


def _one_class(photo: str, labels: list[str]) -> str:
    if len(labels) > 1:
        raise ValueError(
            tr(
                "{photo} shows things of several classes ({labels}); one class per photo can be learned",
                photo=photo,
                labels=first_few(labels, 3),
            )
        )
    return "".join(labels)


def _of_coco(document: dict[str, Any]) -> tuple[Objects, tuple[str, ...]]:
    """Photos of COCO, each with the one category of its annotations."""
    categories = document.get("categories")
    names = {one.get("id"): one.get("name") for one in categories or ()} if _is_objects(categories) else {}
    found: dict[Any, dict[Any, None]] = defaultdict(dict)
    for one in document["annotations"]:
        found[one.get("image_id")][one.get("category_id")] = None
    rows = []
    for photo in document["images"]:
        labels = [str(names.get(number, number)) for number in found[photo.get("id")]]
        name = str(photo.get("file_name") or "")
        rows.append({"path": name, "label": _one_class(name, labels)})
    boxes = any("bbox" in one for one in document["annotations"])
    return rows, (("bbox",) if boxes else ())
