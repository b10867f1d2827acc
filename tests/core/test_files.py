"""Files and folders are whole or absent, whatever happens while they are written."""

import json
import os
import stat
import subprocess
import sys

import pytest

from tsugiki.core import files
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.core.files import (
    at_work,
    atomic_folder,
    atomic_path,
    cache_folder,
    is_at_work,
    recover_folder,
    sha256_of,
    write_atomically,
    write_json,
)


def _names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def _write_and_fail(path, error):
    path.write_text("half")
    raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_file_leaves_the_old_one_and_no_rest(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        _write_and_fail(temporary, error)
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_a_file_is_replaced_and_readable_by_others(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_atomically(path, "猫")
    write_atomically(path, "犬")
    assert path.read_text(encoding="utf-8") == "犬"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    assert _names(path.parent) == ["a.txt"]


def _umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_json_keeps_every_letter(tmp_path):
    write_json(tmp_path / "a.json", {"class": "接ぎ木 é"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "接ぎ木 é" in text
    assert json.loads(text) == {"class": "接ぎ木 é"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_folder_leaves_the_old_one_and_no_rest(tmp_path, error):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(error), atomic_folder(path) as temporary:
        _write_and_fail(temporary / "new", error)
    assert _names(path) == ["old"]
    assert _names(tmp_path) == ["run"]


def test_a_folder_replaces_the_old_one_wholly(tmp_path):
    path = tmp_path / "run"
    for name in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / name).touch()
    assert _names(path) == ["new"]
    assert _names(tmp_path) == ["run"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~_umask()


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_the_old_folder_comes_back_when_the_new_one_cannot_be_moved_in(tmp_path, monkeypatch, error):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").touch()
    rename = type(path).rename

    def failing(self, target):
        if self.name.startswith(".run.") and target == path:
            raise error
        return rename(self, target)

    monkeypatch.setattr(files.Path, "rename", failing)
    with pytest.raises(error), atomic_folder(path) as temporary:
        (temporary / "new").touch()
    monkeypatch.undo()
    assert _names(path) == ["old"]
    assert _names(tmp_path) == ["run"]


def test_an_old_folder_that_cannot_be_put_back_is_kept_and_named(tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").touch()
    rename = type(path).rename

    def somebody_was_faster(self, target):
        if self.name.startswith(".run.") and target == path:
            path.mkdir()
            (path / "theirs").touch()
        return rename(self, target)

    monkeypatch.setattr(files.Path, "rename", somebody_was_faster)
    with pytest.raises(TsugikiError) as caught, atomic_folder(path) as temporary:
        (temporary / "new").touch()
    monkeypatch.undo()
    assert _names(path) == ["theirs"]
    (kept,) = tmp_path.glob("run.old-*")  # a name that nothing clears away
    assert _names(kept) == ["old"]
    assert str(kept) in str(caught.value)


def _aside(folder):
    """What a process that was killed while it replaced ``run`` leaves: the old folder, moved away and not yet deleted."""
    aside = folder / ".run.old.abcd_123"
    (aside / "run").mkdir(parents=True)
    (aside / "run" / "old").touch()
    os.utime(aside, (1, 1))
    return aside


@pytest.mark.robust(
    "hostile",
    case="a save that was killed just after its new run stood in place",
    right="the next save clears the old one away, and nothing else",
)
def test_what_a_killed_save_has_moved_away_is_cleared_by_the_next_one(tmp_path):
    _aside(tmp_path)
    for theirs in (".run.old.abcd", ".run.old.abcd-1234", ".run2.old.abcd1234", "run.old-abcd1234"):
        (tmp_path / theirs).mkdir()
    (tmp_path / "run").mkdir()
    with atomic_folder(tmp_path / "run") as temporary:
        (temporary / "new").touch()
    assert _names(tmp_path / "run") == ["new"]
    assert _names(tmp_path) == [".run.old.abcd", ".run.old.abcd-1234", ".run2.old.abcd1234", "run", "run.old-abcd1234"]


@pytest.mark.robust(
    "hostile",
    case="a save that was killed between moving the old run away and the new one in",
    right="the old run is put back by the next command that asks for it",
)
def test_what_a_killed_save_has_moved_away_is_put_back(tmp_path):
    _aside(tmp_path)
    recover_folder(tmp_path / "run")
    assert _names(tmp_path / "run") == ["old"]
    assert _names(tmp_path) == ["run"]


def test_what_a_living_save_has_moved_away_is_left_to_it(tmp_path):
    aside = _aside(tmp_path)
    with files._held(aside):
        recover_folder(tmp_path / "run")
        files._sweep(tmp_path / "run")
    assert _names(tmp_path) == [".run.old.abcd_123"]
    assert _names(aside / "run") == ["old"]


@pytest.mark.robust(
    "hostile", case="two trainings in one place at once", right="the second is refused, with who is at work there"
)
def test_one_works_in_a_folder_at_a_time(tmp_path):
    folder = tmp_path / "run.unfinished"
    with at_work(folder):
        assert is_at_work(folder)
        with pytest.raises(RequestError, match=f"process {os.getpid()}"), at_work(folder):
            pass
    assert not is_at_work(folder)
    assert _names(folder) == []
    (folder / "at-work.json").write_text("{")  # of a process that was killed: its lock is gone with it
    with at_work(folder):
        pass
    assert not is_at_work(tmp_path / "nowhere")


def test_there_is_a_cache_without_a_home(monkeypatch):
    for name in ("TSUGIKI_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(files.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert cache_folder().name.startswith("tsugiki-")


def test_an_old_folder_that_cannot_be_moved_away_stays(tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").touch()
    rename = type(path).rename

    def failing(self, target):
        if self == path:
            raise PermissionError
        return rename(self, target)

    monkeypatch.setattr(files.Path, "rename", failing)
    with pytest.raises(PermissionError), atomic_folder(path) as temporary:
        (temporary / "new").touch()
    assert _names(path) == ["old"]
    assert _names(tmp_path) == ["run"]


def test_a_relative_folder_and_a_link_that_leads_nowhere_are_places_like_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("plain", "link"):
        with atomic_folder(files.Path(name)) as temporary:
            (temporary / "new").touch()
        assert _names(tmp_path / name) == ["new"]


def test_sha256_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_cache_is_where_one_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("TSUGIKI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "tsugiki"


@pytest.mark.skipif(os.name == "nt", reason="files have no locks there")
@pytest.mark.robust(
    "hostile",
    case="a process killed while it wrote a file: a picture, a checkpoint, an entry of a cache",
    right="what it has left is cleared away by the next one, and nothing else",
)
def test_half_files_of_killed_processes_are_cleared_away(tmp_path):
    theirs = [".curves.png.txt", ".curves.png.ABCDEFGH", ".other.png.abcdefgh"]
    for name in (*theirs, ".curves.png.abcdefgh"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (0, 0))
    with atomic_path(tmp_path / "curves.png") as living:
        os.utime(living, (0, 0))
        files.write_atomically(tmp_path / "curves.png", "new")
        assert living.exists()
    assert _names(tmp_path) == sorted([*theirs, "curves.png"])
    (tmp_path / ".curves.png.zzzzzzzz").touch()  # just made: it may not be held yet
    with atomic_path(tmp_path / ".held.x") as held:
        os.utime(held, (0, 0))
        files.sweep_own_folder(tmp_path)
        assert held.exists()
    assert _names(tmp_path) == sorted(
        [".curves.png.ABCDEFGH", ".curves.png.txt", ".curves.png.zzzzzzzz", ".held.x", "curves.png"]
    )


@pytest.mark.skipif(os.name == "nt", reason="folders have no locks there")
def test_what_a_killed_process_has_left_is_cleared_away_and_nothing_else(tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from tsugiki.core.files import atomic_folder
with atomic_folder(Path(sys.argv[1])) as temporary:
    (temporary / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "run"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    (left,) = tmp_path.iterdir()
    os.utime(left, (0, 0))
    (tmp_path / ".run.settings").mkdir()
    (tmp_path / ".run2.under-way-abcdefgh").mkdir()
    with atomic_folder(path) as living:
        os.utime(living, (0, 0))
        with atomic_folder(path) as temporary:
            (temporary / "new").write_text("new")
        assert living.is_dir()
        assert not left.exists()
    assert _names(tmp_path) == [".run.settings", ".run2.under-way-abcdefgh", "run"]
