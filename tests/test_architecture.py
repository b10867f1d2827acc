"""The map of the house names only what is there, and every folder of it."""

import re
from pathlib import Path

import pytest

import tsugiki

ROOT = Path(__file__).parents[1]
SOURCE = Path(tsugiki.__file__).parent
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w./-]+/[\w./-]*)`", MAP))))
def test_every_path_on_the_map_is_there(named):
    assert (SOURCE / named).exists() or (ROOT / named).exists()


def test_the_map_has_every_floor_in_order():
    assert tuple(re.findall(r"^\| `(\w+)/` \|", MAP, re.MULTILINE)) == tsugiki.FLOORS


def test_every_step_of_the_way_is_where_the_map_says():
    steps = re.findall(r"^\| [^|]+ \| `(\w+)` \| `([\w/.]+)` \|", MAP, re.MULTILINE)
    assert len(steps) == 9
    for function, file in steps:
        assert f"\ndef {function}(" in (SOURCE / file).read_text(encoding="utf-8"), f"{file} has no {function}"
