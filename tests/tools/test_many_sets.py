"""The table of many sets: the same photos for everyone, what is finished is not done again, and ranks that add up."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import many_sets
from benchmarks.contenders.asked import read_table
from benchmarks.contenders.process import Outcome, reason, run_contender
from benchmarks.contenders.roster import CONTENDERS, Contender, Files
from benchmarks.contenders.tsugiki_fit import choice
from benchmarks.many_sets import names_of, prepared, run_all
from benchmarks.many_sets_page import About, PhotoSet, body, mean_ranks, scored, summary

NAE = ("bundled:nae", "default")


def _photos(root, per_class=10):
    """Two classes by colour, their names and folder with spaces."""
    rng = np.random.default_rng(0)
    for name, colour in (("red ones", (200, 40, 40)), ("blue ones", (40, 40, 200))):
        for number in range(per_class):
            path = root / name / f"photo {number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((rng.integers(0, 50, (24, 24, 3)) + colour).astype(np.uint8)).save(path)
    return root


def _outcome(answers=(), failed=""):
    return Outcome(list(answers), seconds=1.0, cpu_seconds=2.0, load=0.5, failed=failed)


def _score(right, of=10, failed=""):
    """A contender that answers the first ``right`` photos as they are labelled."""
    test = [type("Photo", (), {"label": "a"})] * of
    return scored(_outcome(["a"] * right + ["b"] * (of - right), failed), test)


def test_equals_share_a_rank_and_who_failed_is_last():
    scores = {
        "one": {"tsugiki_transfer": _score(9), "sklearn": _score(9), "article_frozen": _score(5)},
        "two": {"tsugiki_transfer": _score(8), "sklearn": _score(4), "article_frozen": _score(0, failed="no memory")},
    }
    assert mean_ranks(scores) == {"tsugiki_transfer": 1.25, "sklearn": 1.75, "article_frozen": 3.0}


def test_who_was_not_run_on_every_set_is_not_ranked():
    scores = {"one": {"tsugiki_transfer": _score(5), "sklearn": _score(9)}, "two": {"tsugiki_transfer": _score(5)}}
    assert mean_ranks(scores) == {"tsugiki_transfer": 1.0}
    lines = summary(scores, "tsugiki_transfer").splitlines()
    first, second = (next(line for line in lines if line.startswith(f"| {CONTENDERS[name].title} |")) for name in scores["one"])
    assert "| 50.0% | 1.0 |" in first
    assert (
        "| - | - | +40.0 (0 better, 0 worse) | 1.0x (CPU 1.0x) |" in second
    )  # on the one set that both finished, four photos: cannot be told
    assert lines.index(first) < lines.index(second)


def test_a_failure_is_shown_with_its_reason_and_the_others_go_on():
    scores = {
        "s": {
            "tsugiki_transfer": _score(9),
            "hf_frozen": _score(0, failed="OSError: no | in '/home/me/sets/one/photos.csv' or a/b, 1/2"),
        }
    }
    page = body([PhotoSet("s", "s", 2, 20, 10)], scores, About("tsugiki_transfer", "typed"), picture="p.png")
    assert "failed: OSError: no \\| in 'one/photos.csv' or a/b, 1/2 |" in page
    assert "90.0%" in page


def test_seconds_are_of_the_sets_that_were_finished():
    scores = {
        "one": {"tsugiki_transfer": _score(9), "sklearn": _score(9), "hf_frozen": _score(0, failed="no memory")},
        "two": {"tsugiki_transfer": _score(8), "sklearn": _score(0, failed="no memory")},
    }
    lines = summary(scores, "tsugiki_transfer").splitlines()
    ends = {name: next(line for line in lines if line.startswith(f"| {CONTENDERS[name].title} |")) for name in scores["one"]}
    assert ends["tsugiki_transfer"].endswith("| 2 | 4 | 2 of 2 |")
    assert ends["sklearn"].endswith("| 1 | 2 | 1 of 2 |")
    assert ends["hf_frozen"].endswith("| - | - | 0 of 2 |")


def test_the_page_tells_the_command_that_was_typed_but_no_folder_of_this_machine(tmp_path, monkeypatch):
    told: list[About] = []
    monkeypatch.setattr(many_sets, "prepared", lambda name, *_: PhotoSet(name, name, failed="not here"))
    monkeypatch.setattr(many_sets, "write_page", lambda *given, **_: told.append(given[3]))
    folders = [tmp_path / "a" / "my photos", tmp_path / "b" / "my photos"]
    words = [
        *map(str, folders),
        "--contenders",
        "sklearn",
        "tsugiki_two",
        "--against",
        "tsugiki_two",
        "--limit",
        "30",
        "--kept",
    ]
    monkeypatch.setattr("sys.argv", ["many_sets", *words, "--work", str(tmp_path / "work")])
    many_sets.main()
    assert told[-1].against == "tsugiki_two"
    assert told[-1].command == (
        "python -m benchmarks.many_sets 'a/my photos' 'b/my photos' --contenders sklearn tsugiki_two --against tsugiki_two "
        "--limit 30"
    )
    monkeypatch.setattr("sys.argv", ["many_sets", str(folders[0]), f"--work={tmp_path / 'work'}"])
    many_sets.main()
    assert told[-1].command == "python -m benchmarks.many_sets 'a/my photos'"


def test_names_tell_folders_apart():
    assert names_of([Path("/x/a/photos"), Path("/x/b/photos"), Path("/x/c")]) == ["a/photos", "b/photos", "c"]
    with pytest.raises(SystemExit, match="twice"):
        names_of([Path("/x"), Path("/x")])


def test_a_folder_without_splits_is_drawn_once_for_everyone(tmp_path, monkeypatch):
    folder, place = _photos(tmp_path / "my photos"), tmp_path / "work" / "set"
    place.mkdir(parents=True)
    found = prepared("my photos", folder, place, NAE)
    assert (found.drawn, found.classes, found.train, found.test) == (True, 2, 16, 4)
    train, test = read_table(place / "photos.csv")
    assert (len(train), len(test)) == (16, 4)
    assert all(photo.path.is_absolute() and photo.path.parent.name == photo.label for photo in [*train, *test])
    before = (place / "photos.csv").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(many_sets, "look", lambda *_: pytest.fail("looked at again"))
        assert prepared("my photos", folder, place, NAE) == found
    (folder / "red ones" / "photo 0.png").unlink()
    again = prepared("my photos", folder, place, NAE)
    assert again.train + again.test == 19
    assert (place / "photos.csv").read_bytes() != before


def test_splits_that_a_folder_has_are_kept(tmp_path):
    folder = tmp_path / "set"
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        _photos(folder / split, count)
    found = prepared("set", folder, tmp_path, NAE)
    assert (found.drawn, found.train, found.test) == (False, 12, 6)
    _, test = read_table(tmp_path / "photos.csv")
    assert {photo.path.parent.parent.name for photo in test} == {"test"}


def test_a_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    told = prepared("empty", tmp_path / "empty", tmp_path, NAE).failed
    assert "photos" in told
    assert str(tmp_path) not in told


def test_an_interrupted_run_goes_on_and_a_failure_is_tried_again(tmp_path, monkeypatch):
    table = tmp_path / "photos.csv"
    table.write_text("path,label,split\n/a.png,a,train\n/b.png,b,train\n/c.png,a,test\n", encoding="utf-8")
    asked = argparse.Namespace(contenders=["tsugiki_transfer", "sklearn", "hf_frozen"], again=[], limit=None, kept=False)
    files = Files(tmp_path, tmp_path / "zoo.toml")
    one = PhotoSet("set", "set", 2, 2, 1)
    begun: list[str] = []
    broken = {"hf_frozen": KeyboardInterrupt(), "sklearn": None}
    modules = {CONTENDERS[name].module: name for name in asked.contenders}

    def run(module, words, *, limit):
        assert (words[0], limit) == (table, None)
        name = modules[module]
        begun.append(name)
        if isinstance(broken.get(name), BaseException):
            raise broken[name]
        return _outcome([]) if name in broken else _outcome(["a"])

    monkeypatch.setattr(many_sets, "run_contender", run)
    with pytest.raises(KeyboardInterrupt):
        run_all(one, tmp_path, files, asked)
    assert begun == ["tsugiki_transfer", "sklearn", "hf_frozen"]
    begun.clear()
    asked.kept = True
    assert set(run_all(one, tmp_path, files, asked)) == {"tsugiki_transfer"}
    assert begun == []
    asked.kept = False
    broken.clear()
    found = run_all(one, tmp_path, files, asked)
    assert begun == ["sklearn", "hf_frozen"]  # the one had left a photo unanswered, the other was interrupted
    assert [outcome.failed for outcome in found.values()] == ["", "", ""]
    begun.clear()
    assert run_all(one, tmp_path, files, asked) == found
    assert begun == []
    table.write_text(table.read_text(encoding="utf-8").replace("/c.png", "/d.png"), encoding="utf-8")
    run_all(one, tmp_path, files, asked)
    assert begun == asked.contenders
    begun.clear()
    asked.again = ["sklearn"]
    run_all(one, tmp_path, files, asked)
    assert begun == ["sklearn"]


@pytest.mark.long
def test_the_program_itself_answers_every_held_out_photo(tmp_path, monkeypatch):
    folder, work = _photos(tmp_path / "my photos"), tmp_path / "work"
    monkeypatch.setitem(CONTENDERS, "tsugiki_transfer", Contender("nae", "tsugiki_fit", ("--backbone", NAE[0])))
    monkeypatch.setattr(many_sets, "prepared", lambda name, folder, place, _: prepared(name, folder, place, NAE))
    monkeypatch.setattr("sys.argv", ["many_sets", str(folder), "--contenders", "tsugiki_transfer", "--work", str(work)])
    many_sets.main()
    page = (work / "many_sets.md").read_text(encoding="utf-8")
    assert "| nae | 100.0% | 1.0 |" in page
    assert f"'{tmp_path.name}/my photos' --contenders tsugiki_transfer`" in page
    assert str(tmp_path) not in page
    assert (work / "many_sets.png").stat().st_size > 1000


def test_what_a_run_chose_itself_is_told():
    assert choice({"method": "transfer"}) == ""
    assert choice({"method": "transfer", "asked_for": "auto", "ranking": {"best": "A+B"}}) == "A+B, transfer"


def test_a_contender_that_takes_too_long_is_stopped():
    assert run_contender("tsugiki_fit", [], limit=0.01).failed == "stopped after 0 s"


def test_a_contender_that_cannot_run_says_why():
    assert "benchmarks.contenders.nobody" in run_contender("nobody", []).failed
    assert reason("warning\nTraceback (most recent call last):\n  File x\nValueError: no photos\n") == "ValueError: no photos"
    assert reason("a\nb\n\nc\nd\ne\n") == "b c d e"
