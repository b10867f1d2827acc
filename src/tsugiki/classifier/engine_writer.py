"""Writes the folder ``engine`` of a run, and only where it is proven to answer as PyTorch does.

The network's part of the proof is kept: where the same files were proven on this machine before, the drawn photos' features
are those that PyTorch and the engine gave then, and the held-out ones are compared with what the run itself was judged by. The
head's part, and whether the files can be read, is proven every time.

Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import copy
import importlib.util
import io
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.numpy import save

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.known import engine_cache
from tsugiki.classifier.answer import AnswerHead, Floats, Prediction
from tsugiki.classifier.artefact import UNKNOWN_REFERENCE, read_description
from tsugiki.classifier.engine_predictor import ANSWER, ENGINE, FEW, PARITY, SCHEMA, EnginePredictor, network_names
from tsugiki.classifier.parity import Parity, compare, drawn_photos, some_of
from tsugiki.classifier.predict import unreadable
from tsugiki.core.console import quiet, say
from tsugiki.core.files import atomic_folder, sha256_of, write_atomically, write_json
from tsugiki.data.joined_preprocess import rules_of
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.openvino_engine import this_machine
from tsugiki.features.file_features import features_of_files
from tsugiki.locale.messages import tr

Proof = Sequence[Path] | Mapping[Path, Floats]
"""Photos that a classifier has not learned from, or by path the features ``[D]`` that each of them was judged by."""


class _Refused(Exception):
    """The engine does not answer as PyTorch does."""


def write_engine(
    run: Path, backbone: Backbone, preprocess: Preprocess, head: AnswerHead, *, photos: Proof = ()
) -> Parity | None:
    """Make the engine of a classifier, compare its answers with PyTorch's, and write it where they are the same.

    Where it cannot be made, or answers otherwise, there is no engine afterwards, and that is said.

    Args:
        run: The folder of the classifier, written already.
        backbone: The classifier's.
        preprocess: The classifier's.
        head: The classifier's.
        photos: Of the classifier's own kind, that it has not learned from; by path the features ``[D]`` that they were judged
            by, where these are known.

    Returns:
        How both compare; ``None`` where there is nothing to compare.
    """
    place = run / ENGINE
    if importlib.util.find_spec("openvino") is None:
        shutil.rmtree(place, ignore_errors=True)
        say(tr("No engine: OpenVINO is not installed. PyTorch will answer."))
        return None
    if backbone.device.type != "cpu":
        backbone = copy.deepcopy(backbone).cpu()
    parity = None
    try:
        with atomic_folder(place) as folder:
            parity = _written(folder, run, backbone, preprocess, head, photos)
    except _Refused as refusal:
        shutil.rmtree(place, ignore_errors=True)
        say(tr("No engine: its answers are not those of PyTorch ({detail}). PyTorch will answer.", detail=refusal))
    except OSError as error:  # no room, or no right to write
        shutil.rmtree(place, ignore_errors=True)
        reason = error.strerror or str(error)
        say(tr("No engine: it cannot be written ({detail}). PyTorch will answer.", detail=reason))
    except Exception as error:  # noqa: BLE001 (a network that OpenVINO cannot take, or OpenVINO itself, may fail in any way)
        shutil.rmtree(place, ignore_errors=True)
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        say(tr("No engine: this network cannot be exported ({detail}). PyTorch will answer.", detail=reason))
    return parity


def _written(folder: Path, run: Path, backbone: Backbone, preprocess: Preprocess, head: AnswerHead, photos: Proof) -> Parity:
    """Write the engine's files into ``folder``, as they will be read, and hold its answers against PyTorch's."""
    key = _write_networks(folder, backbone, preprocess)
    _write_answer(folder / ANSWER, head)
    description = read_description(run)
    widths = [part.num_features for part in backbone.parts]
    document = {
        "schema": SCHEMA,
        "weights_sha256": description["weights_sha256"],
        "preprocess": description["preprocess"],
        "features": key,
        "input": [1, 3, *preprocess.size],
        **({} if len(widths) == 1 else {"widths": widths}),
        "files": {path.name: sha256_of(path) for path in sorted(folder.iterdir())},
    }
    write_json(folder / PARITY, document)
    with quiet():
        predictor = EnginePredictor.load(run, engine=folder)
        # Preprocessing that is read back as another one is no place for a proof.
        place = _proof_place(document) if predictor.preprocess == preprocess else ""
        found = _compared_answers(predictor, (backbone, preprocess, head), photos, place)
        if found[2] is None and not compare(*found[:2], [answer.name for answer in found[0]], classes=head.classes).holds:
            # A photo that has changed since, or features from elsewhere: PyTorch itself is asked.
            found = _compared_answers(predictor, (backbone, preprocess, head), [*photos], place)
    reference, answers, proof = found
    parity = compare(reference, answers, [answer.name for answer in reference], classes=head.classes)
    network = "compared before" if proof is None else "compared now"
    write_json(folder / PARITY, {**document, "network": network, "parity": parity.to_dict()})
    if not parity.holds:
        raise _Refused(describe(parity))
    if proof is not None and place and len(proof.names):
        _keep_proof(place, proof)
    return parity


def _compared_answers(
    predictor: EnginePredictor, classifier: tuple[Backbone, Preprocess, AnswerHead], photos: Proof, place: str
) -> tuple[list[Prediction], list[Prediction], _NetworkProof | None]:
    """The reference's answers for the same photos, and the engine's; and the network's part of the proof, where it is new."""
    backbone, preprocess, head = classifier
    before = _network_proven(place) if isinstance(photos, Mapping) and place else None
    with TemporaryDirectory() as folder:
        drawn, own = [] if before else drawn_photos(Path(folder)), some_of([*photos])
        found = _features(predictor, [*drawn, *own])
        if before is None or not isinstance(photos, Mapping):
            reference = features_of_files(backbone, preprocess, [*drawn, *own], name="torch")
            names, count = [path.name for path in (*drawn, *own)], len(drawn)
            count = 0 if reference[1] or found[1] else count  # a drawn photo that cannot be read proves nothing
            proof = _NetworkProof(names[:count], reference[0][:count], found[0][:count])
            return _answers(head, *reference, names), _answers(predictor.answer_head, *found, names), proof
    names, ours = [*before.names, *(path.name for path in own)], [photos[path] for path in own]
    expected = np.concatenate([before.reference, np.stack(ours)]) if ours else before.reference
    problems = {len(before.names) + at: problem for at, problem in found[1].items()}
    vectors = np.concatenate([before.engine, found[0]])
    return _answers(head, expected, {}, names), _answers(predictor.answer_head, vectors, problems, names), None


