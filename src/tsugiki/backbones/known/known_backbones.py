"""Backbones that this machine has seen: what they are is kept, and their network is built only when somebody touches it.

Building a network imports the library that it comes from, which takes longer than to read its features from a converted form.
A backbone that was loaded before is known by the digest of its file of weights, its architecture and arguments, its
preprocessing and the versions of the libraries. What is kept lies in the engine cache (``engine_cache.py``), where what is
damaged counts as never seen. Where the library is in use already nothing is saved, and the network is built at once.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from tsugiki.backbones.backbone import Backbone, BackboneSpec, WeightsOrigin
from tsugiki.backbones.known import engine_cache
from tsugiki.backbones.sources.base import Recipe
from tsugiki.backbones.stages import StagedBody
from tsugiki.backbones.weights.weights_file import digest_of, names_a_file
from tsugiki.core.console import quiet
from tsugiki.core.errors import WeightsError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

_FORM = 2
"""Goes up whenever the same name and file become another backbone than before, or more or less is kept of it."""

_LIBRARIES = ("tsugiki", "torch", "torchvision", "timm", "transformers")
_CATALOGUES = ("torchvision", "timm")  # whose names are found out by importing them
_TOLD = frozenset({"spec", "preprocess", "origin", "num_features", "training"})
_ASLEEP = ("_card", "_place", "_build", "_is_frozen")
_one_wakes = threading.RLock()
_OF_THE_NETWORK = (frozenset(vars(nn.Module())) | {"body", "_as_built", "_cut_off"}) - {"training"}


@dataclass(frozen=True)
class Card:
    """What is kept of a backbone.

    Attributes:
        num_features: ``D``.
        num_parameters: How many numbers could learn.
        key: Its digest, :meth:`tsugiki.backbones.backbone.Backbone.key`.
        licence: Of the weights, as their file or their publisher says; not what a person has written about them.
        reading: What was said of where in the file the weights lie.
    """

    num_features: int
    num_parameters: int
    key: str
    licence: str
    reading: dict[str, Any]


class KnownBackbone(Backbone):
    """A backbone that was seen before: it becomes a plain :class:`Backbone`, frozen or not, as soon as its network is needed.

    Whatever belongs to a module of PyTorch (parameters, layers, hooks) is missing until then, and asking for it builds it.

    Args:
        card: What is kept of it.
        place: Its name in the engine cache.
        spec: What it is.
        preprocess: From a photo to its input.
        origin: Where the weights came from.
        build: Gives the same backbone with its network.
    """

    def __init__(
        self,
        card: Card,
        place: str,
        *,
        spec: BackboneSpec,
        preprocess: Preprocess,
        origin: WeightsOrigin,
        build: Callable[[], Backbone],
    ) -> None:
        vars(self).update(spec=spec, preprocess=preprocess, origin=origin, num_features=card.num_features, training=False)
        vars(self).update(_card=card, _place=place, _build=build, _is_frozen=False)

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_THE_NETWORK:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.wake(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _TOLD:
            vars(self)[name] = value
        else:
            setattr(self.wake(), name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.wake().__reduce_ex__(protocol)

    def wake(self) -> Backbone:
        """Build the network; afterwards this object is a plain backbone.

        Raises:
            WeightsError: When the file of weights has changed or gone meanwhile.
        """
        with _one_wakes:
            if "_card" not in vars(self):  # another thread was first
                return self
            with quiet():  # what is to be said of the file was said when the backbone was loaded
                built = self._build()
            if built.key() != self._card.key:
                engine_cache.drop(self._place)
                raise WeightsError(
                    tr("{name} is no longer the network that this machine has seen before.", name=self.spec),
                    cure=tr("run the same command again"),
                )
            if self._is_frozen:
                built.freeze()
            own = vars(self)
            own.update({name: value for name, value in vars(built).items() if name not in own})
            object.__setattr__(self, "__class__", Backbone)
            for name in _ASLEEP:
                del own[name]
            return self

    def train(self, mode: bool = True) -> Self:
        """See PyTorch; a network that is not there is in evaluation mode."""
        if mode:
            self.wake().train()
        return self

    @property
    def device(self) -> torch.device:
        """The processor: whoever moves the backbone has its network built."""
        return torch.device("cpu")

    @property
    def num_parameters(self) -> int:
        """How many numbers could learn."""
        return int(self._card.num_parameters)

    def key(self) -> str:
        """A digest of the architecture and of every parameter and buffer."""
        return str(self._card.key)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every parameter and buffer by name, for reading only."""
        content = engine_cache.kept(f"{self._place}.weights")
        try:
            return self.wake().tensors() if content is None else load(content)
        except SafetensorError:  # whole, but of another kind
            return self.wake().tensors()

    def freeze(self) -> None:
        """See :func:`tsugiki.backbones.freeze`; a network that is built later is frozen then."""
        vars(self)["_is_frozen"] = True

    def check_precision(self) -> None:
        """Nothing: networks are built in float32."""

    def changed_since_built(self) -> list[str]:
        """Nothing: there is no network that could have been changed."""
        return []


