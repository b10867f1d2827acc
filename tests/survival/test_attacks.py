"""Survival is tested by attack: what each attack counts as a fault is counted zero times. The large ones are `slow`."""

import sys

import pytest

from tests.survival.attacks import attacked
from tsugiki.cli.main import VERBS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="attacks fork, and limit address space")


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="photos of every format with flipped bits, cut off, spliced, with heads that lie: 3,000, and 100,000 in `slow`",
    right="each is decoded as two independent decoders do, or named and left out; no crash, no hang, bounded memory",
)
@pytest.mark.parametrize("files", [3000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
def test_damaged_photos_are_decoded_rightly_or_named(files):
    for module in ("cv2", "imagecodecs", "tifffile", "pi_heif"):
        pytest.importorskip(module)
    counts = attacked("decoders", "--count", files, "--jobs", "1" if files == 3000 else "2")
    assert counts["tried"] == counts["decoded"] + counts["named"] == files
    assert min(counts["named"], counts["decoded"]) > files // 5
    assert counts["like two others"] > files // 10
    assert counts["disagreements"] == counts["crashes"] == counts["hangs"] == 0
    assert counts["paths apart"] < files / 500


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="damaged run folders, engines, tables, archives, stores, zoos, weights, hub caches, decisions and checkpoints",
    right="a sentence of the program, or a right result; never a traceback, never a wrong feature",
)
@pytest.mark.parametrize("tries", [1, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
def test_every_door_ends_in_a_sentence_or_a_right_result(tries):
    pytest.importorskip("pyarrow")
    counts = attacked("doors", "--count", tries)
    assert counts["tried"] == tries * counts["doors"] == counts["named"] + counts["right"]
    assert counts["doors"] >= 14
    assert counts["tracebacks"] == counts["wrong results"] == counts["crashes"] == counts["hangs"] == 0


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="names that are HTML, scripts, escapes, marks of direction, line breaks, formulas, no UTF-8, or 240 letters long",
    right="shown as names in all that every verb writes and the server answers: pages, cards, terminal, tables, JSON, files",
)
@pytest.mark.parametrize("languages", [["en"], pytest.param(["en", "ja"], marks=pytest.mark.slow)])
def test_no_name_is_more_than_a_name_in_any_output(languages):
    counts = attacked("names", *(word for language in languages for word in ("--only", language)))
    assert counts["names"] > 40
    assert counts["verbs"] == len({*VERBS, "data"})
    assert counts["outputs"] > 150 * len(languages)
    assert counts["unescaped"] == 0


DEATHS = ("kills", "signals", "full disks")


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="killed before a change of the disk, at a system call that writes or at any moment, interrupted, disk full",
    right="no run or store is corrupt, no photo changed, nothing left behind, and the same command ends as if nothing had been",
)
def test_sudden_death_leaves_no_trace():
    from tools.attack.small_disks import may_mount
    from tools.attack.writing_calls import may_trace

    kinds = [*DEATHS, *["kills at calls"] * may_trace(), *["small disks"] * may_mount()]
    counts = attacked("deaths", "--count", 2, "--warm", *(word for kind in kinds for word in ("--only", kind)))
    assert [counts[kind] for kind in kinds] == [2] * len(kinds)
    assert counts["corrupt"] == counts["lost"] == counts["left behind"] == counts["tracebacks"] == 0


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_sudden_deaths_leave_no_trace():
    counts = attacked("deaths", "--count", 200)
    assert counts["kills"] == 400
    assert counts["corrupt"] == counts["lost"] == counts["left behind"] == counts["tracebacks"] == 0


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="32 open files, no home; in `slow` also one core, 512 MB of memory, no /dev/shm, a read-only cache",
    right="the same run as anywhere, or what is missing in a sentence",
)
@pytest.mark.parametrize("only", [["32 open files", "no home"], pytest.param([], marks=pytest.mark.slow)])
def test_a_machine_that_has_little_does_the_same_or_says_why_not(only):
    counts = attacked("resources", *(word for name in only for word in ("--only", name)))
    assert counts["conditions"] >= 2
    assert counts["as anywhere"] >= 2
    assert counts["tracebacks"] == counts["wrong results"] == 0
