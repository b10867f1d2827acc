"""Arguments are called as the person writes them: Python's in Python, options on the command line."""

import pytest

import tsugiki as tg
from tsugiki.cli.values import as_typed
from tsugiki.core.arguments import ANY, argument, named_by
from tsugiki.core.devices import pick_device
from tsugiki.core.errors import TsugikiError


@pytest.mark.robust("surface", case="a wrong argument in Python", right="the error names Python's arguments, and no option")
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda _: tg.HeadSettings(class_weights="yes"), "class_weights='yes'"),  # type: ignore[arg-type]
        (lambda _: tg.HeadSettings(epochs=0), "epochs=0"),
        (lambda _: tg.FineTuneSettings(batch_size=0, ema_decay=2), "ema_decay=2"),
        (lambda _: tg.FineTuneSettings(augmentation="strong"), "augmentation='strong'"),  # type: ignore[arg-type]
        (lambda photos: tg.load(photos, held_out=2), "held_out=2"),
        (
            lambda photos: tg.fit(
                tg.Classifier("bundled:nae", classes=["pizza", "steak", "sushi"]),
                tg.load(photos / "train", held_out=0),
                method="fine-tune",
            ),
            "method='transfer'",
        ),
        (lambda _: tg.set_seeds(-1), "seed=-1"),
        (lambda _: pick_device("tpu"), "leave device out"),
        (lambda _: tg.Classifier("timm:resnet18d", classes=["a", "b"], weights="none", model_args={"nope": 1}), "nope"),
    ],
)
def test_python_reads_its_own_names(dishes, wrong, named):
    with pytest.raises(TsugikiError) as refused:
        wrong(dishes)
    assert named in str(refused.value)
    assert "--" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("class_weights", True, "--class-weights"),
        ("class_weights", ANY, "--class-weights"),
        ("flip", False, "--no-flip"),
        ("epochs", 0, "--epochs 0"),
        ("held_out", 0.25, "--held-out 0.25"),
        ("method", "transfer", "--method transfer"),
        ("overwrite", True, "--force"),
        ("resume", "must", "--resume"),
        ("model_args", ANY, "--model-arg NAME=VALUE"),
        ("ema_decay", 2.0, "--set ema_decay=2"),
        ("crop", (0.5, 1.0), "--set crop=0.5,1"),
        ("blend", True, "--set blend=true"),
        ("micro_batch", ANY, "--set micro_batch"),
    ],
)
def test_the_command_line_reads_its_options(name, value, typed):
    with named_by(as_typed):
        assert argument(name, value) == typed
    assert argument(name, value) == (name if value is ANY else f"{name}={value!r}")
