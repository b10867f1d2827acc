"""Writes the folder ``engine`` of a run, and only where it is proven to answer as PyTorch does."""

from __future__ import annotations

import copy
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save

from tsugiki.backbones.backbone import Backbone
from tsugiki.classifier.answer import AnswerHead, Prediction
from tsugiki.classifier.artefact import UNKNOWN_REFERENCE, read_description
from tsugiki.classifier.engine_predictor import ANSWER, ENGINE, GRAPH, NUMBERS, PARITY, SCHEMA, EnginePredictor
from tsugiki.classifier.parity import Parity, compare, golden_photos
from tsugiki.classifier.predict import predict_files
from tsugiki.core.console import quiet, say
from tsugiki.core.files import atomic_folder, sha256_of, write_atomically, write_json
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.file_features import features_of_files
from tsugiki.locale.messages import tr


class _Refused(Exception):
    """The engine does not answer as PyTorch does."""


def write_engine(
    run: Path, backbone: Backbone, preprocess: Preprocess, head: AnswerHead, *, photos: Sequence[Path] = ()
) -> Parity | None:
    """Make the engine of a classifier, compare its answers with PyTorch's, and write it where they are the same.

    Where it cannot be made, or answers otherwise, there is no engine afterwards, and that is said.

    Args:
        run: The folder of the classifier, written already.
        backbone: The classifier's.
        preprocess: The classifier's.
        head: The classifier's.
        photos: Of the classifier's own kind, that it has not learned from.

    Returns:
        How both compare; ``None`` where there is nothing to compare.
    """
    place = run / ENGINE
    if importlib.util.find_spec("openvino") is None:
        shutil.rmtree(place, ignore_errors=True)
        say(tr("No engine: OpenVINO is not installed. PyTorch will answer."))
        return None
    if next(backbone.parameters()).device.type != "cpu":
        backbone = copy.deepcopy(backbone).cpu()
    parity = None
    try:
        with atomic_folder(place) as folder, TemporaryDirectory() as drawn:
            parity = _written(folder, run, backbone, preprocess, head, golden_photos(Path(drawn), photos))
    except _Refused as refusal:
        shutil.rmtree(place, ignore_errors=True)
        say(tr("No engine: its answers are not those of PyTorch ({detail}). PyTorch will answer.", detail=refusal))
    except Exception as error:  # noqa: BLE001 (a network that OpenVINO cannot take, or OpenVINO itself, may fail in any way)
        shutil.rmtree(place, ignore_errors=True)
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        say(tr("No engine: this network cannot be exported ({detail}). PyTorch will answer.", detail=reason))
    return parity


def _written(
    folder: Path, run: Path, backbone: Backbone, preprocess: Preprocess, head: AnswerHead, photos: list[Path]
) -> Parity:
    """Write the engine's files into ``folder``, as they will be read, and hold its answers against PyTorch's."""
    key = _write_network(folder, backbone, preprocess)
    _write_answer(folder / ANSWER, head)
    description = read_description(run)
    document = {
        "schema": SCHEMA,
        "weights_sha256": description["weights_sha256"],
        "preprocess": description["preprocess"],
        "features": key,
        "input": [1, 3, *preprocess.size],
        "files": {name: sha256_of(folder / name) for name in (GRAPH, NUMBERS, ANSWER)},
    }
    write_json(folder / PARITY, document)
    with quiet():
        reference = reference_answers(backbone, preprocess, head, photos)
        answers = predict_files(EnginePredictor.load(run, engine=folder), photos)
    parity = compare(reference, answers, [path.name for path in photos])
    write_json(folder / PARITY, {**document, "parity": parity.to_dict()})
    if not parity.holds:
        raise _Refused(describe(parity))
    return parity


def describe(parity: Parity) -> str:
    """What a comparison found, in a few words."""
    return tr(
        "{same} of {count} photos have the same answer, largest difference {difference} at {name}, allowed {tolerance}",
        same=parity.same_answer,
        count=parity.photos,
        difference=f"{max(parity.largest_difference, parity.largest_distance_difference):.2g}",
        name=parity.worst,
        tolerance=f"{parity.tolerance:g}",
    )


def _write_network(folder: Path, backbone: Backbone, preprocess: Preprocess) -> str:
    """Write the network's two files; returns the digest that its features are stored under."""
    from tsugiki.features.engines.openvino_conversion import network_files
    from tsugiki.features.engines.reference import weights_key

    key = weights_key(backbone)
    files = network_files(backbone, preprocess, key=key)
    write_atomically(folder / GRAPH, files.graph)
    write_atomically(folder / NUMBERS, files.numbers)
    return key


def _write_answer(path: Path, head: AnswerHead) -> None:
    arrays = {"head.weight": np.ascontiguousarray(head.weight), "head.bias": np.ascontiguousarray(head.bias)}
    if head.unknown is not None:
        arrays[UNKNOWN_REFERENCE] = np.ascontiguousarray(head.unknown.reference)
    write_atomically(path, save(arrays))


def reference_answers(backbone: Backbone, preprocess: Preprocess, head: AnswerHead, photos: list[Path]) -> list[Prediction]:
    """What plain float32 PyTorch answers."""
    vectors, problems = features_of_files(backbone, preprocess, photos, name="torch")
    good = [row for row in range(len(photos)) if row not in problems]
    answers = iter(head.answer(vectors[good], [photos[row].name for row in good]))
    return [
        Prediction("", 0.0, name=path.name, known=False, problem=problems[row]) if row in problems else next(answers)
        for row, path in enumerate(photos)
    ]
