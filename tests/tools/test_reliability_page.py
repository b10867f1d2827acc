"""The page of reliability says what the attacks have counted, and no fault."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

pytest.importorskip("cv2")
pytest.importorskip("imagecodecs")
pytest.importorskip("tifffile")

from tools.attack.outcome import is_fault
from tools.attack.records import kept
from tools.reliability_page import PAGE, page


def test_the_page_is_made_from_the_counts():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.reliability_page"


def test_what_was_counted_holds_no_fault():
    records = kept()
    assert records
    for what, record in records.items():
        faults = {name: count for name, count in record["counts"].items() if is_fault(name)}
        assert faults or what == "many", what  # of which only time and memory are counted
        assert not any(faults.values()), (what, faults)
