"""Tables for people: which parameters learn, and what each layer does to the shape.

Letters: ``B`` photos, ``H`` x ``W`` pixels.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tsugiki.core.console import emit
from tsugiki.locale.messages import tr

_COLUMNS = ("input_size", "output_size", "num_params", "trainable")


@dataclass(frozen=True)
class ParameterRow:
    """One parameter: its name, its shape, how many numbers it holds, and whether they learn (``requires_grad``)."""

    name: str
    shape: tuple[int, ...]
    count: int
    trainable: bool


@dataclass(frozen=True, repr=False)
class ParameterTable:
    """Every parameter of a network, in order; ``str()`` draws the table."""

    rows: tuple[ParameterRow, ...]

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return sum(row.count for row in self.rows)

    @property
    def trainable(self) -> int:
        """How many of them learn."""
        return sum(row.count for row in self.rows if row.trainable)

    @property
    def frozen(self) -> int:
        """How many of them do not."""
        return self.total - self.trainable

    def __str__(self) -> str:
        width = max((len(row.name) for row in self.rows), default=4)
        lines = [f"{row.name:<{width}}  {row.trainable!s:<9}  {row.count:>9,}  {list(row.shape)}" for row in self.rows]
        head = f"{'name':<{width}}  {'trainable':<9}  {'count':>9}  shape"
        return "\n".join([head, *lines, self.totals])

    __repr__ = __str__

    @property
    def totals(self) -> str:
        """One line: trainable, frozen and all parameters."""
        return tr(
            "{trainable:,} trainable + {frozen:,} frozen = {total:,} parameters",
            trainable=self.trainable,
            frozen=self.frozen,
            total=self.total,
        )


def parameter_table(model: nn.Module) -> ParameterTable:
    """Every parameter with its name, shape, count and whether it is trainable (the articles' ``requires_grad`` listing).

    Example:
        ``print(parameter_table(model))``
    """
    rows = (ParameterRow(n, tuple(p.shape), p.numel(), p.requires_grad) for n, p in model.named_parameters())
    return ParameterTable(tuple(rows))


@dataclass(frozen=True, repr=False)
class Summary:
    """What torchinfo says about a network; ``str()`` draws its table.

    Attributes:
        statistics: torchinfo's own ``ModelStatistics``.
    """

    statistics: Any

    def __str__(self) -> str:
        # torchinfo writes the names of its own units on newer Pythons: "Units.GIGABYTES" for "G".
        return re.sub(r"Units\.([A-Z])[A-Z]*", r"\1", str(self.statistics))

    __repr__ = __str__

    @property
    def total(self) -> int:
        """All parameters."""
        return int(self.statistics.total_params)

    @property
    def trainable(self) -> int:
        """The parameters that learn."""
        return int(self.statistics.trainable_params)


def summary(
    model: nn.Module,
    input_size: Sequence[int] = (32, 3, 224, 224),
    *,
    col_names: Sequence[str] = _COLUMNS,
    col_width: int = 20,
    row_settings: Sequence[str] = ("var_names",),
    verbose: int = 0,
) -> Summary:
    """The table of torchinfo: for every layer its input and output size, its parameters and whether they are trainable.

    The shapes are worked out on a hollow copy without numbers: the model itself is not run, its mode and its statistics stay as
    they are, and a large batch costs nothing. A network that cannot run without numbers is run once, in evaluation mode.

    Args:
        model: Any network on photos.
        input_size: ``[B, 3, H, W]``.
        col_names: torchinfo's columns.
        col_width: torchinfo's width of each.
        row_settings: torchinfo's way of naming rows.
        verbose: More than 0 also writes the table to standard output.
    """
    style = {"col_names": tuple(col_names), "col_width": col_width, "row_settings": tuple(row_settings)}
    hollow = _hollow_copy(model)
    try:
        statistics = _ask_torchinfo(hollow, torch.empty(tuple(input_size), device="meta"), style)
    except RuntimeError:
        place = next(model.parameters(), torch.empty(0)).device
        statistics = _ask_torchinfo(copy.deepcopy(model), torch.zeros(tuple(input_size), device=place), style)
    table = Summary(statistics)
    if verbose > 0:
        emit(str(table))
    return table


def _hollow_copy(model: nn.Module) -> nn.Module:
    # deepcopy takes what its memo already holds: here each tensor's shape on the meta device instead of its numbers.
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        hollow = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(hollow, requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(model, memo)


def _ask_torchinfo(model: nn.Module, batch: torch.Tensor, style: dict[str, Any]) -> Any:
    import torchinfo

    model.eval()  # a copy: the person's own model stays in its mode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own storage classes, nothing that a person could act on
        return torchinfo.summary(model, input_data=batch, verbose=0, device=batch.device, **style)
