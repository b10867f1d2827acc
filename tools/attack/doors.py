"""Damaged files at every door but the photos': each ends in a sentence of the program, or in a right result.

A door is a file that somebody else may have made or damaged, and what the program does with it. Every try has a copy of its
own, and runs in a process with a limit of time and memory. What the program raises beside its own errors is a traceback.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tsugiki as tg
from tools.attack.crafted import crafted_archives
from tools.attack.given import load_odd_addresses, load_odd_pictures
from tools.attack.material import ARCHIVES, EXPORTS, SMALL, TABLES, Material, features_of, make_material, sum_of
from tools.attack.mutations import mutated
from tools.attack.outcome import Outcome
from tools.attack.workers import Died, Worker
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.cli import main
from tsugiki.core.console import quiet
from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import tr

SECONDS = 60.0
"""That a try may take: some compute the features of all photos anew."""

MEMORY = 1 << 33
"""Bytes of address space that the process may grow by; OpenVINO and PyTorch take some of it for nothing."""

Right = bool
Try = Callable[[Material, random.Random, Path], Right]


@dataclass(frozen=True)
class Door:
    """One door.

    Attributes:
        name: As it is counted.
        attempt: Damages a copy in the folder that it is given, goes through the door and says whether the result is right.
        is_costly: What it needs takes long to make: a single try of every door leaves it out.
    """

    name: str
    attempt: Try
    is_costly: bool = False


def attack(tries: int, *, seed: int = 0, only: tuple[str, ...] = (), tell: Callable[[str], object] = str) -> Outcome:
    """Go ``tries`` times through every door, or through ``only`` some; ``tell`` hears of faults at once."""
    outcome = Outcome(tell=tell)
    outcome.counts.update(
        {"doors": 0, "tried": 0, "named": 0, "right": 0, "wrong results": 0, "tracebacks": 0, "crashes": 0, "hangs": 0}
    )
    with tempfile.TemporaryDirectory() as place:
        doors = [door for door in DOORS if (door.name in only if only else tries > 1 or not door.is_costly)]
        material = make_material(Path(place) / "material", exports=any(door.is_costly for door in doors))
        worker: Worker[tuple[int, int, int], str] = Worker(
            lambda task: _through(doors[task[0]], material, random.Random(f"{task}"), Path(place)),  # noqa: S311
            seconds=SECONDS,
            more_memory=MEMORY,
        )
        for at, door in enumerate(doors):
            for number in range(tries):
                worker.begin((at, seed, number))
                answer = worker.answer()
                outcome.counts["tried"] += 1
                told = f"{answer.kind}: status {answer.status}" if isinstance(answer, Died) else answer
                kind, _, detail = told.partition(": ")
                kind = {"crash": "crashes", "hang": "hangs"}.get(kind, kind)
                outcome.counts[kind] += 1
                if kind not in {"named", "right"}:
                    outcome.fault(f"{door.name} {number}: {kind}: {detail}")
        worker.close()
        outcome.counts["doors"] = len(doors)
    return outcome


def _through(door: Door, material: Material, dice: random.Random, place: Path) -> str:
    work = Path(tempfile.mkdtemp(dir=place))
    os.environ["TSUGIKI_CACHE"] = str(work / "cache")
    try:
        with quiet():
            return "right" if door.attempt(material, dice, work) else "wrong results: "
    except TsugikiError as error:
        return f"named: {error}" if str(error).strip() else "tracebacks: an error without a sentence"
    except Exception as error:  # noqa: BLE001  whatever it is, it is counted
        return f"tracebacks: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def damage(path: Path, dice: random.Random) -> None:
    """Damage a file in place: its bytes, its values where it is JSON, or take it away."""
    content = path.read_bytes()
    if path.suffix == ".json" and dice.random() < 0.6:
        with contextlib.suppress(ValueError):
            path.write_text(json.dumps(_other_values(json.loads(content), dice)), encoding="utf-8")
            return
    if dice.random() < 0.05:
        path.unlink()
    elif not content or dice.random() < 0.05:
        path.write_bytes(dice.choice((b"", bytes(100), b"<html>", dice.randbytes(1000))))
    else:
        path.write_bytes(mutated(content, content, dice)[1])


_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e999,
    -1e999,
    float("nan"),
    10**400,
    "",
    "x" * 5000,
    "\u202e\x1b[31m",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    {"": 1},
)


def _other_values(document: Any, dice: random.Random) -> Any:
    """A document with one value, somewhere in it, that is another, missing or there twice."""
    if isinstance(document, dict) and document and dice.random() < 0.85:
        name = dice.choice(tuple(document))
        if dice.random() < 0.2:
            return {other: value for other, value in document.items() if other != name}
        return {**document, name: _other_values(document[name], dice)}
    if isinstance(document, list) and document and dice.random() < 0.7:
        at = dice.randrange(len(document))
        if dice.random() < 0.3:
            return document[:at] + document[at:] * dice.choice((0, 2))
        return [*document[:at], _other_values(document[at], dice), *document[at + 1 :]]
    if isinstance(document, str) and dice.random() < 0.3:
        return document + dice.choice(string.printable)
    return dice.choice(_ODD)


def _said(*words: object) -> tuple[int, str, str]:
    """Run the command line in this process: exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main.run([str(word) for word in words])
        except SystemExit as left:
            status = left.code or 0
    told = err.getvalue()
    if tr("Something went wrong that should not: {kind}: {detail}", kind="", detail="")[:20] in told or "Traceback" in told:
        raise AssertionError(told[-500:])
    if status:
        raise TsugikiError(told)
    return status, out.getvalue(), told


