"""A classifier on disk: ``classifier.json`` says what it is, ``weights.safetensors`` holds every number.

Nothing in a run folder is ever executed: JSON and safetensors hold plain values only, and the network is rebuilt from its name.
No path and no device of the machine it was made on is inside. Reading needs no PyTorch: tensors come as NumPy arrays, and
:func:`read_answer_head` is all that answering from features takes.

Letters: ``K`` classes, ``D`` feature width.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from tsugiki.classifier.answer import AnswerHead, MultiLabel, Unknown
from tsugiki.core.arguments import argument
from tsugiki.core.console import typed
from tsugiki.core.errors import ArtefactError, RequestError, TsugikiError
from tsugiki.core.files import atomic_path, recover_folder, sha256_of, write_json
from tsugiki.core.regular_files import read_json
from tsugiki.data.taxonomy import Taxonomy
from tsugiki.locale.messages import tr

FORMAT = "tsugiki-classifier"
SCHEMA = 1
MULTI_LABEL_SCHEMA = 2
"""Of classifiers that give several labels: an older program would take their answers for those of one class."""

DESCRIPTION = "classifier.json"
WEIGHTS = "weights.safetensors"
_NEW_WEIGHTS = f"{WEIGHTS}.new"
UNKNOWN_REFERENCE = "unknown.reference"
"""The name of the training photos' features among the weights."""

_TOLD_OF_A_RUN = ("evaluation.json", "predictions.csv", "report.html")
"""What a run folder says about its classifier: untrue beside another one."""

_LIBRARIES = ("tsugiki", "torch", "torchvision", "timm")


def write_artefact(
    folder: Path, description: Mapping[str, Any], save_weights: Callable[[Path], None], *, overwrite: bool = False
) -> Path:
    """Write the two files into ``folder``; an older classifier there is replaced, whole or not at all.

    The description names the weights by their digest, and it is what replaces the old classifier by the new one, in one move:
    before, the new weights lie beside the old ones; after, they only have to be moved into their place. Killed in between, the
    folder still holds one whole classifier, and :func:`read_weights` finds it.

    Args:
        folder: Made when it is not there.
        description: What the classifier is; format, schema and library versions are added.
        save_weights: Writes the weights to a path.
        overwrite: Whether another classifier may be there; one with the same weights always may.

    Raises:
        RequestError: When another classifier is there, or what a run says about another one.
        OSError: When the disk cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / _NEW_WEIGHTS
    with atomic_path(new) as temporary, _disk_told(temporary):
        save_weights(temporary)
    digest = sha256_of(new)
    try:
        _refuse_another(folder, digest, overwrite=overwrite)
        write_json(folder / DESCRIPTION, _complete(description, digest))
    finally:  # an interruption too: the file on disk knows on which side of it we are
        if _digest_in(folder / DESCRIPTION) == digest:
            new.replace(folder / WEIGHTS)
        else:
            new.unlink()
    return folder


def _refuse_another(folder: Path, digest: str, *, overwrite: bool) -> None:
    """Refuse to take the place of a classifier with other weights that somebody may still need."""
    told = sorted(name for name in _TOLD_OF_A_RUN if (folder / name).exists())
    if overwrite and not told:
        return
    if not (folder / DESCRIPTION).exists() or _digest_in(folder / DESCRIPTION) == digest:
        return
    raise RequestError(
        tr("{folder} holds another classifier: it would be replaced.", folder=folder),
        allowed=tr("a new folder, or {argument} to replace what is there", argument=argument("overwrite", value=True)),
        got=tr("a run: {names} tell of another classifier", names=", ".join(told)) if told else DESCRIPTION,
        cure=tr("name another folder, as {folder}", folder=typed(folder.with_name(f"{folder.name}-2"))),
    )


@contextmanager
def _disk_told(path: Path) -> Iterator[None]:
    """Within this block what the system refuses to the writer of safetensors is told as the system's own error."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _complete(description: Mapping[str, Any], digest: str) -> dict[str, Any]:
    from importlib import metadata  # who only reads does not wait for it

    trained = {"trained": description["trained"]}
    rest = {name: value for name, value in description.items() if name != "trained"}
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    schema = MULTI_LABEL_SCHEMA if description.get("task") == "multi" else SCHEMA
    return {"format": FORMAT, "schema": schema, **rest, "weights_sha256": digest, **trained, "versions": versions}


