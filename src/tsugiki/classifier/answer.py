"""Photos unlike anything seen in training: "not sure" instead of a confident wrong answer.

The distance of a photo is the cosine distance of its feature vector to the nearest training photo's (Sun et al., 2022, "Out-of-
Distribution Detection with Deep Nearest Neighbors"). A photo farther away than the threshold is unknown.

Letters: ``B`` photos, ``D`` feature width, ``M`` reference photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

NOT_ESTIMATED = "not estimated"
"""What a run's notes say of its calibration where there were no photos to estimate it on."""

MOST_REFERENCES = 5_000
"""Training photos that "unlike anything seen" is measured against."""


@dataclass(frozen=True)
class Unknown:
    """The training photos' features and the distance beyond which a photo is unknown.

    Attributes:
        reference: ``[M, D]``, each row of length 1.
        threshold: Cosine distance, in [0, 2].
        false_reject_rate: The share of photos like the training photos that is called unknown by mistake.
    """

    reference: torch.Tensor
    threshold: float
    false_reject_rate: float

    @classmethod
    def from_features(cls, features: torch.Tensor, threshold: float, *, false_reject_rate: float = 0.05) -> Unknown:
        """Build the reference from training features ``[M, D]`` of any length."""
        rows = torch.nn.functional.normalize(features.to(torch.float32), dim=1)
        # Half the bytes on disk; the distance moves by less than 0.001.
        return cls(rows.to(torch.float16), threshold, false_reject_rate)

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        """Cosine distance ``[B]`` of ``features`` ``[B, D]`` to the nearest reference photo."""
        rows = torch.nn.functional.normalize(features.to(torch.float32), dim=1)
        reference = self.reference.to(rows.device, torch.float32)
        nearest = torch.full((len(rows),), -1.0, device=rows.device)
        for block in torch.split(reference, 65_536):  # bounded memory with many references
            nearest = torch.maximum(nearest, (rows @ block.T).amax(dim=1))
        return 1 - nearest