def _run_with_damage(*names: str) -> Callable[[Material, random.Random, Path], Path]:
    def made(material: Material, dice: random.Random, work: Path) -> Path:
        run = work / "run"
        shutil.copytree(material.root / "run", run)
        damage(run / dice.choice(names), dice)
        return run

    return made


def _well_formed(probabilities: Any) -> bool:
    numbers = np.array(list(probabilities), np.float64)
    return bool(np.isfinite(numbers).all() and abs(numbers.sum() - 1) < 1e-3)


def _description(material: Material, dice: random.Random, work: Path) -> Right:
    """What a description says is believed where it can be: it is no copy of anything that it could be compared with."""
    run = _run_with_damage("classifier.json")(material, dice, work)
    answer = tg.load_predictor(run).predict(material.photo)
    assert isinstance(answer, tg.Prediction)  # noqa: S101
    return _well_formed(answer.probabilities)


def _weights_of_run(material: Material, dice: random.Random, work: Path) -> Right:
    run = _run_with_damage("weights.safetensors")(material, dice, work)
    answer = tg.Classifier.load(run).predict(material.photo)
    assert isinstance(answer, tg.Prediction)  # noqa: S101
    return bool(np.allclose(answer.probabilities, material.probabilities, atol=1e-4))


_ENGINE = tuple(f"engine/{name}" for name in ("network.xml", "network.bin", "answer.safetensors", "parity.json"))


def _engine(material: Material, dice: random.Random, work: Path) -> Right:
    run = _run_with_damage(*_ENGINE)(material, dice, work)
    answer = tg.load_predictor(run).predict(material.photo)
    assert isinstance(answer, tg.Prediction)  # noqa: S101
    return bool(np.allclose(answer.probabilities, material.probabilities, atol=1e-3))


def _engine_cache(material: Material, dice: random.Random, work: Path) -> Right:
    """What is kept of a compiled network."""
    shutil.copytree(material.root / "run", work / "run")
    for last in (False, True):
        answer = tg.load_predictor(work / "run").predict(material.photo)
        kept = [path for path in (work / "cache").rglob("*") if path.is_file() and path.parent.name == "engines"]
        if kept and not last:
            damage(dice.choice(kept), dice)
    assert isinstance(answer, tg.Prediction)  # noqa: S101
    return bool(np.allclose(answer.probabilities, material.probabilities, atol=1e-3))


