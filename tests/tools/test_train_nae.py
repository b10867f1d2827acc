"""The recipe of the bundled backbone, on eight made-up classes and a teacher of a few thousand parameters."""

import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.train_nae.__main__ import main
from tools.train_nae.augment import random_views, whole_views
from tools.train_nae.photos import read_tiny_imagenet
from tools.train_nae.schedule import Budget, Schedule
from tools.train_nae.student import Student
from tools.train_nae.training import Lessons, Plan, steps_in, train

BUNDLED = Path(__file__).parents[2] / "src" / "tsugiki" / "backbones" / "bundled" / "nae.safetensors"


def drawing(kind: int, rng: np.random.Generator) -> Image.Image:
    photo = Image.new("RGB", (64, 64), tuple(rng.integers(0, 90, 3).tolist()))
    pen, box = ImageDraw.Draw(photo), (12, 12, 52, 52)
    colour = tuple(rng.integers(150, 256, 3).tolist())
    [pen.ellipse, pen.rectangle][kind % 2](box, fill=colour if kind < 4 else None, outline=colour, width=6)
    if kind % 4 > 1:
        pen.line((0, 32, 64, 32), fill=(255, 255, 255), width=8)
    return photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Eight classes of ten photos, laid out as Tiny ImageNet is."""
    root: Path = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    (root / "val" / "images").mkdir(parents=True)
    lines = []
    for kind in range(8):
        images = root / "train" / f"n{kind:08}" / "images"
        images.mkdir(parents=True)
        for number in range(10):
            drawing(kind, rng).save(images / f"n{kind:08}_{number}.JPEG")
        drawing(kind, rng).save(root / "val" / "images" / f"val_{kind}.JPEG")
        lines.append(f"val_{kind}.JPEG\tn{kind:08}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return root


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path: Path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_file(timm.create_model("test_efficientnet").state_dict(), path)
    return path


def words(folder: Path, teacher: Path, out: Path, *more: str) -> list[str]:
    common = ["--teacher-arch", "test_efficientnet", "--teacher-size", "64", "--device", "cpu", "--batch-size", "40"]
    return ["--data", str(folder), "--teacher", str(teacher), "--out", str(out), *common, *more]


def test_the_file_is_a_nae(folder, teacher, tmp_path, capsys):
    out = tmp_path / "seedling.safetensors"
    assert main(words(folder, teacher, out, "--epochs", "2")) == 0
    assert "80 photos of 8 classes, 8 to validate on" in capsys.readouterr().out
    made, bundled = load_file(out), load_file(BUNDLED)
    assert {name: (one.shape, one.dtype) for name, one in made.items()} == {
        name: (one.shape, one.dtype) for name, one in bundled.items()
    }
    with safe_open(out, "pt") as ours, safe_open(BUNDLED, "pt") as theirs:
        assert ours.metadata()["model_args"] == theirs.metadata()["model_args"]


def test_same_wishes_same_weights_and_the_teacher_is_asked_once(folder, teacher, tmp_path, monkeypatch):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert main(words(folder, teacher, first, "--epochs", "1")) == 0
    monkeypatch.setattr("tools.train_nae.teacher._ask", lambda *_: pytest.fail("asked again"))
    assert main(words(folder, teacher, second, "--epochs", "1")) == 0
    made, again = load_file(first), load_file(second)
    assert all(torch.equal(made[name], again[name]) for name in made)
    assert len(list(tmp_path.glob("answers-*.npy"))) == 1


def test_the_loss_falls(folder):
    photos, val, classes = read_tiny_imagenet(folder)
    torch.manual_seed(0)
    answers = torch.nn.functional.one_hot(photos.labels, 16).half()
    plan = Plan(batch=20, schedule=Schedule(peak=0.1, sizes=(32, 32)))
    rows: list[dict[str, float]] = []
    train(Student(classes, 16), Lessons(photos, answers), val, plan, Budget(steps_in(8, len(photos), 20)), rows.append)
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]


def test_the_summed_loss_is_both_cross_entropies():
    torch.manual_seed(0)
    student = Student(8, 16).eval()
    views, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 3, 5, 7])
    answers = torch.rand(4, 16).softmax(1)
    by_label, by_teacher = (logits.log_softmax(1) for logits in student(views))
    smoothed = torch.full((4, 8), 0.1 / 8)
    smoothed[torch.arange(4), labels] += 0.9
    naive = -(smoothed * by_label).sum(1).mean() - (answers * by_teacher).sum(1).mean()
    assert student.loss(views, labels, answers).item() == pytest.approx(naive.item(), rel=1e-5)


def test_biases_and_norms_do_not_decay():
    decaying, rest = Student(8, 16).parameter_groups(2e-4)
    assert decaying["weight_decay"] == 2e-4
    assert rest["weight_decay"] == 0
    assert all(one.ndim > 1 for one in decaying["params"])
    assert all(one.ndim == 1 for one in rest["params"])


def test_rate_rises_then_falls_and_photos_grow():
    plan = Schedule()
    assert [round(plan.learning_rate(at), 3) for at in (0, 0.075, 0.15, 0.575, 1)] == [0, 0.2, 0.4, 0.2, 0]
    assert [plan.size(at) for at in (0, 0.69, 0.7, 1)] == [64, 64, 96, 96]


def test_minutes_follow_the_clock_and_steps_do_not():
    now = [100.0]
    budget = Budget(0, 2.0, clock=lambda: now[0])
    assert budget.progress(999) == 0
    now[0] += 60
    assert budget.progress(0) == 0.5
    assert Budget(10).progress(5) == 0.5
    assert Budget(10).progress(50) == 1


def test_views_are_whole_or_random_but_seeded():
    pixels = torch.randint(0, 256, (70, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(whole_views(pixels, 64), pixels.float() / 255)
    one, same, other = (random_views(pixels, 48, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == (70, 3, 48, 48)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0 <= one.min() <= one.max() <= 1


def test_a_folder_of_another_kind_is_refused(tmp_path, teacher, capsys):
    assert main(words(tmp_path, teacher, tmp_path / "x.safetensors")) == 1
    assert "not laid out as Tiny ImageNet" in capsys.readouterr().err
