"""What answers without PyTorch: the folder ``engine`` of a run.

::

    RUN/classifier.json          class names, preprocessing, calibration, unknown threshold
    RUN/engine/network.xml       the network in OpenVINO's open format: uint8 RGB pixels [1, 3, H, W] -> features [1, D]
    RUN/engine/network.bin       its numbers; of several networks network-2.xml and network-2.bin are the second one's
    RUN/engine/answer.safetensors    head and, where unknown photos are told, the training photos' features
    RUN/engine/parity.json       which classifier it belongs to, and the proof that it answers as PyTorch does

An engine counts only beside the classifier that it was proven against: where another one has taken its place, it does not.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from tsugiki.backbones.known import engine_cache
from tsugiki.classifier.answer import NOT_ESTIMATED, AnswerHead, Floats, Prediction
from tsugiki.classifier.artefact import answer_head_of, damage_told, damaged, read_description
from tsugiki.classifier.predict import predict
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import ArtefactError, RequestError
from tsugiki.core.files import sha256_of
from tsugiki.data.joined_preprocess import preprocess_of, rules_of
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import PixelBatch
from tsugiki.features.engines.joined_engine import JoinedEngines
from tsugiki.features.engines.openvino_engine import OpenVINOEngine, OpenVINONetwork
from tsugiki.features.file_features import features_of_files
from tsugiki.locale.messages import first_few, tr

ENGINE = "engine"
GRAPH, NUMBERS, ANSWER, PARITY = "network.xml", "network.bin", "answer.safetensors", "parity.json"
SCHEMA = 1

FEW = 8
"""Photos: for fewer, one compiled copy with every core at its service is ready sooner."""


@dataclass
class EngineNetwork:
    """The network of an engine folder, which says itself what computes its features: always OpenVINO, in float32.

    Attributes:
        preprocess: From a photo to its input.
        key: The digest that its features are stored under, that of the backbone it was made of.
        num_features: ``D``.
        network: As OpenVINO takes it.
    """

    preprocess: Preprocess
    key: str
    num_features: int
    network: OpenVINONetwork

    def __post_init__(self) -> None:
        self._engines: dict[int, OpenVINOEngine] = {}

    @property
    def parts(self) -> tuple[EngineNetwork, ...]:
        """Itself: it is one."""
        return (self,)

    def choose(self, sample: PixelBatch | None = None, *, exact: bool = True, count: int = 1, like: str = "") -> OpenVINOEngine:
        """The engine for ``count`` photos ``[B, 3, H, W]``; it was compared with PyTorch when the folder was written."""
        del sample, exact, like
        lanes = 1 if count < FEW else usable_cores()
        if lanes not in self._engines:
            self._engines[lanes] = OpenVINOEngine(self.network, precision="float32", lanes=lanes)
        return self._engines[lanes]


@dataclass(frozen=True)
class EnginePredictor:
    """A trained classifier that answers without PyTorch.

    Attributes:
        preprocess: From a photo to the network's input.
        network: What computes features.
        answer_head: What turns features into answers.
        notes: How the classifier was trained, plain values.
    """

    preprocess: Preprocess
    network: EngineNetwork | JoinedEngines
    answer_head: AnswerHead
    notes: dict[str, Any]

    def __repr__(self) -> str:
        return f"<EnginePredictor: {len(self.classes)} classes ({first_few(self.classes)})>"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.answer_head.classes

    @property
    def estimated_temperature(self) -> float | None:
        """The temperature, or ``None`` where none could be estimated in training."""
        return None if self.notes.get("calibration") == NOT_ESTIMATED else self.answer_head.temperature

    def predict(self, photos: Any, *, top: int = 3) -> Prediction | list[Prediction]:
        """Answer for a photo, several, or a folder of them, as :meth:`tsugiki.Classifier.predict` does.

        Args:
            photos: Anything that a classifier takes, but for tensors.
            top: How many classes ``Prediction.top`` names.

        Raises:
            RequestError: When there is no such file or folder, or ``photos`` is something else.
            UnreadablePhoto: When the one photo that was given cannot be read.
        """
        return predict(self, photos, top=top)

    def features_of_files(self, paths: Sequence[Path]) -> tuple[Floats, dict[int, str]]:
        """Exact features ``[B, D]`` of files, and the problems, by position, of those that cannot be read."""
        return features_of_files(self.network, self.preprocess, paths)

    def features_of_pixels(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Features ``[B, D]`` of photos at the network's size, uint8 ``[B, 3, H, W]``."""
        return self.network.choose(count=len(pixels))(pixels)

    def features_of_inputs(self, inputs: Any) -> Floats:
        """None: the network takes pixels ``[B, 3, H, W]`` as they are.

        Raises:
            RequestError: Always.
        """
        raise RequestError(
            tr("An engine answers for photos, not for preprocessed tensors."),
            allowed=tr("a path, a folder, a PIL image, an array, or a list of them"),
            got=type(inputs).__name__,
            cure="tsugiki.Classifier.load(...).predict(...)",
        )

    @classmethod
    def load(cls, run: Path, *, engine: Path | None = None, count: int = 1) -> EnginePredictor:
        """Read the engine of a run folder and make it ready.

        Args:
            run: The run folder.
            engine: Where its engine is instead of in ``run``.
            count: How many photos are to come.

        Raises:
            RequestError: When there is no such folder.
            ArtefactError: When there is no classifier, or no engine of this classifier that can be used.
        """
        description = read_description(run)
        folder = engine or run / ENGINE
        parity = _read_parity(folder, description)
        arrays = _read_answer(folder, parity)
        with damage_told(run):
            preprocess = preprocess_of(description["preprocess"])
            head = answer_head_of(description, arrays)
            if parity["input"][2:] != [*preprocess.size]:
                raise damaged(folder / GRAPH, str(parity["input"]))
            networks = _networks(folder, parity, rules_of(preprocess), head.weight.shape[1])
            network = networks[0] if len(networks) == 1 else JoinedEngines(networks)
            predictor = cls(preprocess, network, head, dict(description["trained"]))
        try:
            network.choose(count=count)
        except ArtefactError:
            raise
        except Exception as error:  # whatever OpenVINO, or its absence, stumbles over
            raise ArtefactError(tr("The engine of {run} does not start here.", run=run), got=_first_line(error)) from error
        return predictor


