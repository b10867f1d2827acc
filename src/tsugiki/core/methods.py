"""Methods for convenience whose work is done on a floor above: ``run.save(...)`` is ``save_run(run, ...)``.

Floors import downward only, and a run knows nothing of reports. What reads well after a dot is looked up by name when it is
called, here and nowhere else, so that no module depends on what is above it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any


def done_by(place: str) -> Callable[..., Any]:
    """The function that does a method's work.

    Args:
        place: ``module:name`` inside the package, as ``reporting.run_folder:save_run``.
    """
    function: Callable[..., Any] = pkgutil.resolve_name(f"tsugiki.{place}")
    return function
