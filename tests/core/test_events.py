"""Who listens hears its own request and nobody else's: threads, languages, silence, and what threads share."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from tsugiki.backbones.freezing import evaluating
from tsugiki.core.console import progress, quiet, say
from tsugiki.core.devices import full_precision
from tsugiki.core.display.screen import terminal
from tsugiki.core.events import Message, ProgressAdvanced, ProgressEnded, ProgressStarted, subscribe
from tsugiki.core.threads import ContextThreadPool, in_context
from tsugiki.locale.messages import language, speaking, tr, use_language

NO_DEVICE = "There is no device {name} on this machine."


def test_a_subscriber_gets_messages_and_progress_in_place_of_the_terminal(capsys):
    heard = []
    with subscribe(heard.append):
        say("talk")
        with progress("Working", 3) as tick:
            tick(2, "a note")
    number = heard[1].number
    assert heard == [
        Message("talk"),
        ProgressStarted(number, "Working", 3),
        ProgressAdvanced(number, 2, "a note"),
        ProgressEnded(number),
    ]
    say("to the terminal")
    assert capsys.readouterr().err == "to the terminal\n"


def test_progress_ends_when_the_work_fails():
    heard = []
    with pytest.raises(ZeroDivisionError), subscribe(heard.append), progress("Working", None):
        _ = 1 / 0
    assert heard[-1] == ProgressEnded(heard[0].number)


def test_subscribers_inside_of_each_other_all_listen_and_a_log_file_is_one_of_them(tmp_path, capsys):
    with (tmp_path / "log.txt").open("w") as log, subscribe(lambda event: print(event, file=log)), subscribe(terminal):
        say("both")
        with quiet():
            say("nobody")
    assert (tmp_path / "log.txt").read_text() == "Message(text='both')\n"
    assert capsys.readouterr().err == "both\n"


def test_who_subscribes_inside_of_silence_hears():
    heard = []
    with quiet(), subscribe(heard.append):
        say("talk")
    assert heard == [Message("talk")]


def test_two_threads_speak_two_languages_at_once_and_silence_is_nobody_elses():
    together = threading.Barrier(3)

    def request(name, silent):
        heard = []
        with subscribe(heard.append), speaking(name), quiet(silent):
            together.wait()
            say(tr(NO_DEVICE, name=name))
            together.wait()
        return heard

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(request, *words) for words in (("en", False), ("ja", False), ("ja", True))]
        english, japanese, silent = (one.result() for one in asked)
    assert english == [Message("There is no device en on this machine.")]
    assert japanese == [Message("この計算機にデバイス ja はありません。")]
    assert silent == []
    assert language() == "en"


def test_silence_that_overlaps_in_many_threads_leaves_none_behind(capsys):
    def work(number):
        with quiet():
            threading.Event().wait(0.001 * (number % 3))
        say("heard")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert capsys.readouterr().err == "heard\n" * 24


def test_threads_of_the_library_speak_for_the_request_that_started_them():
    heard = []
    with speaking("ja"), subscribe(heard.append), ContextThreadPool(2) as pool:
        assert list(pool.map(lambda _: language(), range(4))) == ["ja"] * 4
        thread = threading.Thread(target=in_context(lambda: say("talk")))
    thread.start()
    thread.join()
    assert heard == [Message("talk")]


def test_threads_that_others_start_speak_the_language_of_the_process():
    use_language("ja")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(language).result() == "ja"


@pytest.mark.parametrize("overlapping", ["precision", "mode"])
def test_what_threads_share_is_undone_by_the_last_one_only(overlapping):
    network = nn.Sequential(nn.Dropout(), nn.Linear(1, 1)).train()
    network[1].eval()

    def changed():
        return not torch.backends.cudnn.allow_tf32 if overlapping == "precision" else not network[0].training

    before = changed()
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    for stack, part in ((first, network), (second, network[0])):
        stack.enter_context(full_precision() if overlapping == "precision" else evaluating(part))
    first.close()
    assert changed()
    second.close()
    assert changed() == before
    assert not network[1].training
