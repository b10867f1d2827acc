"""The door to a trained classifier's answers: its engine, which needs no PyTorch, where it has one; else PyTorch."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tsugiki.core.console import say
from tsugiki.core.errors import ArtefactError
from tsugiki.locale.messages import in_a_row, tr

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.classifier.engine_predictor import EnginePredictor

MANY = 48
"""Photos: from here on a graphics processor is worth waiting for PyTorch."""


def load_predictor(run: str | Path, *, device: str | None = None, count: int = 1) -> EnginePredictor | Classifier:
    """Read a trained classifier to ask it, not to train it: without PyTorch where its run folder has an engine.

    Args:
        run: A run folder.
        device: Where to compute. Left out or ``cpu``: the engine, on the processor. Another one: PyTorch, on that device.
        count: How many photos are to come. For many PyTorch is used where this machine seems to have a graphics processor.

    Returns:
        The engine, or, where the run has none that can be used here, the classifier itself; that is said in a line.

    Raises:
        RequestError: When there is no such folder or device.
        ArtefactError: When the folder holds no classifier, or is damaged.
    """
    folder = Path(run)
    if device in (None, "auto", "cpu") and not (device != "cpu" and count >= MANY and _seems_accelerated()):
        from tsugiki.classifier.engine_predictor import EnginePredictor

        try:
            return EnginePredictor.load(folder, count=count)
        except ArtefactError as error:
            classifier = _by_torch(folder, device)
            reason = f"{error.what} ({error.got})" if error.got else error.what
            say(in_a_row(reason, tr("PyTorch answers, which takes seconds longer to begin.")))
            return classifier
    return _by_torch(folder, device)


def _by_torch(folder: Path, device: str | None) -> Classifier:
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.core.devices import pick_device

    return Classifier.load(folder).to(pick_device(device))


def _seems_accelerated() -> bool:
    """Whether this machine seems to have a processor that PyTorch would prefer; asking PyTorch itself would take a second."""
    here = Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists() or sys.platform == "darwin"
    return here and importlib.util.find_spec("torch") is not None
