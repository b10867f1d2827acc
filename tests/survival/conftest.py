"""The program, run in the process of the tests; and the attacks, which are tools."""

import sys
from pathlib import Path

from tests.cli.conftest import tsu

sys.path.insert(0, str(Path(__file__).parents[2]))

__all__ = ["tsu"]
