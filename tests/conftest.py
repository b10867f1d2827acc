"""What every test may use: a quiet, English, offline program with its own cache, and the real material where it is."""

import os
import sys
from pathlib import Path

import pytest

# Two test processes on two cores: more threads each would only fight. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MATERIAL = Path(os.environ.get("TSUGIKI_MATERIAL", Path(__file__).parents[2] / "shared"))


@pytest.fixture(autouse=True)
def _own_world(tmp_path_factory, monkeypatch):
    """English messages and an empty cache, whatever the person's own settings are."""
    from tsugiki.core.messages import use_language

    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("TSUGIKI_ZOO", raising=False)
    use_language("en")
    yield
    use_language(None)


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real photos and real weights."""
    if not (MATERIAL / "weights").is_dir():
        pytest.skip(f"no real photos and weights at {MATERIAL} (set TSUGIKI_MATERIAL)")
    return MATERIAL


@pytest.fixture(scope="session")
def drawn_sample(tmp_path_factory) -> Path:
    """The folder of the drawn sample, drawn once."""
    from tsugiki.data.drawn.sample import sample_folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("drawn")))
        return sample_folder("foodvision")


@pytest.fixture
def run_cli():
    """Run the program as a user would, in a process of its own; gives the finished process."""
    import subprocess

    def run(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tsugiki", *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        )

    return run
