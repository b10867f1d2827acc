"""Photos with several labels on the command line: learned from, asked about, judged, drawn, in both languages."""

import csv
import io
import json
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from PIL import Image

from tsugiki.cli import main
from tsugiki.evaluation.headline import headline
from tsugiki.locale.messages import speaking
from tsugiki.training.run import Run

CLASSES = {"blue": (105, 115, 150), "green": (105, 140, 110), "red": (150, 105, 105)}
PHOTOS = 60


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Grey photos with up to three coloured squares, and what each shows; the last column is known of half of them."""
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    lines = [("path", *CLASSES, "split")]
    for number in range(PHOTOS):
        pixels = rng.integers(90, 150, (96, 96, 3), dtype=np.uint8)
        cells = (rng.random(3) < 0.5).astype(int).tolist()
        places = rng.permutation(4)[:3]
        for shown, place, colour in zip(cells, places, CLASSES.values(), strict=True):
            if shown:
                top, left = 48 * (place // 2), 48 * (place % 2)
                pixels[top + 6 : top + 42, left + 6 : left + 42] = colour
        Image.fromarray(pixels).save(folder / f"{number}.png")
        known = [*cells[:2], cells[2] if number % 2 else ""]
        lines.append((f"{number}.png", *known, "test" if number % 3 == 0 else "train"))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(lines)
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    """A run folder, and what the program said while it was made."""
    run, out, err = tmp_path_factory.mktemp("runs") / "squares", io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("cache")))
        with speaking("en"), pytest.raises(SystemExit) as left:
            main.run(["fit", str(table), "--backbone", "bundled:nae", "--out", str(run)])
    assert not left.value.code, err.getvalue()
    return run, out.getvalue(), err.getvalue()


def test_a_fit_says_the_task_first_and_ends_with_what_it_is_worth(fitted):
    run, out, err = fitted
    assert out.strip() == str(run)
    evaluation = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["task"] == "multi"
    assert err.index("multi-label") < err.index("Mean average precision") < err.index("than guessing by how frequent")
    assert headline(evaluation) in err
    assert evaluation["frequency_guess"]["verdict"] == "helped"
    assert "accuracy" not in err.lower()


def test_a_run_comes_back_from_its_folder(fitted, tmp_path):
    folder, *_ = fitted
    run = Run.load(folder)
    assert run.classifier.task == "multi"
    assert run.predictions.targets.shape == (20, 3)
    assert (run.predictions.targets == -1).sum() == 10
    assert {"train_map", "val_map"} <= run.history[0].keys()
    copy = run.save(tmp_path / "copy")
    assert (copy / "predictions.csv").read_bytes() == (folder / "predictions.csv").read_bytes()


def test_a_person_reads_labels_with_their_probabilities(fitted, table, tsu):
    run, *_ = fitted
    photos = [table.parent / f"{number}.png" for number in range(0, PHOTOS, 3)]
    status, out, _ = tsu("predict", run, *photos)
    assert status == 0
    heading, *lines = out.splitlines()
    assert heading.split() == ["photo", "answer", "next", "best"]
    _, answers, _ = tsu("predict", run, *photos, "--format", "json")
    assert len(lines) == len(photos)
    for line, answer in zip(lines, json.loads(answers), strict=True):
        said = ", ".join(f"{name} {answer['probabilities'][name]:.1%}" for name in answer["labels"]) or "none of the classes"
        assert (said if answer["known"] else f"not sure ({said}?)") in line
        rest = [one for one in answer["top"] if one["label"] not in answer["labels"]]
        assert line.endswith(", ".join(f"{one['label']} {one['probability']:.1%}" for one in rest))
        assert answer["label"] == "|".join(sorted(answer["labels"]))
    assert any(len(answer["labels"]) > 1 for answer in json.loads(answers))


def test_a_program_reads_labels_and_probabilities(fitted, table, tsu):
    run, *_ = fitted
    rows = Run.load(run).predictions
    _, out, _ = tsu("predict", run, *(table.parent / name for name in rows.names), "--format", "csv")
    for row, line in enumerate(csv.DictReader(io.StringIO(out))):
        assert line["predicted"] == rows.answer_text(row)
        assert [float(line[f"probability:{name}"]) for name in CLASSES] == pytest.approx(rows.probabilities[row], abs=1e-3)
        assert line["problem"] == ""


def test_evaluate_prints_a_row_per_class(fitted, table, tsu):
    run, *_ = fitted
    status, out, err = tsu("evaluate", run, table)
    assert status == 0
    heading, *lines = out.splitlines()
    assert heading.startswith("class  photos  average precision  guess")
    document = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    for line, row in zip(lines, document["per_class"], strict=True):
        cells = line.split()
        assert cells[:3] == [row["class"], str(row["n"]), f"{row['average_precision']:.1%}"]
        assert cells[-1] == f"{row['threshold']:.1%}"
    assert "Mean average precision" in err


def test_what_to_label_next_is_told_with_every_label(fitted, table, tsu, tmp_path):
    from tsugiki.data.load import load
    from tsugiki.training.more_photos.further_labels import with_further

    run, *_ = fitted
    rng, new = np.random.default_rng(7), tmp_path / "next.csv"
    (tmp_path / "new").mkdir()
    for number in range(4):  # nothing but grey
        Image.fromarray(rng.integers(90, 150, (96, 96, 3), dtype=np.uint8)).save(tmp_path / "new" / f"{number}.png")
    status, out, err = tsu("next", run, tmp_path / "new", "--count", "3", "--out", new)
    assert status == 0, err
    heading, *lines = out.splitlines()
    assert heading.split() == ["photo", "answer", "next", "best", "uncertainty"]
    assert any("none of the classes" in line for line in lines)
    assert "(a|b; | alone for none of the classes)" in err
    with new.open(encoding="utf-8-sig", newline="") as stream:
        head, *rows = csv.reader(stream)
    with new.open("w", encoding="utf-8", newline="") as stream:  # a person who agrees
        csv.writer(stream).writerows([head, *([path, suggested, suggested, *rest] for path, _, suggested, *rest in rows)])
    assert len(with_further(load(table), new)) == PHOTOS + len(lines)


def test_pictures_show_several_labels(fitted, table, tsu, tmp_path):
    run, *_ = fitted
    status, out, _ = tsu("plot", run, "--data", table, "--batch", "--count", "4", "--out", tmp_path / "pictures")
    assert status == 0
    assert [line.rsplit("/")[-1] for line in out.splitlines()] == ["curves.png", "predictions.png", "batch.png"]
    photo = table.parent / "0.png"
    status, _, _ = tsu("predict", run, photo, "--plot", tmp_path / "answers.png")
    assert status == 0
    with Image.open(tmp_path / "answers.png") as picture:
        assert picture.width > 100


def test_an_audit_of_several_labels_is_written(table, tsu, tmp_path):
    status, out, _ = tsu("audit", table, "--backbone", "bundled:nae", "--out", tmp_path / "audit")
    assert status == 0
    assert "so far the learning curve is drawn where each photo has one label" in out
    assert "perhaps" in (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8") or "No label" in out
