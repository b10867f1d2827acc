"""Options become settings; what makes no sense is refused before any photo is opened."""

from pathlib import Path
from typing import Any

import pytest

from tsugiki.cli.main import run
from tsugiki.cli.options import FineTuneOptions, MethodOptions
from tsugiki.cli.values import parse_time
from tsugiki.core.errors import RequestError, UnknownName


def asked(*, folder: Path = Path("runs/food.unfinished"), given: dict[str, Any] | None = None, **own: Any) -> Any:
    return FineTuneOptions(**own).request(MethodOptions("fine-tune", **(given or {})), folder)


def test_options_settings_and_presets_come_together():
    found = asked(
        preset="thorough",
        settings=["ema_decay=0.5", "crop=0.2,0.9", "unfreeze=3", "batch-norm=update", "compile=off", "trivial=no"],
        given={"epochs": 7},
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
        {"settings": ["ema_decay"]},
        {"settings": ["ema_decai=1"]},
        {"settings": ["mixup=much"]},
        {"settings": ["epochs=many"]},
        {"preset": "best"},
        {"budget": "soon"},
        {"budget": "0"},
        {"budget": "0.001s"},
        {"budget": "²s"},
        {"settings": ["augmentation=none"]},
        {"settings": ["blend=maybe"]},
        {"settings": ["class_weights=7"]},
        {"settings": ["trivial=3"]},
        {"settings": ["erase=true"]},
        {"settings": ["crop=0.5"]},
        {"settings": ["ratio=1,1,1"]},
        {"settings": ["unfreeze=²"]},
        {"unfreeze": "--5"},
    ],
)
def test_nonsense_is_refused(changes):
    with pytest.raises(RequestError):
        asked(**changes)


def test_a_precision_has_one_name_and_classes_are_weighed_alike():
    settings = asked(precision="bfloat16", given={"class_weights": True}).settings
    assert asked(settings=["precision=bfloat16", "class_weights=yes"]).settings == settings
    assert asked().settings != settings
    assert MethodOptions("fine-tune", epochs=0, class_weights=True).head().class_weights


def test_times_are_read():
    assert [parse_time(text) for text in ("90s", "1.5h", "10m", "30")] == [90, 5400, 600, 30]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"given": {"epochs": 3}, "settings": ["epochs=1"]}, "--epochs 3, --set epochs=1"),
        ({"given": {"batch_size": 8}, "settings": ["batch-size=9"]}, "--batch-size 8, --set batch-size=9"),
        ({"flip": False, "settings": ["flip=true"]}, "--no-flip, --set flip=true"),
        ({"given": {"class_weights": True}, "settings": ["class-weights=no"]}, "--class-weights, --set class-weights=no"),
        ({"budget": "10m", "settings": ["budget=90"]}, "--budget 10m, --set budget=90"),
        ({"settings": ["clip=1", "clip=2"]}, "--set clip=1, --set clip=2"),
    ],
)
def test_what_is_set_twice_is_refused(changes, named):
    with pytest.raises(RequestError, match="is set twice") as caught:
        asked(**changes)
    assert caught.value.got == named


def test_an_unknown_setting_is_answered_with_the_nearest():
    with pytest.raises(UnknownName) as caught:
        asked(settings=["mixupp=1"])
    assert "mixup" in caught.value.allowed
    assert "cutmix" in caught.value.cure
    with pytest.raises(RequestError) as refused:
        asked(settings=["augmentation=none"])
    assert "crop, ratio, flip" in refused.value.allowed


def test_a_file_where_checkpoints_would_lie_is_refused(tmp_path):
    (tmp_path / "food.unfinished").write_text("mine")
    with pytest.raises(RequestError, match="cannot lie"):
        asked(folder=tmp_path / "food.unfinished")
    assert (tmp_path / "food.unfinished").read_text() == "mine"


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as left:
        run(["fit", *map(str, words)])
    assert left.value.code == 2
    return capsys.readouterr().err


def test_fine_tuning_options_need_fine_tuning(tmp_path, capsys):
    words = ["--unfreeze", "2", "--budget", "10s", "--preset", "default", "--set", "lr=0.1", "--restart"]
    words += ["--precision", "auto", "--no-flip"]
    told = refused(capsys, tmp_path, "--out", tmp_path / "run", *words)
    for option in ("--unfreeze", "--budget", "--preset", "--set", "--restart", "--precision", "--no-flip"):
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
    words = [tmp_path, "--method", "fine-tune", "--out", tmp_path / "run", "--set", "seed=7"]
    assert "--seed 42, --set seed=7" in refused(capsys, *words, "--seed", "42")
