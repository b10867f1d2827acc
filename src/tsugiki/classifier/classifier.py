"""The classifier: a backbone, a head, class names, preprocessing and calibration, as one thing.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``H`` and ``W`` height and width in pixels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import nn

from tsugiki.backbones.backbone import Backbone, WeightsOrigin
from tsugiki.backbones.freezing import evaluating
from tsugiki.backbones.joined import spec_of
from tsugiki.backbones.load_backbone import load_backbone, rebuild_backbone
from tsugiki.backbones.weights.learned_photos import learned_by_parts, told_of
from tsugiki.backbones.weights.weights_fit import not_finite
from tsugiki.classifier.answer import NOT_ESTIMATED, AnswerHead, Floats, MultiLabel, Prediction, Unknown, calibrated
from tsugiki.classifier.artefact import (
    UNKNOWN_REFERENCE,
    WEIGHTS,
    damage_told,
    damaged,
    read_description,
    read_multi_label,
    read_temperature,
    read_tree,
    read_unknown,
    read_weights,
    write_artefact,
)
from tsugiki.classifier.engine_writer import Proof, write_engine
from tsugiki.classifier.predict import predict
from tsugiki.core.devices import full_precision
from tsugiki.core.errors import RequestError
from tsugiki.core.methods import done_by
from tsugiki.data.joined_preprocess import preprocess_of, rules_of
from tsugiki.data.label_sets import Task
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.sources.tables.taxonomy_file import GivenTaxonomy, taxonomy_of
from tsugiki.features.file_features import features_of_files
from tsugiki.features.halving import Halving
from tsugiki.locale.messages import tr

DEFAULT_BACKBONE = "efficientnet_b0"
"""The backbone of the article that this project began with."""

_BATCH = 32


class Classifier(nn.Module):
    """A pretrained network with a head for one's own classes.

    Args:
        backbone: A name (``efficientnet_b0``, ``timm:mobilenetv2_100``, ``bundled:nae`` ...), several of them (``A+B``), or a
            loaded backbone.
        classes: Names of the ``K`` classes, in the order of the logits.
        weights: ``default``, a named set of weights, a local ``.safetensors`` or ``.pth`` file, or ``none``.
        model_args: Further arguments of the network's constructor.
        preprocess: Instead of the weights' own preprocessing.
        task: ``single``: each photo is of one class; ``multi``: it may show any number of them.
        taxonomy: What the classes are kinds of: a table ``class,parent``, or the parent of each name. Answers tell the
            probabilities of parents, too, and "at least a bird" where no class is sure.

    Attributes:
        temperature: Logits are divided by it before they become probabilities.
        multi_label: How logits become several labels; ``None`` where each photo is of one class.
        unknown: How far is too far from the training photos, or ``None`` before training.
        taxonomy: What is above the classes (:class:`tsugiki.data.taxonomy.Taxonomy`), where that was given.
        notes: How the classifier was trained, plain values.

    Raises:
        RequestError: When the classes are fewer than two or named twice, the backbone has no such name, or the taxonomy is no
            tree above the classes; or the preprocessing does not fit several backbones.
        WeightsError: When the weights cannot be used.
    """

    def __init__(
        self,
        backbone: str | Backbone = DEFAULT_BACKBONE,
        *,
        classes: Sequence[str],
        weights: str | Path = "default",
        model_args: Mapping[str, Any] | None = None,
        preprocess: Preprocess | None = None,
        task: Task = "single",
        taxonomy: GivenTaxonomy | None = None,
    ) -> None:
        super().__init__()
        self.classes = _checked(classes)
        if task not in get_args(Task):
            raise RequestError(tr("There is no such task."), allowed=", ".join(get_args(Task)), got=repr(task))
        self.multi_label = MultiLabel.fresh(len(self.classes)) if task == "multi" else None
        self.taxonomy = None if taxonomy is None else taxonomy_of(taxonomy, self.classes)
        if not isinstance(backbone, Backbone):
            backbone = load_backbone(backbone, weights=weights, model_args=model_args)
        self.backbone = backbone
        self.preprocess = _fitting(preprocess or backbone.preprocess, backbone)
        self.head = nn.Linear(backbone.num_features, len(self.classes))
        self.temperature = 1.0
        self.unknown: Unknown | None = None
        self.notes: dict[str, Any] = {}
        self.backbone.freeze()
        self.eval()

    @property
    def task(self) -> Task:
        """``multi`` where a photo may show any number of the classes."""
        return "single" if self.multi_label is None else "multi"

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits ``[B, K]`` of preprocessed photos ``[B, 3, H, W]``."""
        logits: torch.Tensor = self.head(self.backbone.features(inputs))
        return logits

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.head.weight.device

    @property
    def network(self) -> Backbone:
        """What computes features: the backbone."""
        return self.backbone

    @property
    def answer_head(self) -> AnswerHead:
        """What turns features into answers, as it is now."""
        weight, bias = (tensor.detach().cpu().float().numpy() for tensor in (self.head.weight, self.head.bias))
        return AnswerHead(self.classes, weight, bias, self.temperature, self.unknown, self.multi_label, self.taxonomy)

    @property
    def estimated_temperature(self) -> float | None:
        """The temperature, or ``None`` where none could be estimated in training."""
        return None if self.notes.get("calibration") == NOT_ESTIMATED else self.temperature

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities ``[B, K]`` of logits ``[B, K]``."""
        plain = logits.detach().cpu().numpy()
        sets = self.multi_label
        answers = calibrated(plain, self.temperature) if sets is None else sets.probabilities(plain)
        return torch.from_numpy(answers).to(logits.device)

    def features_of_files(self, paths: Sequence[Path]) -> tuple[Floats, dict[int, str]]:
        """Exact features ``[B, D]`` of files, and the problems, by position, of those that cannot be read."""
        with evaluating(self):
            return features_of_files(self.backbone, self.preprocess, paths)

    def features_of_pixels(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Features ``[B, D]`` of photos at the network's size, uint8 ``[B, 3, H, W]``."""
        # Bytes travel to a device, not the four times as many of the floats that they become.
        return self.features_of_inputs(self.preprocess.normalise(torch.from_numpy(pixels).to(self.device)))

    def features_of_inputs(self, inputs: torch.Tensor | Sequence[torch.Tensor]) -> Floats:
        """Features ``[B, D]`` of preprocessed photos: a tensor ``[B, 3, H, W]``, or several ``[3, H, W]``."""
        self.backbone.check_precision()
        batch = inputs if isinstance(inputs, torch.Tensor) else torch.stack([*inputs])
        compute = Halving(lambda part: self.backbone.features(part.to(self.device)).float().cpu().numpy())
        with evaluating(self), torch.inference_mode(), full_precision():
            return np.concatenate([compute(part) for part in torch.split(batch, _BATCH)])

    def predict(self, photos: Any, *, top: int = 3) -> Prediction | list[Prediction]:
        """Answer for a photo, several, or a folder of them.

        Args:
            photos: A path to a photo; a folder (every photo below it, in order); a file's content as bytes; a binary file; a
                PIL image; an array ``[H, W, 3]`` uint8; a tensor of preprocessed photos ``[B, 3, H, W]`` or of one
                ``[3, H, W]``; or a list of single photos of any kind, answered in its order.
            top: How many classes ``Prediction.top`` names.

        Returns:
            One prediction for one photo, else a list. In a list or a folder, a photo that cannot be read is answered with a
            prediction that has a ``problem``.

        Raises:
            RequestError: When there is no such file or folder, or ``photos`` is something else.
            UnreadablePhoto: When the one photo that was given cannot be read.
        """
        return predict(self, photos, top=top)

    def explain(self, photo: str | Path, *, label: str | None = None, data: Any = None) -> Any:
        """Why a photo is answered as it is: what the network sees of it, and which parts speak for the answer.

        Args:
            photo: A file.
            label: The class to explain; the answer's when left out.
            data: What the classifier was trained on (a path or ``Samples``): adds the training photos most like this one.

        Returns:
            An explanation: a notebook shows its picture, ``.save("why.png")`` writes it, ``.prediction`` is the answer.

        Raises:
            UnreadablePhoto: When the photo cannot be read.
            UnknownName: When there is no such class.
        """
        return done_by("reporting.plots.explanation_plot:explain_with_neighbours")(self, photo, label=label, data=data)

    def save(self, folder: str | Path, *, overwrite: bool = False, proof: Proof = ()) -> Path:
        """Write the classifier into ``folder``, whole or not at all; returns the folder.

        ``classifier.json`` and ``weights.safetensors`` are the classifier. ``engine/`` is what answers without PyTorch; it is
        left out, and that is said, where it cannot be made or does not answer the same.

        Args:
            folder: Made when it is not there. What else is in it stays.
            overwrite: Whether it may hold another classifier, which is replaced.
            proof: Photos that it has not learned from, to compare the engine's answers on; odd ones are drawn besides. By path
                the features ``[D]`` that each was judged by, where they are known: then PyTorch is not asked again about a
                network that has been proven on this machine.

        Raises:
            RequestError: When it holds another classifier or another one's run, or when the network was changed since it was
                built: it would come back without the change.
        """
        if changed := self.backbone.changed_since_built():
            raise RequestError(
                tr("This network was changed after it was built, and loading would build it without the change."),
                got=", ".join(changed[:6]),
                cure=tr("undo the change, or say it as an argument: load_backbone(NAME, model_args={...})"),
            )
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._state().items()}
        if self.unknown is not None:
            tensors[UNKNOWN_REFERENCE] = torch.from_numpy(np.ascontiguousarray(self.unknown.reference))

        def save_weights(path: Path) -> None:
            save_file(_without_shared_memory(tensors), path, metadata={"format": "pt"})

        place = write_artefact(Path(folder), self._description(), save_weights, overwrite=overwrite)
        write_engine(place, self.backbone, self.preprocess, self.answer_head, photos=proof)
        return place

    def _state(self) -> dict[str, torch.Tensor]:
        """Every number by name, as ``state_dict`` has them; a backbone that is known need not be built for that."""
        own = {f"backbone.{name}": tensor for name, tensor in self.backbone.tensors().items()}
        others = (part.state_dict(prefix=f"{name}.") for name, part in self.named_children() if part is not self.backbone)
        return own | {name: tensor for state in others for name, tensor in state.items()}

    def _description(self) -> dict[str, Any]:
        unknown, sets = self.unknown, self.multi_label
        calibration: dict[str, Any] = {"temperature": self.temperature}
        if sets is not None:
            calibration = {
                "slope": sets.slope.tolist(),
                "offset": sets.offset.tolist(),
                "thresholds": sets.thresholds.tolist(),
            }
        return {
            "task": self.task,
            "classes": list(self.classes),
            "backbone": self.backbone.spec.to_dict(),
            "pretrained": _origins(self.backbone),
            **told_of(self.backbone, self.notes),
            "preprocess": self.preprocess.to_dict(),
            "head": {"kind": "linear", "features": self.head.in_features},
            "calibration": calibration,
            "unknown": unknown and {"threshold": unknown.threshold, "false_reject_rate": unknown.false_reject_rate},
            **({} if self.taxonomy is None else {"taxonomy": self.taxonomy.to_dict()}),
            "trained": self.notes,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """Read a classifier from a run folder; nothing in it is executed.

        Raises:
            RequestError: When there is no such folder.
            ArtefactError: When the folder holds something else, is damaged, or was made by a newer program.
        """
        place = Path(folder)
        description = read_description(place)
        with damage_told(place):
            classifier = cls._rebuilt(description)
            tensors = read_weights(place, description, framework="pt")
            reference = tensors.pop(UNKNOWN_REFERENCE, None)
            known = None if reference is None else reference.to(torch.float16).numpy()
            classifier.unknown = read_unknown(description["unknown"], known, classifier.head.in_features)
        try:
            classifier.load_state_dict(tensors)
        except RuntimeError as error:
            raise damaged(place / WEIGHTS, textwrap.shorten(str(error), 300)) from error
        if broken := not_finite(classifier):
            raise damaged(place / WEIGHTS, tr("values that are no finite numbers in {names}", names=", ".join(broken[:3])))
        return classifier

    @classmethod
    def _rebuilt(cls, description: dict[str, Any]) -> Classifier:
        """The classifier that is described, its numbers still random."""
        preprocess = preprocess_of(description["preprocess"])
        backbone = rebuild_backbone(spec_of(description["backbone"]), preprocess)
        # Where the root was grown stays known however often the classifier is saved and loaded.
        noted = description["pretrained"]
        origins = zip(noted.get("parts", [noted]), learned_by_parts(description), strict=True)
        for part, (origin, learned) in zip(backbone.parts, origins, strict=True):
            part.origin = WeightsOrigin(**origin, learned_from=learned)
        task = description.get("task", "single")
        classifier = cls(backbone, classes=description["classes"], preprocess=preprocess, task=task)
        if task == "multi":
            classifier.multi_label = read_multi_label(description)
        else:
            classifier.temperature = read_temperature(description)
        classifier.taxonomy = read_tree(description)
        classifier.notes = dict(description["trained"])
        return classifier


def _fitting(preprocess: Preprocess, backbone: Backbone) -> Preprocess:
    """The preprocessing, where it has a frame for each of several backbones; one takes any."""
    expected = [rule.size for rule in rules_of(backbone.preprocess)]
    if len(expected) > 1 and [rule.size for rule in rules_of(preprocess)] != expected:
        raise RequestError(
            tr("Several backbones see a photo each in its own frame, and this preprocessing has others."),
            allowed=" + ".join(f"{height} x {width} px" for height, width in expected),
            got=preprocess.describe(),
            cure=tr("load each with its own, and join them: {words}", words="load_backbone(NAME, preprocess=...)"),
        )
    return preprocess


def _origins(backbone: Backbone) -> dict[str, Any]:
    """Where the weights came from, those of each part where there are several, plain values."""
    names = ("label", "sha256", "licence")
    origins = [{name: getattr(part.origin, name) for name in names} for part in backbone.parts]
    return origins[0] if len(origins) == 1 else {"parts": origins}


def _without_shared_memory(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Safetensors stores each tensor once; networks with tied weights get a copy per name."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        separate[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return separate


def _checked(classes: Sequence[str]) -> tuple[str, ...]:
    given: object = classes
    listed = isinstance(given, Iterable) and not isinstance(given, str)
    names = tuple(str(name) for name in classes) if listed else ()
    if len(names) < 2 or len(set(names)) < len(names):
        raise RequestError(
            tr("A classifier needs at least two classes, each named once."),
            got=", ".join(names) or "-" if listed else repr(classes),
        )
    return names
