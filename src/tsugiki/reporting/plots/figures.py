"""Figures that need no pyplot, shown where a person expects them, and pictures in files.

A ``draw_...`` function of this floor only draws. A ``plot_...`` function draws and shows: in a notebook at once, also in the
middle of a loop; in a script with a window system at ``plt.show()``. Its figure is pyplot's current one, so that
``plt.savefig(...)`` after it saves it, as the articles do; where there are no windows pyplot keeps only the last one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tsugiki.core.console import typed
from tsugiki.core.display.screen import running_notebook
from tsugiki.core.errors import RequestError
from tsugiki.core.files import atomic_path
from tsugiki.data.images.file_type import OWN_PICTURES
from tsugiki.locale.messages import tr

# Okabe and Ito's colours: told apart by colour-blind people too. Nothing is said by colour alone.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
GREY = "#666666"

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".pdf": "pdf", ".svg": "svg"}
"""What a picture is written as, by the ending of its name."""

_FILE_DPI = 120
_SCREEN_DPI = 80
_LARGEST_PNG = 60_000


class Picture(Figure):
    """A figure that a notebook shows once per cell, whether it is the cell's value or not."""

    _shown_in: object = None

    def _ipython_display_(self) -> None:
        """Called by IPython for a cell's value."""
        shell = running_notebook()
        cell = shell and shell.get_parent().get("header", {}).get("msg_id")
        if shell is not None and self._shown_in != cell:
            self._shown_in = cell
            _send_to_notebook(self)


def picture(width: float, height: float) -> Picture:
    """An empty figure of ``width`` x ``height`` inches that arranges its parts itself."""
    return Picture(figsize=(width, height), layout="constrained")


def present(figure: Picture) -> Picture:
    """Show ``figure`` where the person is: in the notebook, or in pyplot's next window."""
    _hand_to_pyplot(figure)
    if running_notebook() is not None:
        figure._ipython_display_()
    return figure


def check_picture(path: Path, photos: Iterable[Path] = ()) -> Path:
    """Refuse, before anything is computed, what no picture can be written into.

    Args:
        path: The file that is asked for.
        photos: Files that the picture must not replace.

    Returns:
        The path.

    Raises:
        RequestError: When its ending names no format, a folder is there, or one of the photos.
    """
    photo = path.exists() and any(each.exists() and path.samefile(each) for each in photos)
    if path.suffix.lower() in _FORMATS and not photo and (path.is_file() or not path.exists()):
        return path
    other = (
        path / "picture.png"
        if path.is_dir()
        else path.with_name(f"{path.stem}-drawn.png")
        if photo
        else path.with_suffix(".png")
    )
    raise RequestError(
        tr("The picture cannot be written into {path}.", path=path),
        allowed=tr("a file of its own whose name ends in one of {endings}", endings=", ".join(_FORMATS)),
        got=_in_the_way(path, photo=photo),
        cure=tr("name another file, as {path}", path=typed(other)),
    )


def _in_the_way(path: Path, *, photo: bool) -> str:
    if path.is_dir():
        return tr("a folder")
    if photo:
        return tr("a photo, which would be lost")
    return repr(path.name) if path.is_file() or not path.exists() else tr("no regular file")


def save_picture(figure: Figure, path: Path) -> None:
    """Write ``figure`` in the format that the ending of ``path`` names, whole or not at all.

    Raises:
        RequestError: When its ending names no format, or a folder is there.
    """
    kind = _FORMATS[check_picture(path).suffix.lower()]
    with atomic_path(path) as temporary:
        # Its own pictures are known again, and never taken for photos; only PNG has a place for that.
        figure.savefig(temporary, format=kind, dpi=_FILE_DPI, metadata=OWN_PICTURES if kind == "png" else None)


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


def _send_to_notebook(figure: Picture) -> None:
    from IPython.display import display

    kind, data = encoded(figure)
    display({kind: data, "text/plain": repr(figure)}, raw=True)  # type: ignore[no-untyped-call]


def _has_windows() -> bool:
    from matplotlib.backends.registry import BackendFilter, backend_registry

    return mpl.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE)  # type: ignore[no-untyped-call]


def _hand_to_pyplot(figure: Picture) -> None:
    from matplotlib import pyplot as plt

    if not _has_windows():  # nobody closes what nobody sees
        for number in plt.get_fignums():
            if isinstance(plt.figure(number), Picture):
                plt.close(number)
    try:
        plt.figure(figure)
    except ValueError:
        return  # before matplotlib 3.11 pyplot takes no figure that it did not make; the caller has it all the same
