"""Options become settings; what makes no sense is refused before any photo is opened."""

from pathlib import Path
from typing import Any

import pytest

from tsugiki.cli.main import run
from tsugiki.cli.options import fine_tuning_of, forget, parse_budget
from tsugiki.core.errors import RequestError, UnknownName


def asked(**changes: Any) -> Any:
    return fine_tuning_of(**{"target": Path("runs/food"), **changes})


def test_options_knobs_and_presets_come_together():
    found = asked(
        preset="thorough",
        knobs=["ema_decay=0.5", "crop=0.2,0.9", "unfreeze=3", "batch-norm=update", "compile=off", "trivial=no"],
        given={"epochs": 7, "lr": None, "flip": False},
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
        {"budget": "0.001s"},
        {"budget": "²s"},
        {"knobs": ["augmentation=none"]},
        {"knobs": ["blend=maybe"]},
        {"knobs": ["class_weights=7"]},
        {"knobs": ["trivial=3"]},
        {"knobs": ["erase=true"]},
        {"knobs": ["crop=0.5"]},
        {"knobs": ["ratio=1,1,1"]},
        {"knobs": ["unfreeze=²"]},
        {"given": {"unfreeze": "--5"}},
    ],
)
def test_nonsense_is_refused(changes):
    with pytest.raises(RequestError):
        asked(**changes)


def test_times_are_read():
    assert [parse_budget(text) for text in ("90s", "1.5h", "10m", "30")] == [90, 5400, 600, 30]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"given": {"epochs": 3}, "knobs": ["epochs=1"]}, "--epochs 3, --knob epochs=1"),
        ({"given": {"batch_size": 8}, "knobs": ["batch-size=9"]}, "--batch-size 8, --knob batch-size=9"),
        ({"given": {"flip": False}, "knobs": ["flip=true"]}, "--no-flip, --knob flip=true"),
        ({"given": {"class_weights": True}, "knobs": ["class_weights=no"]}, "--class-weights, --knob class_weights=no"),
        ({"budget": "10m", "knobs": ["budget=90"]}, "--budget 10m, --knob budget=90"),
        ({"knobs": ["clip=1", "clip=2"]}, "--knob clip=1, --knob clip=2"),
    ],
)
def test_what_is_set_twice_is_refused(changes, named):
    with pytest.raises(RequestError, match="is set twice") as caught:
        asked(**changes)
    assert caught.value.got == named


def test_an_unknown_knob_is_answered_with_the_nearest():
    with pytest.raises(UnknownName) as caught:
        asked(knobs=["mixupp=1"])
    assert "mixup" in caught.value.allowed
    assert "cutmix" in caught.value.cure
    with pytest.raises(RequestError) as refused:
        asked(knobs=["augmentation=none"])
    assert "crop, ratio, flip" in refused.value.allowed


def test_a_file_where_checkpoints_would_lie_is_refused(tmp_path):
    (tmp_path / "food.unfinished").write_text("mine")
    with pytest.raises(RequestError, match="cannot lie"):
        asked(target=tmp_path / "food")
    forget(tmp_path / "food")
    assert (tmp_path / "food.unfinished").read_text() == "mine"


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as left:
        run(["fit", *map(str, words)])
    assert left.value.code == 2
    return capsys.readouterr().err


def test_fine_tuning_options_need_fine_tuning(tmp_path, capsys):
    words = [
        "--unfreeze",
        "2",
        "--budget",
        "10s",
        "--preset",
        "default",
        "--knob",
        "lr=0.1",
        "--restart",
        "--precision",
        "auto",
    ]
    told = refused(capsys, tmp_path, "--out", tmp_path / "run", *words, "--no-flip")
    for option in ("--unfreeze", "--budget", "--preset", "--knob", "--restart", "--precision", "--no-flip"):
        assert option in told
    assert "--flip" not in told
    assert "--resume" not in told
    assert "--method fine-tune or --method auto" in told
    assert not (tmp_path / "run").exists()


def test_a_head_is_not_judged_by_the_limits_of_fine_tuning(tmp_path, capsys):
    assert "head cannot work" in refused(capsys, tmp_path, "--epochs", "0", "--out", tmp_path / "run")
    assert "head cannot work" in refused(capsys, tmp_path, "--lr", "nan", "--out", tmp_path / "run")
    assert "fine-tuning settings" in refused(capsys, tmp_path, "--lr", "20", "--out", tmp_path / "run", "--method", "auto")


def test_a_seed_is_set_once(tmp_path, capsys):
    words = [tmp_path, "--method", "fine-tune", "--out", tmp_path / "run", "--knob", "seed=7"]
    assert "--seed 42, --knob seed=7" in refused(capsys, *words, "--seed", "42")
