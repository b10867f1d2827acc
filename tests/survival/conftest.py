"""The program, run in the process of the tests."""

from tests.cli.conftest import tsu

__all__ = ["tsu"]
