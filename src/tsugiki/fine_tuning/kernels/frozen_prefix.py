"""Partial unfreezing: the activations below the lowest learning layer are computed once per view and kept on disk.

Views must repeat for that, so each photo has a fixed number of random views, one per epoch in turn; the first epochs fill the
store, every later one runs the suffix only.

How a network is cut: its own forward runs on, but every module before the cut answers at once with what it answered to one
example photo, and the first learning module reads the stored activations instead of its input. That holds for any network
whose layers above the cut read nothing else from below it; whether it does is tried out before it is used.

Letters: ``N`` photos, ``B`` photos of a batch, ``V`` views.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.freezing import evaluating
from tsugiki.core.console import progress
from tsugiki.fine_tuning.kernels.replace_modules import module_hooks, replace_modules
from tsugiki.locale.messages import tr

_CHUNK = 32


class _Cut(Exception):
    """No error: the way out of a forward pass."""

    def __init__(self, activations: Any) -> None:
        super().__init__()
        self.activations = activations


def _copied(answer: Any) -> Any:
    return answer.clone() if isinstance(answer, torch.Tensor) else answer


def _remembering(module: nn.Module, answer: Any) -> nn.Module:
    """A frozen module's stand-in before the cut: has its attributes, and answers what it answered to the example."""
    stand_in = copy.copy(module)
    # Fresh each time: what comes next may work in place.
    stand_in.forward = lambda *_inputs, **_named: _copied(answer)
    return stand_in


class Entry(nn.Module):
    """The first learning module: reads the activations that lie in ``slot`` instead of its input."""

    def __init__(self, module: nn.Module, slot: list[torch.Tensor]) -> None:
        super().__init__()
        self.module, self._slot = module, slot

    def forward(self, _input: Any, *further: Any, **named: Any) -> Any:
        """The module's answer to the activations."""
        return self.module(self._slot[0], *further, **named)


class Suffix(nn.Module):
    """The part of a body from the cut on: activations to features."""

    def __init__(self, body: nn.Module, slot: list[torch.Tensor], example: torch.Tensor) -> None:
        super().__init__()
        self.body = body
        self._slot, self._example = slot, example

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Features of activations ``[B, ...]``."""
        self._slot.append(activations)
        try:
            features: torch.Tensor = self.body(self._example)
        finally:
            self._slot.clear()
        return features


class Prefix:
    """The part of a body before the cut: photos to activations.

    Args:
        body: The whole network.
        entry: Path of the first learning module.
    """

    def __init__(self, body: nn.Module, entry: str) -> None:
        self._body, self._entry = body, entry

    @torch.no_grad()
    def __call__(self, photos: torch.Tensor) -> torch.Tensor:
        """Activations ``[B, ...]`` of photos ``[B, 3, H, W]``, in evaluation mode; the pass ends at the cut."""
        handle = self._body.get_submodule(self._entry).register_forward_pre_hook(_leave)
        try:
            with evaluating(self._body):
                self._body(photos)
        except _Cut as cut:
            activations: torch.Tensor = cut.activations
            return activations
        finally:
            handle.remove()
        raise RuntimeError(f"{self._entry} was not called")


def _leave(_module: nn.Module, inputs: Any) -> None:
    raise _Cut(inputs[0] if inputs else None)


def cut(body: nn.Module, learning: Sequence[nn.Module], example: torch.Tensor) -> tuple[Prefix, Suffix] | None:
    """Cut ``body`` below the first of the ``learning`` modules.

    Args:
        body: Left as it is; the suffix shares its modules.
        learning: The modules that learn.
        example: Photos ``[B, 3, H, W]``, two or more, to cut with and to prove that prefix and suffix together are the body.

    Returns:
        Prefix and suffix, or ``None`` where nothing lies before the cut or the network cannot be cut there.
    """
    with evaluating(body), torch.no_grad():
        return _proved(body, learning, example)


def _proved(body: nn.Module, learning: Sequence[nn.Module], example: torch.Tensor) -> tuple[Prefix, Suffix] | None:
    entry_path, answers = _trace(body, learning, example[:1])
    if not answers:
        return None
    prefix = Prefix(body, entry_path)
    slot: list[torch.Tensor] = []
    entry = Entry(body.get_submodule(entry_path), slot)
    stand_ins = {path: _remembering(body.get_submodule(path), answer) for path, answer in answers.items()}
    suffix = Suffix(replace_modules(body, {**stand_ins, entry_path: entry}).eval(), slot, example[:1])
    activations = prefix(example)
    if not isinstance(activations, torch.Tensor) or len(activations) != len(example):
        return None
    try:
        same = torch.equal(suffix(activations), body(example))
    except RuntimeError:  # shapes that do not meet: the network's forward does more than call its modules in turn
        return None
    return (prefix, suffix) if same else None


def _trace(body: nn.Module, learning: Sequence[nn.Module], photo: torch.Tensor) -> tuple[str, dict[str, Any]]:
    """The path of the first learning module that is called, and what the modules that end before it answer, outermost only."""
    wanted = {id(module) for module in learning}
    first: list[str] = []
    answers: dict[str, Any] = {}

    def before(path: str, module: nn.Module, _inputs: Any, _output: Any) -> None:
        if id(module) in wanted and not first:
            first.append(path)

    def after(path: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if not first:
            answers[path] = _copied(output)

    with module_hooks(body, before, after):
        body(photo)
    if not first:
        return "", {}
    return first[0], {path: answer for path, answer in answers.items() if not _inside_another(path, answers)}


def _inside_another(path: str, answers: dict[str, Any]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:length]) in answers for length in range(1, len(parts)))


class ActivationStore:
    """Activations of ``V`` views of ``N`` photos in one memory-mapped file.

    Args:
        file: Where.
        views: ``V``.
        photos: ``N``.
        one: Activations ``[1, ...]`` of one photo, for shape and type.
    """

    def __init__(self, file: Path, *, views: int, photos: int, one: torch.Tensor) -> None:
        self._values = torch.from_file(str(file), shared=True, size=views * photos * one.numel(), dtype=one.dtype)
        self._values = self._values.view(views, photos, *one.shape[1:])
        self._full = [False] * views

    @staticmethod
    def bytes_for(*, views: int, photos: int, one: torch.Tensor) -> int:
        """How large the file becomes, by the activations ``[1, ...]`` of ``one`` photo."""
        return views * photos * one.numel() * one.element_size()

    def fill(self, view: int, activations_of: Callable[[list[int]], torch.Tensor]) -> None:
        """Compute ``view`` of every photo, unless that was done.

        Always in the same batches, whatever the order of the epoch is: a batch of another size may round differently, and a
        resumed run must not.
        """
        if self._full[view]:
            return
        photos = self._values.shape[1]
        with progress(tr("Computing the frozen layers once"), photos) as tick:
            for start in range(0, photos, _CHUNK):
                rows = list(range(start, min(start + _CHUNK, photos)))
                self._values[view, start : start + len(rows)] = activations_of(rows).cpu()
                tick(len(rows), "")
        self._full[view] = True

    def read(self, view: int, rows: Sequence[int]) -> torch.Tensor:
        """Activations ``[B, ...]`` of ``rows``."""
        return self._values[view, list(rows)]