def _digest_in(path: Path) -> str | None:
    """The digest of the weights that a description names, if there is a description."""
    try:
        description = read_json(path)
    except (OSError, ValueError):
        return None
    return description.get("weights_sha256") if isinstance(description, dict) else None


def read_description(folder: Path) -> dict[str, Any]:
    """``classifier.json`` as a dictionary, checked for format and schema version.

    Raises:
        RequestError: When there is no such folder.
        ArtefactError: When it is no classifier of this program, or of a newer version of it.
    """
    recover_folder(folder)
    if folder.is_file():
        raise RequestError(
            tr("{path} is a file, and no run folder.", path=folder),
            allowed=tr("a folder with {files}, as `tsugiki fit` writes it", files=f"{DESCRIPTION} + {WEIGHTS}"),
            cure=tr("name the run first, and then the photos"),
        )
    if not folder.is_dir():
        raise RequestError(
            tr("There is no run folder {folder}.", folder=folder),
            cure=tr("make one with `tsugiki fit DATA --out {folder}`", folder=typed(folder)),
        )
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ArtefactError(
            tr("{folder} holds no classifier.", folder=folder),
            allowed=tr("a folder with {files}, as `tsugiki fit` writes it", files=f"{DESCRIPTION} + {WEIGHTS}"),
            got=", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or tr("an empty folder"),
        )
    try:
        description = read_json(path)
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ArtefactError(tr("{path} describes something else than a classifier of this program.", path=path))
    if description.get("schema") not in (SCHEMA, MULTI_LABEL_SCHEMA):
        raise ArtefactError(
            tr("{path} was written in another version of the format.", path=path),
            allowed=f"{SCHEMA}, {MULTI_LABEL_SCHEMA}",
            got=str(description.get("schema")),
            cure="pip install --upgrade tsugiki",
        )
    return description


def backbone_named(description: Mapping[str, Any]) -> str:
    """What the backbone of a described classifier is called, those of several joined as they are typed."""
    described = description["backbone"]
    parts = described.get("parts", [described])
    stages = {"last": "", "multi": ":multi"}
    return "+".join(f"{part['source']}:{part['name']}{stages[part.get('features', 'last')]}" for part in parts)


def read_answer_head(folder: Path) -> AnswerHead:
    """What answers from features ``[B, D]``, without the network that computes them.

    Raises:
        RequestError: When there is no such folder.
        ArtefactError: When it is no classifier of this program, or a damaged one.
    """
    description = read_description(folder)
    arrays = read_weights(folder, description, only=("head.weight", "head.bias", UNKNOWN_REFERENCE))
    with damage_told(folder):
        return answer_head_of(description, arrays)