def _export(material: Material, dice: random.Random, work: Path) -> Right:
    """An exported model and the program beside it; what its description says is believed, as a run's is."""
    folder = shutil.copytree(material.root / "exports" / dice.choice(EXPORTS), work / "export")
    about = "model.json"
    names = (about, *json.loads((folder / about).read_text(encoding="utf-8"))["sha256"])
    victim = dice.choice(names)
    damage(folder / victim, dice)
    command = [sys.executable, "-I", str(folder / "predict.py"), "--json", str(material.photo)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if "Traceback" in done.stderr or done.returncode not in (0, 1):
        raise AssertionError(done.stderr[-500:])
    if done.returncode:
        raise TsugikiError(done.stderr or done.stdout)
    values = json.loads(done.stdout)[0]["probabilities"].values()
    return _well_formed(values) and (victim == about or bool(np.allclose(list(values), material.probabilities, atol=1e-3)))


def _rest_of_run(material: Material, dice: random.Random, work: Path) -> Right:
    """What a run tells of itself, by the verbs that read it."""
    names = ("history.csv", "evaluation.json", "predictions.csv", "suspects.csv", "report.html", "README.md")
    present = [name for name in names if (material.root / "run" / name).is_file()]
    run = _run_with_damage(*present)(material, dice, work)
    choice = dice.randrange(4)
    if choice == 0:
        tg.Run.load(run)
    elif choice == 1:
        _said("plot", run, "--out", work / "plots")
    elif choice == 2:
        _said("predict", run, material.photo)
    else:
        _said("evaluate", run, material.photos, "--out", run)
    return True


def _table(material: Material, dice: random.Random, work: Path) -> Right:
    path = work / dice.choice(TABLES)
    shutil.copyfile(material.root / path.name, path)
    damage(path, dice)
    samples = tg.load(path)
    return len(samples) <= material.count and all(Path(at).is_file() for at in samples.paths)


def _archive(material: Material, dice: random.Random, work: Path) -> Right:
    path = work / dice.choice(ARCHIVES)
    shutil.copyfile(material.root / path.name, path)
    damage(path, dice)
    before = sorted(work.parent.iterdir())
    samples = tg.load(path)
    return 0 < len(samples) <= 2 * material.count and sorted(work.parent.iterdir()) == before


def _crafted_archive(_: Material, dice: random.Random, work: Path) -> Right:
    """Archives that somebody made with care; whatever comes out is inside of the cache."""
    name = dice.choice(tuple(crafted_archives()))
    path = crafted_archives()[name](work)
    tg.load(path)
    escaped = [at for at in work.rglob("*") if "escaped" in at.name and "cache" not in at.parts]
    return not escaped


def _store(material: Material, dice: random.Random, work: Path) -> Right:
    """A feature store: flipped, cut, deleted, or with an older or another store's file in it."""
    store = work / "store"
    shutil.copytree(material.root / "store", store)
    files = sorted(path for path in store.iterdir() if path.is_file())
    victim = dice.choice(files)
    kind = dice.randrange(4)
    if kind == 0 and victim.suffix == ".f32":  # rows of other photos
        rows = np.fromfile(victim, np.float32).reshape(-1, material.features.shape[1])
        dice.shuffle(order := list(range(len(rows))))
        rows[order].tofile(victim)
    elif kind == 1:
        others = [path for path in files if path != victim]
        shutil.copyfile(dice.choice(others), victim) if others else victim.unlink()
    else:
        damage(victim, dice)
    found = features_of(material.photos, store)  # of a batch of another size, the last bits differ
    return bool(np.allclose(found, material.features, rtol=1e-4, atol=1e-5))


def _zoo(material: Material, dice: random.Random, work: Path) -> Right:
    for name in ("zoo.toml", "own.safetensors"):
        shutil.copyfile(material.root / name, work / name)
    damage(work / dice.choice(("zoo.toml", "zoo.toml", "own.safetensors")), dice)
    backbone = load_backbone("ours", zoo=work / "zoo.toml")
    return bool(np.isfinite(sum_of(backbone)))


def _weights_file(material: Material, dice: random.Random, work: Path) -> Right:
    """Weights without a digest: what a flipped bit changes nobody can tell, but shapes and names have to fit."""
    path = work / dice.choice(("own.safetensors", "own.pth"))
    shutil.copyfile(material.root / path.name, path)
    damage(path, dice)
    load_backbone(SMALL, weights=str(path))
    return True


def _hub(material: Material, dice: random.Random, work: Path) -> Right:
    """A repository in the hub's cache."""
    from huggingface_hub import constants

    shutil.copytree(material.root / "hub", work / "hub")
    folder = work / "hub" / "models--someone--small" / "snapshots" / "main"
    damage(folder / dice.choice(("config.json", "config.json", "model.safetensors")), dice)
    before, constants.HF_HUB_CACHE = constants.HF_HUB_CACHE, str(work / "hub")
    try:
        load_backbone("hub:someone/small")
    finally:
        constants.HF_HUB_CACHE = before
    return True


def _decisions(material: Material, dice: random.Random, work: Path) -> Right:
    path = work / "suspects.csv"
    shutil.copyfile(material.root / path.name, path)
    damage(path, dice)
    from tsugiki.training.corrections import apply_decisions, choose

    return len(apply_decisions(tg.load(material.photos), choose(path))) < material.count


def _checkpoints(material: Material, dice: random.Random, work: Path) -> Right:
    """Checkpoints of a fine-tuning, which goes on from a whole one or begins anew."""
    folder = work / "checkpoints"
    before = _tuned(material, folder)
    damage(dice.choice([path for path in folder.rglob("*") if path.is_file()]), dice)
    return _tuned(material, folder) == before


def _tuned(material: Material, folder: Path) -> list[float]:
    from tsugiki.fine_tuning.fine_tune import fine_tune

    tg.set_seeds(0)  # of the head
    model = tg.Classifier("bundled:nae", classes=("pizza", "steak", "sushi"))
    settings = tg.FineTuneSettings(epochs=1, batch_size=8, precision="float32", patience=0, checkpoint_steps=1)
    result = fine_tune(model, tg.load(material.photos), settings, folder=folder, device="cpu")
    return [row["train_loss"] for row in result.history]


def _pictures(_: Material, dice: random.Random, work: Path) -> Right:
    """What a program holds, with something in it that is no picture or no label."""
    del work
    return load_odd_pictures(dice, _ODD)


def _addresses(material: Material, dice: random.Random, work: Path) -> Right:
    """A list of addresses; no network is asked but this machine's own."""
    return load_odd_addresses(material.photos, dice, work)


DOORS = (
    Door("a run's description", _description),
    Door("a run's weights", _weights_of_run),
    Door("a run's engine", _engine),
    Door("the cache of compiled networks", _engine_cache),
    Door("a run's tables and pages", _rest_of_run),
    Door("exports: ONNX, OpenVINO", _export, is_costly=True),
    Door("tables of photos: CSV, JSON, JSON lines, Parquet", _table),
    Door("archives: zip, tar, gz, bz2, xz", _archive),
    Door("archives made with care", _crafted_archive),
    Door("photos at addresses", _addresses),
    Door("pictures of a program", _pictures),
    Door("the feature store", _store),
    Door("a zoo", _zoo),
    Door("weights from a file", _weights_file),
    Door("the hub's cache", _hub),
    Door("a list of decisions", _decisions),
    Door("checkpoints", _checkpoints),
)
