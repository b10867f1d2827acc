"""Layers in groups, input side first: what is unfrozen step by step, and given a learning rate of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import nn

FEWEST, MOST = 4, 16


@dataclass(frozen=True)
class LayerGroup:
    """Neighbouring layers.

    Attributes:
        name: The path of the first module in the network, and of the last where there are several.
        modules: The modules.
        own: The parameters: those of the modules, and loose ones such as a class token. One that several groups share is in
            the first of them only.
    """

    name: str
    modules: tuple[nn.Module, ...]
    own: tuple[nn.Parameter, ...]

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter of the group, each once, and none of another group's."""
        return iter(self.own)


@dataclass
class _Piece:
    """A part of the network while it is being divided: modules with their paths, and loose parameters."""

    modules: list[tuple[str, nn.Module]]
    loose: list[nn.Parameter] = field(default_factory=list)

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [*self.loose, *(parameter for _, module in self.modules for parameter in module.parameters())]

    @property
    def size(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters)


def group_layers(network: nn.Module) -> list[LayerGroup]:
    """Divide any network into 4 to 16 groups where its structure allows.

    The largest part is opened until there are enough; norms and other light layers join the part before them; neighbours with
    the fewest parameters are joined while there are too many.
    """
    pieces = [_Piece([("", network)])]
    while len(_joined(pieces)) < FEWEST and (row := _largest_that_opens(pieces)) is not None:
        pieces[row : row + 1] = _open(pieces[row])
    taken: set[nn.Parameter] = set()
    return [_finished(piece, taken) for piece in _joined(pieces)]


def _children(piece: _Piece) -> list[tuple[str, nn.Module]]:
    ((path, module),) = piece.modules
    prefix = f"{path}." if path else ""
    return [(prefix + name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]


def _largest_that_opens(pieces: list[_Piece]) -> int | None:
    rows = [row for row, piece in enumerate(pieces) if _children(piece)]
    return max(rows, key=lambda row: pieces[row].size, default=None)


def _open(piece: _Piece) -> list[_Piece]:
    parts = [_Piece([child]) for child in _children(piece)]
    ((_, module),) = piece.modules
    parts[0].loose = [*piece.loose, *module.parameters(recurse=False)]
    return parts


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    total = sum(piece.size for piece in pieces)
    groups: list[_Piece] = []
    for piece in pieces:
        if groups and _is_one_layer(piece) and piece.size < total / 100:
            _merge(groups, len(groups) - 1, piece)
        else:
            groups.append(_Piece(list(piece.modules), list(piece.loose)))
    while len(groups) > MOST:
        sizes = [group.size for group in groups]
        row = min(range(len(groups) - 1), key=lambda row: sizes[row] + sizes[row + 1])
        _merge(groups, row, groups.pop(row + 1))
    return groups


def _is_one_layer(piece: _Piece) -> bool:
    ((_, module),) = piece.modules
    return sum(1 for part in module.modules() if any(True for _ in part.parameters(recurse=False))) == 1


def _merge(groups: list[_Piece], row: int, piece: _Piece) -> None:
    groups[row].modules += piece.modules
    groups[row].loose += piece.loose


def _finished(piece: _Piece, taken: set[nn.Parameter]) -> LayerGroup:
    paths = [path for path, _ in piece.modules]
    name = paths[0] if len(paths) == 1 else f"{paths[0]}..{paths[-1]}"
    own = tuple(parameter for parameter in dict.fromkeys(piece.parameters) if parameter not in taken)
    taken.update(own)
    return LayerGroup(name or "all", tuple(module for _, module in piece.modules), own)
