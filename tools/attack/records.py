"""The counts that attacks have printed, kept for docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "benchmarks" / "results" / "reliability.json"


def kept() -> dict[str, dict[str, Any]]:
    """By what was attacked: how, and what was counted."""
    return json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {}


def keep(what: str, how: str, counts: Mapping[str, int]) -> None:
    """Replace what was counted before."""
    records = kept() | {what: {"how": how, "counts": dict(counts)}}
    RECORDS.write_text(json.dumps(dict(sorted(records.items())), indent=2) + "\n", encoding="utf-8")
