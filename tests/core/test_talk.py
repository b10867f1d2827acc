"""What is said, in which language, and where it goes."""

import io
import shlex
import subprocess
import sys

import pytest

from tsugiki.core import console
from tsugiki.core.console import complain, emit, progress, quiet, say, typed
from tsugiki.locale import messages
from tsugiki.locale.messages import in_a_row, language, listed, speaking, tr, use_language


def test_results_and_talk_go_separate_ways(capsys):
    emit("a result")
    say("talk")
    assert capsys.readouterr() == ("a result\n", "talk\n")


def test_quiet_silences_talk_and_never_results(capsys):
    with quiet():
        say("talk")
        with quiet(silent=False):  # a part that may talk says nothing inside of one that may not
            say("more talk")
        emit("a result")
    say("talk again")
    assert capsys.readouterr() == ("a result\n", "talk again\n")


def test_quiet_ends_with_its_block_however_it_ends(capsys):
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    say("talk")
    assert capsys.readouterr().err == "talk\n"


def test_of_several_processes_the_main_one_is_heard_and_the_one_that_fails(capsys, monkeypatch):
    for name, value in (("LOCAL_RANK", "1"), ("WORLD_SIZE", "4"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "29500")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "3")
    say("talk")
    emit("a result")
    assert capsys.readouterr() == ("", "")
    complain("no photos here", patience=0)
    assert capsys.readouterr() == ("", "Process 3: no photos here\n")
    monkeypatch.setenv("RANK", "0")
    with quiet():
        complain("no photos here")
    assert capsys.readouterr() == ("", "no photos here\n")


def test_no_bar_is_drawn_where_nobody_watches(capsys):
    with progress("Working", 3) as tick:
        tick(1, "a note")
    assert capsys.readouterr() == ("", "")


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_a_bar_with_the_note(monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Working", 3) as tick:
        tick(2, "a note")
    assert "Working" in terminal.getvalue()
    assert "2/3" in terminal.getvalue()
    assert "a note" in terminal.getvalue()
    with quiet(), progress("Silence", 3) as tick:
        tick(1, "")
    assert "Silence" not in terminal.getvalue()


def test_sentences_are_translated_and_filled():
    sentence = "There is no device {name} on this machine."
    assert tr(sentence, name="x") == "There is no device x on this machine."
    use_language("ja")
    assert tr(sentence, name="x") == "この計算機にデバイス x はありません。"
    assert tr("nobody translated {this}", this="that") == "nobody translated that"
    assert tr("braces {stay}") == "braces {stay}"


def test_a_language_that_is_not_spoken_is_refused():
    with pytest.raises(ValueError, match="en, ja"):
        use_language("fr")
    assert language() == "en"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"}, "ja"),
        ({"LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"LANG": "ja_JP.eucJP"}, "ja"),
        ({"LANG": "C"}, "en"),
    ],
)
def test_the_locale_decides_in_the_order_of_posix(monkeypatch, environment, expected):
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    use_language(None)
    messages._from_locale.cache_clear()
    try:
        assert language() == expected
    finally:
        messages._from_locale.cache_clear()


def test_the_ground_floor_is_light():
    words = (
        "import sys, tsugiki.core.console, tsugiki.core.errors, tsugiki.core.files, tsugiki.core.devices, tsugiki.core.seeds"
    )
    check = f"{words}; assert not {{'torch', 'numpy', 'rich'}} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
    assert console.__doc__


def test_a_row_and_its_sentences_are_spaced_as_the_language_spaces_them():
    with speaking("en"):
        assert (listed(["a", 2]), in_a_row("One.", "", "Two.")) == ("a, 2", "One. Two.")
    with speaking("ja"):
        assert (listed(["a", 2]), in_a_row("一。", "", "二。")) == ("a、2", "一。二。")


def test_a_path_in_a_command_is_typed_as_a_shell_reads_it():
    assert shlex.split(f"tsugiki predict {typed('runs/結果 é')} PHOTO") == ["tsugiki", "predict", "runs/結果 é", "PHOTO"]
    assert typed("runs/mine") == "runs/mine"
