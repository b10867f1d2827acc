"""Attack the program and print what was counted."""

from __future__ import annotations
