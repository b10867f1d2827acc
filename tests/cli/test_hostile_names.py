"""Names of classes and files are other people's: none of them steers the terminal, and none is lost."""

import csv
import io
import json
import os
import re
import shutil

import pytest

import tsugiki as tg
from tsugiki.core.console import complain, emit, emit_exactly, progress, say
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import RequestError

ESC, OSC, RTL, BELL = "\x1b[31m", "\x1b]0;title\x07", "\u202e", "\x9b5m"
HOSTILE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
CLASSES = (f"cat{ESC}", f"dog{OSC}{RTL}gpj", f"fox{BELL}\nEngine: none")


@pytest.fixture(scope="module")
def photos(dishes, tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    for name, dish in zip(CLASSES, ("pizza", "steak", "sushi"), strict=True):
        for split, count in (("train", 8), ("test", 3)):
            (root / split / name).mkdir(parents=True)
            for path in sorted((dishes / split / dish).iterdir())[:count]:
                shutil.copyfile(path, root / split / name / f"{path.stem}{ESC}{RTL}.jpg")
    (root / "test" / CLASSES[0] / f"broken{ESC}\n.jpg").write_bytes(b"<html>")
    return root


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="file names there hold no such letters")
@pytest.mark.robust(
    "hostile", case="class and file names with ESC, OSC and RTL marks", right="written out wherever they are shown"
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_name_steers_the_terminal(tsu, photos, tmp_path, monkeypatch, language):
    monkeypatch.chdir(tmp_path)
    speak = ("--lang", language)
    run = tmp_path / f"run{ESC}"
    told = [tsu(*speak, "fit", photos, "--backbone", "bundled:nae", "--epochs", "5", "--out", run)]
    told.append(tsu(*speak, "fit", photos, "--backbone", "bundled:nae", "--out", run))
    told.append(tsu(*speak, "evaluate", run, photos, "--out", "judged"))
    told.append(tsu(*speak, "audit", photos))
    told.append(tsu(*speak, "predict", run, photos / "test"))
    told.append(tsu(*speak, "predict", run, photos / f"gone{ESC}.jpg"))
    told.append(tsu(*speak, "explain", run, next((photos / "test" / CLASSES[1]).iterdir()), "--class", f"x{ESC}"))
    told.append(tsu(*speak, "plot", run, "--data", photos, "--out", f"plots{RTL}"))
    told.append(tsu(*speak, "fit", photos / CLASSES[0]))
    told.append(tsu(*speak, f"fit{ESC}"))
    assert [status for status, _, _ in told] == [0, 2, 0, 0, 1, 2, 2, 0, 2, 2]
    for number, (_, out, err) in enumerate(told):
        lines = out.splitlines() if number in {2, 4} else []  # paths that programs read are exact where no terminal is
        assert not HOSTILE.search("".join(lines) + err), (number, err)
    assert not any(line.startswith("Engine: none") for _, _, err in told for line in err.splitlines())


@pytest.mark.skipif(os.name == "nt", reason="file names there hold no such letters")
@pytest.mark.robust("hostile", case="such names in CSV and JSON", right="read back letter by letter")
def test_programs_read_the_true_names(tsu, photos, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    tsu("fit", photos, "--backbone", "bundled:nae", "--epochs", "5", "--out", folder)
    status, out, _ = tsu("predict", folder, photos / "test", "--format", "json")
    assert status == 1
    assert not HOSTILE.search(out)
    answers = json.loads(out)
    assert tuple(answers[0]["probabilities"]) == CLASSES
    assert all(os.path.exists(answer["path"]) for answer in answers)  # noqa: PTH110 (as they stand)
    _, out, _ = tsu("predict", folder, photos / "test", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["path"] for row in rows] == [answer["path"] for answer in answers]
    monkeypatch.setattr("sys.stdout", _Terminal())
    emit_exactly(out)
    import sys

    assert not HOSTILE.search(sys.stdout.getvalue())


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", [ESC, OSC, RTL, BELL, "\x7f", "\u2067", "\ud800", "\U000e0041", "\r", "\x00"])
def test_every_way_to_the_terminal_writes_it_out(capsys, monkeypatch, name):
    emit(f"a{name}")
    say(f"b{name}")
    complain(f"c{name}")
    complain(str(RequestError(f"d{name}", got=f"e{name}\nnext: rm", cure=f"f{name}")))
    out, err = capsys.readouterr()
    assert not HOSTILE.search(out + err)
    assert [line[0] for line in (out + err).splitlines() if not line.startswith(" ")] == ["a", "b", "c", "d"]
    watched = _Terminal()
    monkeypatch.setattr("sys.stderr", watched)
    monkeypatch.setenv("TERM", "xterm")
    with progress(f"g{name}[bold]", 2) as tick:
        tick(1, f"h{name}")
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]|\r", "", watched.getvalue())
    assert not HOSTILE.search(shown)
    assert "[bold]" in shown


def test_what_harms_nobody_stays_as_it_is():
    for name in ("写真 é", "नमस्ते", "👩\u200d🔬", "می\u200cروم", "שלום", "a\tb\nc"):
        assert visible(name) == name
    assert visible("a\tb\nc", one_line=True) == r"a\u0009b\u000ac"
    assert json.loads(f'"{visible(RTL + chr(0xE0041))}"') == RTL + chr(0xE0041)


def test_a_value_prints_as_one_harmless_line(photos):
    from tsugiki.core.console import quiet

    with quiet():
        samples = tg.load(photos)
    assert not HOSTILE.search(repr(samples) + samples._repr_html_())
