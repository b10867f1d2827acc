"""``tsugiki lr`` suggests a rate for a run as it is."""

import json
import shlex
from dataclasses import replace

import pytest

from tsugiki.classifier.classifier import Classifier
from tsugiki.cli.lr import _no_suggestion, _tell
from tsugiki.cli.main import run
from tsugiki.cli.values import model_arg_words, parse_model_args
from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.fine_tuning.lr_range import RateTest


def first_loss(capsys: pytest.CaptureFixture[str], *words: object) -> float:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        run(["lr", *map(str, words), "--steps", "10", "--batch-size", "12", "--json"])
    assert not left.value.code
    losses: list[float] = json.loads(capsys.readouterr().out)["losses"]
    return losses[0]


@pytest.mark.long
def test_a_run_with_its_classes_in_another_order(dishes, dish_run, nae, tmp_path, capsys):
    own = dish_run.classifier
    turned = Classifier(nae, classes=own.classes[::-1])
    turned.head.weight.data.copy_(own.head.weight.flip(0))
    turned.head.bias.data.copy_(own.head.bias.flip(0))
    own.save(tmp_path / "own")
    turned.save(tmp_path / "turned")
    loss = first_loss(capsys, tmp_path / "own", dishes)
    assert loss < 0.7
    assert first_loss(capsys, tmp_path / "turned", dishes) == pytest.approx(loss, abs=1e-4)


def told(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        run(["lr", *map(str, words)])
    spoken = capsys.readouterr()
    assert (left.value.code or 0) == status, spoken.err
    return spoken.out, spoken.err


def next_command(spoken: str) -> list[str]:
    (line,) = (line for line in spoken.splitlines() if line.startswith("next: "))
    return shlex.split(line.removeprefix("next: "))


def test_a_backbone_is_tried_without_judging_and_the_next_command_trains_the_same(dishes, tmp_path, capsys):
    data = tmp_path / "two words"
    data.symlink_to(dishes)
    words = ["--unfreeze", "2", "--steps", "20", "--batch-size", "12", "--model-arg", "drop_rate=0.0"]
    rate, spoken = told(capsys, "bundled:nae", data, *words)
    assert 1e-6 <= float(rate) <= 0.1
    command = next_command(spoken)
    assert command[:5] == ["tsugiki", "fit", str(data), "--backbone", "bundled:nae"]
    given = {option: command[command.index(option) + 1] for option in command if option.startswith("--")}
    expected = {"--unfreeze": "2", "--batch-size": "12", "--model-arg": "drop_rate=0.0", "--method": "fine-tune"}
    assert given == {"--backbone": "bundled:nae", **expected, "--lr": rate.strip()}
    assert "correct" not in spoken


@pytest.mark.usefixtures("saved_classifier")
def test_a_photo_that_turns_out_unreadable_is_out_of_the_way_before_a_rate_is_tried(flat, tmp_path, capsys, hollow_png):
    """Also for a run, whose head needs no features: as in a fit, the others are held out without it."""
    (flat / "pizza" / "hollow.png").write_bytes(hollow_png)
    _, spoken = told(capsys, tmp_path / "run", flat, "--steps", "10", "--batch-size", "12")
    assert "Left out: pizza/hollow.png: damaged" in spoken
    assert "Held out for testing: 12 of 54 photos" in spoken


@pytest.mark.long
@pytest.mark.usefixtures("saved_classifier")
def test_a_run_names_its_own_backbone_and_weights(dishes, dish_run, tmp_path, capsys):
    own = dish_run.classifier
    path = tmp_path / "run" / "classifier.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description["backbone"] = replace(own.backbone.spec, weights="my net.pth").to_dict()
    path.write_text(json.dumps(description), encoding="utf-8")
    _, spoken = told(capsys, tmp_path / "run", dishes, "--steps", "20", "--batch-size", "12", "--plot", tmp_path / "rates.PNG")
    command = next_command(spoken)
    assert command[3:7] == ["--backbone", "bundled:nae", "--weights", "FOLDER/my net.pth"]
    assert "'FOLDER/my net.pth'" in spoken
    assert (tmp_path / "rates.PNG").read_bytes().startswith(b"\x89PNG")
    _, spoken = told(capsys, tmp_path / "run", dishes, "--weights", "none", "--model-arg", "a=1", status=2)
    assert "--weights, --model-arg with the name of a backbone" in spoken


@pytest.mark.parametrize(
    "words",
    [
        ("--steps", "2"),
        ("--lowest", "nan"),
        ("--highest", "inf"),
        ("--lowest", "1", "--highest", "1e-3"),
        ("--lowest", "1", "--highest", "1"),
        ("--unfreeze", "99"),
        ("--unfreeze", "²"),
        ("--unfreeze", "no_such_layer"),
        ("--plot", "x.gif"),
        ("--plot", "x"),
        ("--plot", "."),
        ("--batch-size", "0"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_any_photo_is_looked_at(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, spoken = told(capsys, "bundled:nae", tmp_path / "no photos", *words, status=2)
    assert "no photos" not in spoken
    assert "allowed:" in spoken
    assert "got:" in spoken
    assert "next:" in spoken


def test_a_mistyped_run_is_no_name_of_the_hub(tmp_path, capsys):
    _, spoken = told(capsys, "runs/mistyped", tmp_path, status=2)
    assert "no run folder runs/mistyped" in spoken
    assert "hub:runs/mistyped" in spoken


def test_no_suggestion_is_said_after_everything_else_is_told(tmp_path, capsys):
    never = RateTest([0.1, 0.2, 0.4], [1.0, 2.0, 3.0], None)
    with pytest.raises(TrainingError, match="try more --steps"):
        _tell(never, tmp_path / "rates.png", as_json=True)
    assert json.loads(capsys.readouterr().out)["suggestion"] is None
    assert (tmp_path / "rates.png").is_file()
    early = RateTest([0.1, 0.2, 0.4], [3.0, 1.0, 2.0], None)
    assert _no_suggestion(early).cure == "--lowest 2e-03"


@pytest.mark.parametrize("arguments", [{}, {"a": "same", "b": 192, "c": "192", "d": [1, 2], "e": True, "f": "true", "g": None}])
def test_arguments_survive_the_command_line(arguments):
    assert parse_model_args(model_arg_words(arguments)[1::2]) == arguments


def test_an_argument_is_given_once():
    with pytest.raises(RequestError, match="is set twice"):
        parse_model_args(["a=1", "a=2"])


def test_where_photos_have_several_labels_each_is_a_question_of_its_own(plates, capsys):
    assert 0 < first_loss(capsys, "bundled:nae", plates) < 0.7  # the mean over cells: guessing has about log 2