def is_asleep(backbone: Backbone) -> bool:
    """Whether a backbone's network was not built in this process."""
    return isinstance(backbone, KnownBackbone)


def known_recipe(name: str, weights: str, model_args: dict[str, Any]) -> Recipe | None:
    """How to make a backbone of a library that need not be asked for it; ``None`` where it has to be."""
    if any(library in sys.modules for library in _CATALOGUES):
        return None
    kept = engine_cache.kept_json(_recipe_place(name, weights, model_args))
    if kept is None:
        return None
    recipe = Recipe(
        BackboneSpec(**kept["spec"]), Preprocess.from_dict(kept["preprocess"]), None, kept["label"], kept["licence"]
    )
    if names_a_file(weights):
        return recipe.with_file(Path(weights))
    path = Path(kept["file"])
    return replace(recipe, fetch=lambda: path) if path.is_file() else None


def keep_recipe(name: str, weights: str, model_args: dict[str, Any], recipe: Recipe) -> None:
    """Keep how a name of a library is made into a backbone; names of other sources are found out without importing much."""
    if recipe.spec.source in _CATALOGUES and recipe.fetch is not None:
        kept = {"spec": recipe.spec.to_dict(), "preprocess": recipe.preprocess.to_dict(), "label": recipe.label}
        kept |= {"licence": recipe.licence, "file": "" if names_a_file(weights) else str(recipe.fetch().absolute())}
        engine_cache.keep_json(_recipe_place(name, weights, model_args), kept)


def known_backbone(recipe: Recipe, preprocess: Preprocess, make: Callable[[], Backbone]) -> tuple[KnownBackbone, Card] | None:
    """The backbone of a recipe without its network, where it was seen before and its library is not in use.

    Args:
        recipe: What to build, and from which file of weights.
        preprocess: From a photo to its input.
        make: Gives the backbone with its network.
    """
    if recipe.fetch is None or recipe.spec.architecture.partition(":")[0] in sys.modules:
        return None
    weights = recipe.fetch()
    if not weights.is_file() or weights.stat().st_size > engine_cache.MOST:  # nothing so large is kept, nor read for nothing
        return None
    sha256 = digest_of(weights)
    place = _place(recipe, preprocess, sha256)
    kept = engine_cache.kept_json(place) if sha256 else None
    if kept is None:
        return None
    card = Card(**kept)
    origin = WeightsOrigin(recipe.label, sha256, card.licence)
    return KnownBackbone(card, place, spec=recipe.spec, preprocess=preprocess, origin=origin, build=make), card


def keep_backbone(recipe: Recipe, backbone: Backbone, reading: dict[str, Any]) -> None:
    """Keep what a backbone is that was loaded from a file and works, so that the next process need not build it."""
    if not backbone.origin.sha256 or not _is_of_libraries(backbone):
        return
    place = _place(recipe, backbone.preprocess, backbone.origin.sha256)
    card = Card(backbone.num_features, backbone.num_parameters, backbone.key(), backbone.origin.licence, reading)
    if engine_cache.kept_json(place) == asdict(card):
        return
    tensors = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in backbone.tensors().items()}
    engine_cache.keep(f"{place}.weights", save(tensors))
    engine_cache.keep_json(place, asdict(card))


def _recipe_place(name: str, weights: str, model_args: dict[str, Any]) -> str:
    asked = (name, "a file" if names_a_file(weights) else weights, sorted(model_args.items()))
    return f"{engine_cache.key_of(('recipe', _FORM, asked, _versions()))}.recipe"


def _place(recipe: Recipe, preprocess: Preprocess, sha256: str) -> str:
    parts = (recipe.spec.to_dict(), preprocess.to_dict(), sha256, _versions())
    return f"{engine_cache.key_of(('backbone', _FORM, *parts))}.backbone"


@functools.cache
def _versions() -> tuple[str, ...]:
    return tuple(_version(library) for library in _LIBRARIES)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _is_of_libraries(backbone: Backbone) -> bool:
    """Whether the network is a library's own: one that a person's program has registered may be another one tomorrow."""
    library, _, name = backbone.spec.architecture.partition(":")
    makers = {type(part).__module__ for part in backbone.body.modules()} - {Backbone.__module__, StagedBody.__module__}
    if library == "timm":
        makers.add(importlib.import_module("timm.models").model_entrypoint(name.partition(".")[0]).__module__)
    if library == "torchvision":
        makers.add(importlib.import_module("torchvision.models").get_model_builder(name).__module__)
    return all(maker.partition(".")[0] in _LIBRARIES for maker in makers)
