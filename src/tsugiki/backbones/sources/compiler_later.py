"""torchvision and timm imported without PyTorch's compiler, which takes longer than both.

Torchvision's ``ops`` take one function from ``torch._dynamo.utils``, for a question that only networks for detection ask; the
rest of its code is careful to import that package late. So while it is imported a stand-in takes the package's place, which
asks the real one as soon as anything of it is used. One network of timm marks a function as none for the compiler: that is done
by PyTorch's own mark that waits until the function is called.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

_COMPILER = "torch._dynamo.utils"


@contextmanager
def compiler_later() -> Iterator[None]:
    """Within this block importing torchvision does not import PyTorch's compiler."""
    if _COMPILER in sys.modules:
        yield
        return
    stand_in, disable = _StandIn(_COMPILER), torch.compiler.disable
    sys.modules[_COMPILER] = stand_in
    torch.compiler.disable = _disable_when_called
    try:
        yield
    finally:
        torch.compiler.disable = disable
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]


def _disable_when_called(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    del reason  # for the compiler's own log
    return functools.partial(_disable_when_called, recursive=recursive) if fn is None else _mark(fn, recursive)


_mark: Any = getattr(torch, "_disable_dynamo", torch.compiler.disable)  # there is no public one that waits


class _StandIn(ModuleType):
    """In place of the package until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _is_compile_supported if name == "is_compile_supported" else getattr(_real(), name)


def _is_compile_supported(device: Any) -> Any:
    return _real().is_compile_supported(device)


def _real() -> Any:
    if isinstance(sys.modules.get(_COMPILER), _StandIn):
        del sys.modules[_COMPILER]
    return importlib.import_module(_COMPILER)