def _read_parity(folder: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    path = folder / PARITY
    if not path.is_file():
        raise ArtefactError(tr("{run} has no engine.", run=folder.parent))
    try:
        parity = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(parity, dict) or parity.get("schema") != SCHEMA:
        raise damaged(path, tr("another version of the format"))
    if not _is_complete(parity):
        raise damaged(path, tr("values are missing, or of another kind"))
    if parity.get("weights_sha256") != description.get("weights_sha256"):
        raise ArtefactError(tr("The engine of {run} belongs to another classifier.", run=folder.parent))
    if parity.get("preprocess") != description.get("preprocess"):
        raise ArtefactError(tr("The engine of {run} was proven with another preprocessing.", run=folder.parent))
    return parity


def _is_complete(parity: Mapping[str, Any]) -> bool:
    """Whether what is read below is there, and of the kind that it is read as."""
    files, shape = parity.get("files"), parity.get("input")
    return (
        isinstance(files, dict)
        and all(isinstance(files.get(name), str) for name in (GRAPH, NUMBERS, ANSWER))
        and isinstance(shape, list)
        and len(shape) == 4
        and all(isinstance(side, int) and side > 0 for side in shape)
        and isinstance(parity.get("features"), str)
    )


def _read_answer(folder: Path, parity: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    path = folder / ANSWER
    _check(path, parity)
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError, TypeError) as error:
        raise damaged(path, str(error)) from error


def network_names(place: int) -> tuple[str, str]:
    """What the two files of a network are called, the first one's at place 0."""
    if place == 0:
        return GRAPH, NUMBERS
    return f"{Path(GRAPH).stem}-{place + 1}.xml", f"{Path(NUMBERS).stem}-{place + 1}.bin"


def _networks(folder: Path, parity: Mapping[str, Any], rules: Sequence[Preprocess], width: int) -> list[EngineNetwork]:
    """The networks, one for each rule, whose features together are ``width`` numbers.

    Raises:
        ValueError: When the engine has another number of networks, or of features.
    """
    keys, widths = str(parity["features"]).split("+"), [int(each) for each in parity.get("widths", [width])]
    if sum(widths) != width:
        raise ValueError(widths)
    return [
        EngineNetwork(rule, key, own, _network(folder, parity, at, rule))
        for at, (rule, key, own) in enumerate(zip(rules, keys, widths, strict=True))
    ]


def _network(folder: Path, parity: Mapping[str, Any], place: int, rule: Preprocess) -> OpenVINONetwork:
    names = network_names(place)
    digest = engine_cache.key_of(("engine", *(parity["files"][name] for name in names)))

    def check() -> None:  # only where no compiled form of it is kept: that one is named by the same digests
        for name in names:
            _check(folder / name, parity)

    return OpenVINONetwork.read(folder / names[0], (1, 3, *rule.size), digest=digest, check=check)


def _check(path: Path, parity: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise damaged(path, tr("the file is missing"))
    if sha256_of(path) != parity["files"].get(path.name):
        raise damaged(path, tr("its content is not what {name} says", name=PARITY))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
