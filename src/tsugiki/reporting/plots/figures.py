"""Figures that need no pyplot: nothing global, nothing to close, and shown where a person expects them.

A ``draw_...`` function of this floor only draws. A ``plot_...`` function draws and shows: in a notebook at once, also in the
middle of a loop, as pyplot does; in a script with pyplot and a window system at ``plt.show()``; elsewhere the returned figure
waits for ``figure.savefig(...)``.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tsugiki.core.files import atomic_path
from tsugiki.data.images.file_type import OWN_PICTURES

# Okabe and Ito's colours: told apart by colour-blind people too. Nothing is said by colour alone.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
GREY = "#666666"

_SCREEN_DPI = 80
_LARGEST_PNG = 60_000


class Picture(Figure):
    """A figure that a notebook shows once per cell, whether it is the cell's value or not."""

    _shown_in: object = None

    def _ipython_display_(self) -> None:
        """Called by IPython for a cell's value."""
        shell = _notebook()
        if shell is not None and self._shown_in != shell.execution_count:
            self._shown_in = shell.execution_count
            _send_to_notebook(self)


def picture(width: float, height: float) -> Picture:
    """An empty figure of ``width`` x ``height`` inches that arranges its parts itself."""
    return Picture(figsize=(width, height), layout="constrained")


def present(figure: Picture) -> Picture:
    """Show ``figure`` where the person is: in the notebook, or in pyplot's next window."""
    if _notebook() is not None:
        figure._ipython_display_()
    elif "matplotlib.pyplot" in sys.modules and _has_windows():
        _hand_to_pyplot(figure)
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write ``figure`` as a PNG file, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata=OWN_PICTURES)


def encoded(figure: Figure) -> tuple[str, bytes]:
    """``figure`` as ``image/png``, or as ``image/jpeg`` where photos would make a PNG large."""
    png = _rendered(figure, "png")
    if len(png) <= _LARGEST_PNG:
        return "image/png", png
    return "image/jpeg", _rendered(figure, "jpeg")


def _rendered(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=_SCREEN_DPI)
    return stream.getvalue()


def _notebook() -> Any:
    """The running notebook's shell, or ``None``: a terminal, a script, or IPython in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


def _send_to_notebook(figure: Picture) -> None:
    from IPython.display import display

    kind, data = encoded(figure)
    display({kind: data, "text/plain": repr(figure)}, raw=True)  # type: ignore[no-untyped-call]


def _has_windows() -> bool:
    from matplotlib.backends.registry import BackendFilter, backend_registry

    return mpl.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE)  # type: ignore[no-untyped-call]


def _hand_to_pyplot(figure: Picture) -> None:
    from matplotlib import pyplot as plt

    try:
        plt.figure(figure)
    except ValueError:
        return  # before matplotlib 3.11 pyplot takes no figure that it did not make; the caller has it all the same
