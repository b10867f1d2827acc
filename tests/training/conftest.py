"""Photos that more than one story of training begins with."""

import shutil
import time

import pytest


@pytest.fixture
def flat(dishes, tmp_path):
    """54 photos in class folders, nothing held out; old enough to be trusted."""
    root = tmp_path / "flat"
    for path in sorted(dishes.rglob("*.jpg")):
        target = root / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    time.sleep(0.06)
    return root
