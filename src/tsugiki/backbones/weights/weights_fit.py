"""Weights into a network: found under whatever key and prefix they lie, compared name by name, and put in without a gap."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.weights.weights_file import State
from tsugiki.locale.messages import tr

_WRAPPERS = ("module.", "_orig_mod.")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$")
_COUNTERS = frozenset({"n_averaged"})  # what an averaged model adds to its weights
_AVERAGED = re.compile(r"ema|teacher|averaged")
_FOLLOWED = re.compile(r"encoder_k|key_encoder|momentum|target|student")


@dataclass
class Misfit:
    """Names that a network and a file do not share.

    Attributes:
        missing: The network needs them, the file lacks them.
        unexpected: The file has them, the network has no place for them.
        misshaped: Both have them, in different shapes.
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshaped)

    def __str__(self) -> str:
        kinds = ((tr("missing"), self.missing), (tr("unexpected"), self.unexpected), (tr("of another shape"), self.misshaped))
        return "; ".join(f"{kind} {len(names)} ({_first(names)})" for kind, names in kinds if names)


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def misfit(network: nn.Module, state: State, *, heads: Iterable[str] = ()) -> Misfit:
    """Compare names and shapes, the classifying layers at the paths ``heads`` left out."""
    needed = network.state_dict()
    prefixes = tuple(f"{path}." for path in heads)
    found = Misfit()
    for name in (*needed, *(name for name in state if name not in needed)):
        if prefixes and name.startswith(prefixes):
            continue
        if name not in state:
            # Counts of batches, absent from old files, matter only to BatchNorm without momentum.
            found.missing += [name] * (not name.endswith("num_batches_tracked"))
        elif name not in needed:
            found.unexpected.append(name)
        elif needed[name].shape != state[name].shape:
            found.misshaped.append(name)
    return found


def readings(network: nn.Module, state: State, *, heads: Iterable[str] = ()) -> Iterator[tuple[str, State]]:
    """The ways in which ``state`` can be read for ``network``: a prefix, and the tensors under it by their names behind it.

    First come the prefixes under which every name is found that the network needs (but for the classifying layers at the
    paths ``heads``): none at all, then averaged networks (a teacher, an EMA), then others, last those that only follow another
    one. Then the whole state without the wrappers of parallel and compiled models.
    """
    plain = _bare({name: tensor for name, tensor in state.items() if name not in _COUNTERS}, getattr(state, "_metadata", None))
    left_out = tuple(f"{path}." for path in heads)
    needed = [
        name
        for name in network.state_dict()
        if not name.endswith("num_batches_tracked") and not (left_out and name.startswith(left_out))
    ]
    for prefix in _prefixes(plain, needed):
        yield prefix, _under(plain, prefix)
    yield "", plain


def _prefixes(state: State, needed: list[str]) -> list[str]:
    if not needed:
        return []
    first = needed[0]
    possible = {name[: -len(first)] for name in state if name == first or name.endswith(f".{first}")}
    whole = [prefix for prefix in possible if all(prefix + name in state for name in needed)]
    return sorted(whole, key=lambda p: (bool(p), not _AVERAGED.search(p), bool(_FOLLOWED.search(p)), len(p), p))


def _under(state: State, prefix: str) -> State:
    if not prefix:
        return state
    found = OrderedDict((name.removeprefix(prefix), tensor) for name, tensor in state.items() if name.startswith(prefix))
    _keep_versions(found, getattr(state, "_metadata", None), prefix)
    return found


def _bare(state: State, versions: Any) -> State:
    for prefix in _WRAPPERS:
        if state and all(name.startswith(prefix) for name in state):
            return _bare(*_without(state, versions, prefix))
    renamed = OrderedDict(
        ("".join(match.groups()) if (match := _OLD_DENSENET.match(name)) else name, tensor) for name, tensor in state.items()
    )
    _keep_versions(renamed, versions)
    return renamed


def _without(state: State, versions: Any, prefix: str) -> tuple[State, Any]:
    kept = versions and {key.removeprefix(prefix): value for key, value in versions.items()}
    return {name.removeprefix(prefix): tensor for name, tensor in state.items()}, kept


def _keep_versions(state: OrderedDict[str, torch.Tensor], versions: Any, prefix: str = "") -> None:
    # Modules look here for the version that wrote their weights (MNASNet refuses to load without one).
    if versions:
        kept = {key.removeprefix(prefix): value for key, value in versions.items()}
        state._metadata = kept  # type: ignore[attr-defined]  # noqa: SLF001


def fill(network: nn.Module, state: State) -> set[str]:
    """Copy every tensor that fits into ``network``, in the network's own precision.

    Returns:
        The names that were filled.
    """
    needed = network.state_dict()
    fitting = OrderedDict((n, t) for n, t in state.items() if n in needed and needed[n].shape == t.shape)
    _keep_versions(fitting, getattr(state, "_metadata", None) or getattr(needed, "_metadata", None))
    network.load_state_dict(fitting, strict=False)
    return set(fitting)


def not_finite(network: nn.Module) -> list[str]:
    """The names of parameters and statistics of ``network`` with a value that is no finite number."""
    parameters = {name for name, _ in network.named_parameters()}
    found = []
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point() or tensor.device.type == "meta":
            continue
        # A buffer may hold infinity on purpose (a mask); weights and statistics never do.
        counts = name in parameters or name.endswith(("running_mean", "running_var"))
        if not bool((tensor.isfinite() if counts else ~tensor.isnan()).all()):
            found.append(name)
    return found
