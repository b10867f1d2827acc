"""Weights on disk: read without running code, and put into a network without a silent gap."""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from tsugiki.core.errors import WeightsError
from tsugiki.core.files import sha256_of
from tsugiki.locale.messages import tr

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")

State = Mapping[str, torch.Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")
_PREFIXES = ("module.", "_orig_mod.")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$")


@dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        name: The file's name, without its folder.
        state: Tensors by name.
        sha256: Of the file's content.
        licence: As the file itself says; empty where it says nothing.
    """

    name: str
    state: State
    sha256: str
    licence: str = ""


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


def read_weights(path: Path) -> WeightsFile:
    """Read a file of weights; no code in it is ever run.

    Raises:
        WeightsError: When it does not exist, is damaged, holds no weights or would run code.
    """
    if not path.is_file():
        raise WeightsError(tr("There is no file of weights {path}.", path=path), allowed=", ".join(SUFFIXES))
    state, licence = _read_safetensors(path) if path.suffix == ".safetensors" else (_read_pickle(path), "")
    return WeightsFile(path.name, state, sha256_of(path), licence)


def _read_safetensors(path: Path) -> tuple[State, str]:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    return _bare(state), metadata.get("license") or metadata.get("licence") or ""


def _read_pickle(path: Path) -> State:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats; whether the file can be used is said below
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) or "invalid load key" in str(error):
            raise _damaged(path, error) from error
        raise WeightsError(
            tr("{path} holds more than weights: opening it could run a program, so it was not opened.", path=path),
            allowed=tr("files of plain tensors"),
            cure=tr("save it again with torch.save(model.state_dict(), FILE), or as .safetensors"),
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    state = _unwrapped(loaded)
    if not state:
        raise WeightsError(tr("{path} holds no weights.", path=path), got=type(loaded).__name__)
    return _bare(state)


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(
        tr("{path} is damaged or no file of weights.", path=path),
        got=reason[:200],
        cure=tr("delete it and fetch it again"),
    )


def _unwrapped(loaded: object) -> State:
    if not isinstance(loaded, Mapping):
        return {}
    for key in _WRAPPERS:
        if isinstance(loaded.get(key), Mapping):
            return _unwrapped(loaded[key])
    return loaded if all(isinstance(value, torch.Tensor) for value in loaded.values()) else {}


def _bare(state: State) -> State:
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _bare(_renamed(state, {name: name.removeprefix(prefix) for name in state}))
    return _renamed(state, {name: "".join(match.groups()) for name in state if (match := _OLD_DENSENET.match(name))})


def _renamed(state: State, names: Mapping[str, str]) -> State:
    renamed = OrderedDict((names.get(name, name), tensor) for name, tensor in state.items())
    _keep_versions(renamed, getattr(state, "_metadata", None))
    return renamed


def _keep_versions(state: OrderedDict[str, torch.Tensor], versions: Any) -> None:
    # Modules look here for the version that wrote their weights (MNASNet refuses to load without one).
    if versions is not None:
        state._metadata = versions  # type: ignore[attr-defined]  # noqa: SLF001


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


def names_a_file(weights: str) -> bool:
    """Whether ``weights`` is meant as a local file and not as the name of a set."""
    return weights.endswith(SUFFIXES) or "/" in weights or "\\" in weights or Path(weights).is_file()
