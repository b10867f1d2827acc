"""``python -m tools.train_nae``: what is asked for on the command line, and the steps in their order."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.train_nae.photos import read_tiny_imagenet
from tools.train_nae.schedule import Budget
from tools.train_nae.student import Student
from tools.train_nae.teacher import Teacher, soft_answers
from tools.train_nae.training import Lessons, Plan, steps_in, train
from tsugiki.core.devices import pick_device
from tsugiki.core.errors import TsugikiError
from tsugiki.core.seeds import set_seeds


def main(words: Sequence[str] | None = None) -> int:
    """Train a backbone and write it; gives the exit status."""
    wishes = _parser().parse_args(words)
    try:
        make_backbone(wishes)
    except TsugikiError as fault:
        print(fault, file=sys.stderr)
        return fault.exit_status
    return 0


def make_backbone(wishes: argparse.Namespace) -> None:
    """All steps, from the folder of photos to the file of weights."""
    device = pick_device(wishes.device)
    photos, val, classes = read_tiny_imagenet(wishes.data)
    print(f"{len(photos)} photos of {classes} classes, {len(val)} to validate on; device {device}")
    teacher = Teacher(wishes.teacher, wishes.teacher_arch, _arguments(wishes.teacher_arg), wishes.teacher_size)
    answers = soft_answers(teacher, photos, wishes.out.parent, device)
    set_seeds(wishes.seed)  # after the teacher, whose making uses up chances that stored answers do not
    student = Student(classes, answers.shape[1]).to(device)
    plan = Plan(batch=wishes.batch_size, seed=wishes.seed)
    steps = 0 if wishes.minutes else steps_in(wishes.epochs, len(photos), plan.batch)
    began = time.monotonic()

    def report(row: dict[str, float]) -> None:
        seconds = time.monotonic() - began
        print(f"epoch {row['epoch']:3} | loss {row['train_loss']:.4f} | val {row['val_acc']:.2%} | {seconds:.0f} s", flush=True)

    train(student, Lessons(photos, answers), val, plan, Budget(steps, wishes.minutes), report)
    student.save_backbone(wishes.out)
    print(wishes.out)


def _arguments(pairs: Sequence[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.train_nae", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Tiny ImageNet's folder (tiny-imagenet-200)")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's weights, a safetensors file")
    parser.add_argument("--teacher-arch", default="mobilenetv2_100", help="timm's name of the teacher")
    parser.add_argument("--teacher-arg", action="append", default=[], metavar="NAME=VALUE", help="such as pad_type=same")
    parser.add_argument("--teacher-size", type=int, default=160, help="pixels per side that the teacher sees")
    parser.add_argument("--out", type=Path, required=True, help="the file to write; the teacher's answers are stored beside it")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, default=16.0, help="the same backbone every time")
    length.add_argument("--minutes", type=float, default=0.0, help="as far as this machine comes; nae itself: 46 on 2 cores")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=None, help="cpu, cuda or mps; the best there is when left out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
