"""Options become settings; what makes no sense is refused before any photo is opened."""

from pathlib import Path
from typing import Any

import pytest

from tsugiki.cli.fine_tune_options import fine_tuning_of, parse_budget
from tsugiki.core.errors import RequestError


def asked(**changes: Any) -> Any:
    options = {"preset": "default", "knobs": [], "given": {}, "flip": True, "budget": None, "resume": None}
    return fine_tuning_of(**{**options, **changes}, target=Path("runs/food"))


def test_options_knobs_and_presets_come_together():
    found = asked(
        preset="thorough",
        knobs=["ema_decay=0.5", "crop=0.2,0.9", "unfreeze=3", "batch-norm=update", "compile=off", "trivial=no"],
        given={"epochs": 7, "lr": None},
        flip=False,
        budget="10m",
        resume=True,
    )
    settings = found.settings
    assert (settings.epochs, settings.ema_decay, settings.budget, settings.unfreeze) == (7, 0.5, 600.0, "3")
    assert (settings.batch_norm, settings.compile) == ("update", "off")
    assert settings.augmentation.crop == (0.2, 0.9)
    assert not settings.augmentation.flip
    assert not settings.augmentation.trivial
    assert settings.augmentation.mixup == 0.2  # of the preset
    assert found.resume == "must"
    assert found.folder == Path("runs/food.unfinished")


@pytest.mark.parametrize(
    "changes",
    [
        {"knobs": ["ema_decay"]},
        {"knobs": ["ema_decai=1"]},
        {"knobs": ["mixup=much"]},
        {"knobs": ["epochs=many"]},
        {"preset": "best"},
        {"budget": "soon"},
        {"budget": "0"},
    ],
)
def test_nonsense_is_refused(changes):
    with pytest.raises(RequestError):
        asked(**changes)


def test_times_are_read():
    assert [parse_budget(text) for text in ("90s", "1.5h", "10m", "30")] == [90, 5400, 600, 30]
