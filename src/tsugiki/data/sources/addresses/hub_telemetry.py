"""The Hugging Face Hub is asked for files and told nothing about this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tsugiki.core.threads import SharedSetting


@contextlib.contextmanager
def _made_silent() -> Iterator[None]:
    from huggingface_hub import constants

    told = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = told


without_telemetry = SharedSetting(_made_silent)
"""Within this block the hub is asked for the file and told nothing of what else is installed or runs here."""
