"""A classifier on disk: ``classifier.json`` says what it is, ``weights.safetensors`` holds every number.

Nothing in a run folder is ever executed: JSON and safetensors hold plain values only, and the network is rebuilt from its name.
No path and no device of the machine it was made on is inside.
"""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tsugiki.backbones.backbone import BackboneSpec, WeightsOrigin
from tsugiki.backbones.load import rebuild_backbone
from tsugiki.classifier.answer import Unknown
from tsugiki.core.console import typed
from tsugiki.core.errors import ArtefactError, RequestError, TsugikiError
from tsugiki.core.files import atomic_path, sha256_of, write_json
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier

FORMAT = "tsugiki-classifier"
SCHEMA = 1
DESCRIPTION = "classifier.json"
WEIGHTS = "weights.safetensors"
_NEW_WEIGHTS = f"{WEIGHTS}.new"
_UNKNOWN_REFERENCE = "unknown.reference"
_LIBRARIES = ("tsugiki", "torch", "torchvision", "timm")


def save_classifier(classifier: Classifier, folder: Path) -> Path:
    """Write the two files into ``folder``; an older classifier there is replaced, whole or not at all.

    The description names the weights by their digest, and it is what replaces the old classifier by the new one, in one move:
    before, the new weights lie beside the old ones; after, they only have to be moved into their place. Killed in between, the
    folder still holds one whole classifier, and :func:`load_classifier` finds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    if classifier.unknown is not None:
        tensors[_UNKNOWN_REFERENCE] = classifier.unknown.reference.cpu().contiguous()
    new = folder / _NEW_WEIGHTS
    with atomic_path(new) as temporary:
        save_file(_without_shared_memory(tensors), temporary, metadata={"format": "pt"})
    digest = sha256_of(new)
    try:
        write_json(folder / DESCRIPTION, _describe(classifier, weights_sha256=digest))
    finally:  # an interruption too: the file on disk knows on which side of it we are
        if _digest_in(folder / DESCRIPTION) == digest:
            new.replace(folder / WEIGHTS)
        else:
            new.unlink()
    return folder


def _digest_in(path: Path) -> str | None:
    """The digest of the weights that a description names, if there is a description."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return description.get("weights_sha256") if isinstance(description, dict) else None


def load_classifier(folder: Path, make: type[Classifier]) -> Classifier:
    """Read what :func:`save_classifier` wrote; ``make`` is the class of classifiers."""
    description = read_description(folder)
    try:
        classifier = _rebuilt(description, make)
        tensors = _read_tensors(_weights_file(folder, description))
        classifier.unknown = _unknown(description["unknown"], tensors.pop(_UNKNOWN_REFERENCE, None), classifier)
    except ArtefactError:
        raise
    except TsugikiError as error:
        raise _damaged(folder / DESCRIPTION, error.what) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # a value that is missing or of another kind
        raise _damaged(folder / DESCRIPTION, repr(error)) from error
    try:
        classifier.load_state_dict(tensors)
    except RuntimeError as error:
        raise _damaged(folder / WEIGHTS, textwrap.shorten(str(error), 300)) from error
    return classifier


def _rebuilt(description: dict[str, Any], make: type[Classifier]) -> Classifier:
    """The classifier that is described, its numbers still random."""
    preprocess = Preprocess.from_dict(description["preprocess"])
    backbone = rebuild_backbone(BackboneSpec.from_dict(description["backbone"]), preprocess)
    # Where the root was grown stays known however often the classifier is saved and loaded.
    backbone.origin = WeightsOrigin(**description["pretrained"])
    classifier = make(backbone, classes=description["classes"], preprocess=preprocess)
    classifier.temperature = _positive(description["calibration"]["temperature"])
    classifier.notes = dict(description["trained"])
    return classifier


def _unknown(description: dict[str, Any] | None, reference: torch.Tensor | None, classifier: Classifier) -> Unknown | None:
    if description is None or reference is None:
        return None
    if reference.ndim != 2 or reference.shape[1] != classifier.head.in_features:
        raise ValueError(f"{_UNKNOWN_REFERENCE} {list(reference.shape)}")
    found = Unknown(reference, **description)
    return replace(found, threshold=float(found.threshold), false_reject_rate=float(found.false_reject_rate))


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(value)
    return number


def read_description(folder: Path) -> dict[str, Any]:
    """``classifier.json`` as a dictionary, checked for format and schema version.

    Raises:
        RequestError: When there is no such folder.
        ArtefactError: When it is no classifier of this program, or of a newer version of it.
    """
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
        description = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ArtefactError(tr("{path} describes something else than a classifier of this program.", path=path))
    if description.get("schema") != SCHEMA:
        raise ArtefactError(
            tr("{path} was written in another version of the format.", path=path),
            allowed=str(SCHEMA),
            got=str(description.get("schema")),
            cure="pip install --upgrade tsugiki",
        )
    return description


def _describe(classifier: Classifier, *, weights_sha256: str) -> dict[str, Any]:
    unknown = classifier.unknown
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "classes": list(classifier.classes),
        "backbone": classifier.backbone.spec.to_dict(),
        "pretrained": dataclasses.asdict(classifier.backbone.origin),
        "preprocess": classifier.preprocess.to_dict(),
        "head": {"kind": "linear", "features": classifier.head.in_features},
        "calibration": {"temperature": classifier.temperature},
        "unknown": unknown and {"threshold": unknown.threshold, "false_reject_rate": unknown.false_reject_rate},
        "weights_sha256": weights_sha256,
        "trained": classifier.notes,
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
    }


def _weights_file(folder: Path, description: dict[str, Any]) -> Path:
    """The file whose content the description names; where a save was killed, it has not been moved into its place yet."""
    present = [path for path in (folder / WEIGHTS, folder / _NEW_WEIGHTS) if path.is_file()]
    for path in present:
        if sha256_of(path) == description.get("weights_sha256"):
            return path
    raise _damaged(
        folder / WEIGHTS,
        tr("its content is not what {name} says", name=DESCRIPTION) if present else tr("the file is missing"),
    )


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error


def _without_shared_memory(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Safetensors stores each tensor once; networks with tied weights get a copy per name."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        separate[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return separate


def _damaged(path: Path, reason: str) -> ArtefactError:
    return ArtefactError(
        tr("{path} is damaged or foreign.", path=path),
        got=reason,
        cure=tr("copy the run folder again, or make it again with `tsugiki fit`"),
    )
