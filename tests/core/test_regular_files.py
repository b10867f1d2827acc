"""Files that others have made are opened only where they are files, and read only as far as they are what they should be."""

import os

import pytest

from tsugiki.core.errors import RequestError
from tsugiki.core.files import check_file_place, check_folder_place, real_path, sha256_of, write_atomically
from tsugiki.core.regular_files import parse_json, read_toml


@pytest.mark.robust(
    "hostile", case="numbers of 5,000 digits in JSON, JSON lines or TOML", right="refused in a sentence, not in Python's words"
)
def test_numbers_that_python_does_not_read_are_a_sentence(tmp_path):
    (tmp_path / "a.toml").write_text("a = " + "7" * 5000, encoding="utf-8")
    for read in (lambda: parse_json('{"a": -' + "7" * 5000 + "}"), lambda: read_toml(tmp_path / "a.toml")):
        with pytest.raises(ValueError, match="a number of thousands of digits"):
            read()
    with pytest.raises(ValueError, match="too deep"):
        parse_json("[" * 100_000)
    assert parse_json('{"a": ' + "7" * 4000 + "}")["a"] % 10 == 7


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="files of these kinds are made on POSIX systems")
@pytest.mark.robust(
    "hostile", case="a pipe, a device or a folder where a file is to be written", right="refused, and left as it is"
)
def test_only_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "device", "folder"):
        with pytest.raises(RequestError, match="cannot be written"):
            check_file_place(tmp_path / name)
        with pytest.raises(OSError, match=r"regular file|directory"):
            write_atomically(tmp_path / name, "a")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "device").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["device", "folder", "pipe"]


@pytest.mark.robust(
    "hostile", case="a link that leads in a circle as data or --out", right="a place like others, or a sentence"
)
def test_links_in_circles_are_places_without_anything(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert real_path(loop).name == "loop"
    write_atomically(check_file_place(loop), "a")
    assert loop.read_text(encoding="utf-8") == "a"
    for place in (loop, loop / "below"):
        with pytest.raises(RequestError, match="is in the way"):
            check_folder_place(place)


def test_no_more_is_read_of_a_file_than_it_may_hold(tmp_path):
    (tmp_path / "a").write_bytes(bytes(100))
    assert sha256_of(tmp_path / "a", limit=100) == sha256_of(tmp_path / "a")
    with pytest.raises(OSError, match="too large"):
        sha256_of(tmp_path / "a", limit=99)
