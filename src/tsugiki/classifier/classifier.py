"""The classifier: a backbone, a head, class names, preprocessing and calibration, as one thing.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``H`` and ``W`` height and width in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import freeze
from tsugiki.backbones.load import load_backbone
from tsugiki.classifier.answer import Unknown
from tsugiki.classifier.prediction import Prediction
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

DEFAULT_BACKBONE = "efficientnet_b0"
"""The backbone of the article that this project began with."""


class Classifier(nn.Module):
    """A pretrained network with a head for one's own classes.

    Args:
        backbone: A name (``efficientnet_b0``, ``timm:mobilenetv2_100``, ``bundled:nae`` ...) or a loaded backbone.
        classes: Names of the ``K`` classes, in the order of the logits.
        weights: ``default``, a named set of weights, a local ``.safetensors`` or ``.pth`` file, or ``none``.
        model_args: Further arguments of the network's constructor.
        preprocess: Instead of the weights' own preprocessing.

    Attributes:
        temperature: Logits are divided by it before they become probabilities.
        unknown: How far is too far from the training photos, or ``None`` before training.
        notes: How the classifier was trained, plain values.

    Raises:
        RequestError: When the classes are fewer than two or named twice, or the backbone has no such name.
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
    ) -> None:
        super().__init__()
        self.classes = _checked(classes)
        if not isinstance(backbone, Backbone):
            backbone = load_backbone(backbone, weights=weights, model_args=model_args)
        self.backbone = backbone
        self.preprocess = preprocess or backbone.preprocess
        self.head = nn.Linear(backbone.num_features, len(self.classes))
        self.temperature = 1.0
        self.unknown: Unknown | None = None
        self.notes: dict[str, Any] = {}
        freeze(self.backbone)
        self.eval()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits ``[B, K]`` of preprocessed photos ``[B, 3, H, W]``."""
        logits: torch.Tensor = self.head(self.backbone.features(inputs))
        return logits

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.head.weight.device

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities ``[B, K]`` of logits ``[B, K]``."""
        return torch.softmax(logits.to(torch.float32) / self.temperature, dim=1)

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
        from tsugiki.classifier.predict import predict

        return predict(self, photos, top=top)

    def save(self, folder: str | Path) -> Path:
        """Write ``classifier.json`` and ``weights.safetensors`` into ``folder``, whole or not at all; returns the folder."""
        from tsugiki.classifier.artefact import save_classifier

        return save_classifier(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """Read a classifier from a run folder; nothing in it is executed.

        Raises:
            RequestError: When there is no such folder.
            ArtefactError: When the folder holds something else, is damaged, or was made by a newer program.
        """
        from tsugiki.classifier.artefact import load_classifier

        return load_classifier(Path(folder), cls)


def _checked(classes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(str(name) for name in classes)
    if isinstance(classes, str) or len(names) < 2 or len(set(names)) < len(names):
        raise RequestError(
            tr("A classifier needs at least two classes, each named once."),
            got=repr(classes) if isinstance(classes, str) else ", ".join(names) or "-",
        )
    return names