def answer_head_of(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> AnswerHead:
    """What answers from features ``[B, D]``.

    Args:
        description: Of the run.
        arrays: ``head.weight`` ``[K, D]``, ``head.bias`` ``[K]`` and, where unknown photos are told, ``unknown.reference``
            ``[M, D]``.

    Raises:
        KeyError: When something is missing.
        ValueError: When something has an impossible value or shape.
    """
    # A classifier may have been saved in 16 bits: answers are computed in more.
    weight, bias = (np.asarray(arrays[name], np.float32) for name in ("head.weight", "head.bias"))
    classes = tuple(description["classes"])
    if weight.ndim != 2 or bias.shape != (len(weight),) or len(classes) != len(weight):
        raise ValueError(f"head.weight {list(weight.shape)}, head.bias {list(bias.shape)}, {len(classes)} classes")
    unknown = read_unknown(description["unknown"], arrays.get(UNKNOWN_REFERENCE), weight.shape[1])
    taxonomy = read_tree(description)
    if description.get("task", "single") == "multi":
        sets = read_multi_label(description)
        return AnswerHead(classes, weight, bias, unknown=unknown, multi_label=sets, taxonomy=taxonomy)
    return AnswerHead(classes, weight, bias, read_temperature(description), unknown, taxonomy=taxonomy)


def read_tree(description: Mapping[str, Any]) -> Taxonomy | None:
    """What is above the classes, where that is known.

    Raises:
        KeyError: When something is missing.
        ValueError: When it is no tree above these classes.
    """
    values = description.get("taxonomy")
    return None if values is None else Taxonomy.from_dict(description["classes"], values)


def read_multi_label(description: Mapping[str, Any]) -> MultiLabel:
    """How logits become several labels.

    Raises:
        KeyError: When something is missing.
        ValueError: When something is no number per class that is possible.
    """
    calibration, count = description["calibration"], len(description["classes"])
    slope, offset, thresholds = (np.array(calibration[name], np.float64) for name in ("slope", "offset", "thresholds"))
    for values in (slope, offset, thresholds):
        if values.shape != (count,) or not np.isfinite(values).all():
            raise ValueError(values.tolist())
    if (slope <= 0).any() or (thresholds < 0).any() or (thresholds > 1).any():
        raise ValueError(calibration)
    return MultiLabel(slope, offset, thresholds.astype(np.float32))


def read_temperature(description: Mapping[str, Any]) -> float:
    """What logits are divided by.

    Raises:
        ValueError: When it is no positive number.
    """
    number = float(description["calibration"]["temperature"])
    if not 0 < number < math.inf:
        raise ValueError(number)
    return number


def read_unknown(description: dict[str, Any] | None, reference: npt.NDArray[Any] | None, width: int) -> Unknown | None:
    """How far is too far, where that is known.

    Args:
        description: Threshold and rate.
        reference: ``[M, D]``.
        width: ``D``.

    Raises:
        ValueError: When the reference is of another width.
    """
    if description is None or reference is None:
        return None
    if reference.ndim != 2 or reference.shape[1] != width:
        raise ValueError(f"{UNKNOWN_REFERENCE} {list(reference.shape)}")
    found = Unknown(np.asarray(reference, np.float16), **description)
    return replace(found, threshold=float(found.threshold), false_reject_rate=float(found.false_reject_rate))


def read_weights(
    folder: Path, description: Mapping[str, Any], *, only: tuple[str, ...] = (), framework: str = "numpy"
) -> dict[str, Any]:
    """The arrays (or tensors of another framework) by name, ``only`` some where they are named.

    Raises:
        ArtefactError: When the file is missing, damaged, or not the one that is described.
    """
    path = _weights_file(folder, description)
    try:
        with safe_open(path, framework=framework) as stored:
            names = [name for name in stored.keys() if not only or name in only]  # noqa: SIM118 (not a mapping)
            if framework != "numpy":
                return {name: stored.get_tensor(name) for name in names}
            kinds = {name: stored.get_slice(name).get_dtype() for name in names}
            return {
                name: _of_bfloat16(path, name) if kind == "BF16" else stored.get_tensor(name) for name, kind in kinds.items()
            }
    except (SafetensorError, TypeError) as error:  # TypeError: a number format that NumPy does not have
        raise damaged(path, str(error)) from error


def _of_bfloat16(path: Path, name: str) -> npt.NDArray[np.float32]:
    """An array of bfloat16, which NumPy does not have: the upper halves of float32."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[name]
        start, end = entry["data_offsets"]
        stream.seek(8 + length + start)
        halves = np.frombuffer(stream.read(end - start), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


@contextmanager
def damage_told(folder: Path) -> Iterator[None]:
    """Within this block a value of the description that is missing or of another kind is told as damage."""
    try:
        yield
    except ArtefactError:
        raise
    except TsugikiError as error:
        raise damaged(folder / DESCRIPTION, error.what) from error
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise damaged(folder / DESCRIPTION, repr(error)) from error


def _weights_file(folder: Path, description: Mapping[str, Any]) -> Path:
    """The file whose content the description names; where a save was killed, it has not been moved into its place yet."""
    present = [path for path in (folder / WEIGHTS, folder / _NEW_WEIGHTS) if path.is_file()]
    for path in present:
        if _is_whole(path) and sha256_of(path) == description.get("weights_sha256"):
            return path
    raise damaged(
        folder / WEIGHTS,
        tr("its content is not what {name} says", name=DESCRIPTION) if present else tr("the file is missing"),
    )


def _is_whole(path: Path) -> bool:
    """Whether a file is as long as its own head says; only such a file is read to its end."""
    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False


def damaged(path: Path, reason: str) -> ArtefactError:
    """What to raise where a file of a run folder is not what it was."""
    return ArtefactError(
        tr("{path} is damaged or foreign.", path=path),
        got=reason,
        cure=tr("copy the run folder again, or make it again with `tsugiki fit`"),
    )
