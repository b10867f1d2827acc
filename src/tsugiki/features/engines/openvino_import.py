"""The one door to OpenVINO. Whoever imports it plainly reports that to its maker; a test holds that nobody here does.

``import openvino`` starts a forked process that asks an address on the internet and writes a client number into the home
folder. It goes through a package of its own, ``openvino_telemetry``; where that cannot be imported OpenVINO uses a stub that
does nothing. So the package is made impossible to import before OpenVINO is, for the rest of the process and whatever it forks.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_TELEMETRY = "openvino_telemetry"


def openvino_module(name: str) -> Any:
    """OpenVINO, or a module inside it, which from now on tells nobody anything.

    Args:
        name: ``openvino``, or ``openvino.frontend``.

    Raises:
        ImportError: When it is not installed, or does not start on this machine.
    """
    # A caller's own program may have imported OpenVINO, and with it the package, already: what it uses is left to it.
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]  # how Python says that a name cannot be imported
    return importlib.import_module(name)