def _features(predictor: EnginePredictor, photos: Sequence[Path]) -> tuple[Floats, dict[int, str]]:
    """What the engine gives for files ``[N, D]``, a few at a time: so it is prepared for whoever will ask about one."""
    vectors = np.zeros((len(photos), predictor.network.num_features), np.float32)
    problems: dict[int, str] = {}
    for start in range(0, len(photos), FEW - 1):
        vectors[start : start + FEW - 1], bad = predictor.features_of_files(photos[start : start + FEW - 1])
        problems |= {start + at: problem for at, problem in bad.items()}
    return vectors, problems


@dataclass(frozen=True)
class _NetworkProof:
    """Features ``[N, D]`` that a network gave for the drawn photos.

    Attributes:
        names: Of the photos.
        reference: By PyTorch.
        engine: By the engine.
    """

    names: list[str]
    reference: Floats
    engine: Floats


def _proof_place(document: Mapping[str, Any]) -> str:
    """The name in the engine cache of what a network's files were found to give for the drawn photos."""
    networks = [digest for name, digest in document["files"].items() if name != ANSWER]
    libraries = [metadata.version(name) for name in ("tsugiki", "pillow", "simplejpeg", "openvino")]
    parts = (*networks, document["preprocess"], *this_machine(), *libraries)
    return f"{engine_cache.key_of(('proof', 1, *parts))}.proof"


def _network_proven(place: str) -> _NetworkProof | None:
    content = engine_cache.kept(place)
    if content is None:
        return None
    with suppress(ValueError, KeyError, OSError), np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _NetworkProof([str(name) for name in arrays["names"]], arrays["reference"], arrays["engine"])
    return None  # whole, but of another kind


def _keep_proof(place: str, proof: _NetworkProof) -> None:
    content = io.BytesIO()
    np.savez(content, names=np.array(proof.names), reference=proof.reference, engine=proof.engine)
    engine_cache.keep(place, content.getvalue())


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


def _write_networks(folder: Path, backbone: Backbone, preprocess: Preprocess) -> str:
    """Write the two files of each network; returns the digest that the features are stored under."""
    from tsugiki.features.engines.openvino_conversion import network_files
    from tsugiki.features.engines.reference import weights_key

    for at, (part, rule) in enumerate(zip(backbone.parts, rules_of(preprocess), strict=True)):
        files = network_files(part, rule, key=weights_key(part))
        for name, content in zip(network_names(at), (files.graph, files.numbers), strict=True):
            write_atomically(folder / name, content)
    return weights_key(backbone)


def _write_answer(path: Path, head: AnswerHead) -> None:
    arrays = {"head.weight": np.ascontiguousarray(head.weight), "head.bias": np.ascontiguousarray(head.bias)}
    if head.unknown is not None:
        arrays[UNKNOWN_REFERENCE] = np.ascontiguousarray(head.unknown.reference)
    write_atomically(path, save(arrays))


def reference_answers(backbone: Backbone, preprocess: Preprocess, head: AnswerHead, photos: list[Path]) -> list[Prediction]:
    """What plain float32 PyTorch answers."""
    names = [path.name for path in photos]
    return _answers(head, *features_of_files(backbone, preprocess, photos, name="torch"), names)


def _answers(head: AnswerHead, vectors: Floats, problems: Mapping[int, str], names: Sequence[str]) -> list[Prediction]:
    good = [row for row in range(len(names)) if row not in problems]
    answers = iter(head.answer(vectors[good], [names[row] for row in good]))
    return [unreadable(name, problems[row]) if row in problems else next(answers) for row, name in enumerate(names)]
