"""From a photo to the inputs of several networks: each network's own frame, one below the other in one array.

So a photo is decoded once and travels as one thing, and each network still sees what its weights expect.

Letters: ``H`` x ``W`` the whole array, ``h`` x ``w`` one network's input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

Pixels = TypeVar("Pixels", "torch.Tensor", "npt.NDArray[np.uint8]")


@dataclass(frozen=True)
class JoinedPreprocess(Preprocess):
    """Frames for several networks, one below the other. Made by :meth:`of`.

    Attributes:
        parts: What each of the networks expects, in their order. ``size`` is that of all frames together.
    """

    parts: tuple[Preprocess, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Preprocess]) -> JoinedPreprocess:
        """The frames of ``parts``, from top to bottom."""
        size = sum(part.size[0] for part in parts), max(part.size[1] for part in parts)
        # What cannot be said of all is said of the first; whoever asks which pixel is nearest has to know of any.
        nearest = any(part.interpolation == "nearest" for part in parts)
        first = parts[0]
        return cls(
            size=size,
            resize=first.shorter_side,
            fit=first.fit,
            interpolation="nearest" if nearest else first.interpolation,
            mean=first.mean,
            std=first.std,
            parts=tuple(parts),
        )

    def squashed(self) -> JoinedPreprocess:
        """See :meth:`tsugiki.Preprocess.squashed`."""
        return self.of([part.squashed() for part in self.parts])

    def frame(self, photo: Image.Image) -> Image.Image:
        """What the networks see of ``photo`` (mode RGB), one below the other; black beside those that are narrower."""
        whole, top = Image.new("RGB", (self.size[1], self.size[0])), 0
        for part in self.parts:
            whole.paste(part.frame(photo), (0, top))
            top += part.size[0]
        return whole

    def split(self, pixels: Pixels) -> list[Pixels]:
        """Each network's own ``[..., 3, h, w]`` of ``[..., 3, H, W]``."""
        found, top = [], 0
        for part in self.parts:
            height, width = part.size
            found.append(pixels[..., top : top + height, :width])
            top += height
        return found

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 ``[..., 3, H, W]`` to float32 of the same shape, each frame as its network expects it."""
        import torch

        inputs = torch.zeros(pixels.shape, dtype=torch.float32, device=pixels.device)
        for part, own, place in zip(self.parts, self.split(pixels), self.split(inputs), strict=True):
            place.copy_(part.normalise(own))
        return inputs

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; :func:`preprocess_of` reads them."""
        return {"parts": [part.to_dict() for part in self.parts]}

    def describe(self) -> str:
        """One line for the person: each rule once."""
        return " + ".join(dict.fromkeys(part.describe() for part in self.parts))


def preprocess_of(values: Mapping[str, Any]) -> Preprocess:
    """What :meth:`tsugiki.Preprocess.to_dict` has written, of one network or of several.

    Raises:
        RequestError: When values are missing, unknown or impossible.
    """
    if "parts" not in values:
        return Preprocess.from_dict(values)
    parts = values["parts"]
    if not isinstance(parts, list) or len(parts) < 2 or not all(isinstance(part, Mapping) for part in parts):
        raise RequestError(tr("This preprocessing cannot work."), got=f"parts={parts!r}"[:300])
    return JoinedPreprocess.of([Preprocess.from_dict(part) for part in parts])


def frames_in(preprocess: Preprocess, pixels: Pixels) -> list[Pixels]:
    """Each network's own ``[..., 3, h, w]`` of ``[..., 3, H, W]``: all of it where there is one network."""
    return preprocess.split(pixels) if isinstance(preprocess, JoinedPreprocess) else [pixels]


def rules_of(preprocess: Preprocess) -> tuple[Preprocess, ...]:
    """What each network expects: the rule itself where there is one network."""
    return preprocess.parts if isinstance(preprocess, JoinedPreprocess) else (preprocess,)
