"""What every contender is given on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """Photos, weights and epochs."""

    train: Path
    test: Path
    weights: Path
    epochs: int


def read_paths() -> Job:
    """The job on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    return Job(**vars(parser.parse_args()))
