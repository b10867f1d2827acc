"""Long work on every kind of screen: a bar on a terminal, a bar in a notebook's cell, a line now and then in a log."""

import io
import json
import re
import sys
import threading

import pytest

from tsugiki.core.console import progress, say, say_once, telling_once, working
from tsugiki.core.display.screen import Screen
from tsugiki.core.events import Message, ProgressAdvanced, ProgressEnded, ProgressStarted, subscribe
from tsugiki.locale.messages import speaking


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class _Log(io.StringIO):
    """Notes when something is written."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def write(self, text):
        super().write(text)
        if text.endswith("\n"):
            self.written.set()


@pytest.mark.robust(
    "surface", case="long work where nobody watches (a log, a pipe)", right="a line after two seconds, then more rarely"
)
def test_a_log_gets_a_line_where_work_takes_long(monkeypatch):
    log = _Log()
    monkeypatch.setattr(sys, "stderr", log)
    screen = Screen(patience=0.01)
    with speaking("ja"):
        screen(ProgressStarted(1, "Working", 5))
    screen(ProgressAdvanced(1, 2, "a note"))
    assert log.written.wait(10)
    screen(ProgressEnded(1))
    assert log.getvalue().splitlines()[0] in {"Working: 2 / 5", "Working: 0 / 5"}
    log.written.clear()
    screen(ProgressStarted(2, "One piece", None))
    assert log.written.wait(10)
    screen(ProgressEnded(2))
    assert log.getvalue().splitlines()[-1] == "One piece ..."


def test_short_work_leaves_no_line_and_no_thread(capsys):
    before = threading.active_count()
    with progress("Working", 3) as tick, working("One piece"):
        tick(3, "")
    assert capsys.readouterr() == ("", "")
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(10)
    assert threading.active_count() <= before


@pytest.mark.robust("surface", case="work inside of work on a terminal", right="two bars, and none is left behind")
def test_bars_stand_below_each_other_and_go(monkeypatch):
    watched = _Terminal()
    monkeypatch.setattr(sys, "stderr", watched)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with working("Outer"), progress("Inner", 4) as tick:
        tick(1, "a [note]")
        say("a line between")
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", watched.getvalue())
    for words in ("Outer", "Inner", "4", "a [note]", "a line between"):
        assert words in shown
    assert watched.getvalue().endswith("\x1b[?25h") or "\x1b[2K" in watched.getvalue()
    watched.truncate(0)
    say("afterwards")
    assert watched.getvalue().strip("\x00") == "afterwards\n"


def test_what_goes_into_a_file_meanwhile_stays_there(monkeypatch, capfd):
    """A bar on the terminal must not draw results onto itself that somebody sends into a file."""
    watched = _Terminal()
    monkeypatch.setattr(sys, "stderr", watched)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Working", 4):
        sys.stdout.write("a result\n")
    assert capfd.readouterr().out == "a result\n"
    assert "a result" not in watched.getvalue()


def test_a_thing_is_told_once_within_one_piece_of_work():
    heard = []
    with subscribe(heard.append):
        with telling_once():
            say_once("engine", "one")
            with telling_once():
                say_once("engine", "again")
            say_once("other", "two")
        say_once("engine", "three")
        say_once("engine", "four")
    assert heard == [Message("one"), Message("two"), Message("three"), Message("four")]


CELLS = [
    "import time\nfrom tsugiki.core.console import progress, working",
    "with progress('Step by step', 8) as tick:\n    for _ in range(8):\n        time.sleep(0.1); tick(1, '<b>')",
    "with working('One piece'):\n    time.sleep(0.6)",
    "with progress('Short', 8) as tick:\n    tick(8, '')",
]


@pytest.mark.long
@pytest.mark.robust("surface", case="long work in a notebook", right="one bar per work that moves; short work shows none")
def test_a_notebook_sees_long_work_move(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    spec = tmp_path / "kernels" / "here"
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, kernel_name="here", timeout=60)
    updates = []
    handle = client.process_message

    def noted(message, cell, cell_index):
        if message["msg_type"] in {"display_data", "update_display_data"}:
            updates.append((cell_index, message["content"]["data"]["text/plain"]))
        return handle(message, cell, cell_index)

    monkeypatch.setattr(client, "process_message", noted)
    client.execute()
    assert len({text for at, text in updates if at == 1}) >= 3
    assert [text.split(" ")[:4] for at, text in updates if at == 1][-1] == ["Step", "by", "step:", "8/8"]
    assert any(at == 2 and text.startswith("One piece:") for at, text in updates)
    assert not [text for at, text in updates if at == 3]
    shown = [[output["data"] for output in cell.outputs if "data" in output] for cell in notebook.cells]
    assert [len(data) for data in shown] == [0, 1, 1, 0]
    assert "<b>" not in shown[1][0]["text/html"].replace("<div", "")
