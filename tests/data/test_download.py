"""Downloads against a real server on this machine that breaks, refuses, forgets and changes its mind."""

import errno
import io
import os
import threading
import urllib.request
import zipfile
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tsugiki.core.errors import DataError, RequestError, TsugikiError, UnknownName, UnsafeArchive
from tsugiki.core.http import Line, fetched
from tsugiki.data.sources import data_sets
from tsugiki.data.sources.data_sets import get_data


@dataclass
class Shop:
    """What the server gives and how it misbehaves."""

    content: bytes = b""
    ranges: bool = True
    tag: str = '"first"'
    break_after: list[int] = field(default_factory=list)  # bytes that each of the first answers sends
    status: int = 0
    chunked: bool = False
    asked: list[str] = field(default_factory=list)  # the Range header of every request


class Handler(BaseHTTPRequestHandler):
    def __init__(self, shop: Shop, *words):
        self.shop = shop
        super().__init__(*words)

    def log_message(self, *words):
        pass

    def do_GET(self):
        shop = self.shop
        wanted = self.headers.get("Range", "")
        shop.asked.append(wanted)
        if shop.status:
            self.send_error(shop.status)
            return
        start = 0
        if wanted and shop.ranges and self.headers.get("If-Range") == shop.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(shop.content) > 0:
            self.send_error(416)
            return
        if shop.chunked:
            self._send_chunks(shop.content[start:], start)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(shop.content) - 1}/{len(shop.content)}")
        self.send_header("ETag", shop.tag)
        self.send_header("Content-Length", str(len(shop.content) - start))
        self.end_headers()
        body = shop.content[start:]
        self.wfile.write(body[: shop.break_after.pop(0)] if shop.break_after else body)

    def _send_chunks(self, body, start):
        self.protocol_version = "HTTP/1.1"
        self.close_connection = True
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/*")
        self.send_header("ETag", self.shop.tag)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        count = self.shop.break_after.pop(0) if self.shop.break_after else None
        self.wfile.write(b"%x\r\n" % len(body) + body[:count])
        if count is None:
            self.wfile.write(b"\r\n0\r\n\r\n")


def fetch(address, target, *, timeout=8.0):
    with fetched(Line(address, DataError, "", timeout=timeout), target) as whole:
        whole.replace(target)


@pytest.fixture
def shop():
    return Shop(content=archive())


@pytest.fixture
def address(shop):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, shop))
    server.daemon_threads = False  # closing the server waits for its answers, so that no socket is left open
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/photos/food.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def photo(colour: int) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((48, 48), colour).save(stream, "PNG")
    return stream.getvalue()


def archive(*, top: str = "food/", files: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for split in ("train", "test"):
            for kind in ("pizza", "steak"):
                for number in range(3):
                    packed.writestr(f"{top}{split}/{kind}/{number}.png", photo(40 + number))
        for name, content in (files or {}).items():
            packed.writestr(name, content)
    return stream.getvalue()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_fetched_unpacked_and_tidied(address, shop, tmp_path):
    folder = get_data(address, to=tmp_path)
    assert folder == tmp_path / "food"
    assert "train/pizza/0.png" in names(folder)
    assert len(names(folder)) == 12
    assert {entry.name for entry in tmp_path.iterdir()} == {"food", "food.sha256"}
    assert (tmp_path / "food.sha256").read_text().startswith(sha256(shop.content).hexdigest())


def test_what_is_there_is_not_fetched_again(address, shop, tmp_path, capsys):
    get_data(address, to=tmp_path)
    get_data(address, to=tmp_path)
    assert len(shop.asked) == 1
    assert "nothing was fetched" in capsys.readouterr().err


def test_a_broken_line_is_continued_where_it_broke(address, shop, tmp_path):
    shop.break_after = [1000, 2500]
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content
    assert shop.asked == ["", "bytes=999-", "bytes=3498-"]
    assert names(tmp_path) == {"food.zip"}


def test_the_part_is_kept_for_the_next_call(address, shop, tmp_path):
    shop.break_after = [1000, 0]
    with pytest.raises(DataError, match="what came so far is kept"):
        get_data(address, to=tmp_path)
    assert (tmp_path / "food.download.part").stat().st_size == 1000
    assert len(names(get_data(address, to=tmp_path))) == 12
    assert shop.asked[-1] == "bytes=999-"


def test_a_transfer_in_chunks_that_breaks_is_continued_too(address, shop, tmp_path):
    """It says nowhere how long it is, and breaks with an error that is of no network."""
    shop.chunked, shop.break_after = True, [1000, 0]
    with pytest.raises(DataError, match="IncompleteRead"):
        fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip.part").stat().st_size == 1000
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content
    assert shop.asked[-1] == "bytes=999-"


def _disk_full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_not_the_networks_fault(address, tmp_path, monkeypatch):
    monkeypatch.setattr("tsugiki.core.http.write_json", _disk_full)
    with pytest.raises(TsugikiError, match="cannot be written") as caught:
        get_data(address, to=tmp_path)
    assert "make room on the disk" in caught.value.cure
    assert "could not be fetched" not in str(caught.value)


@pytest.mark.parametrize("too_full", ["while unpacking", "at the end", "by its size"])
def test_what_came_is_not_fetched_twice_because_there_was_no_room_to_unpack_it(address, shop, tmp_path, monkeypatch, too_full):
    if too_full == "while unpacking":
        monkeypatch.setattr("tsugiki.data.sources.archives.archive._write", _disk_full)
    elif too_full == "at the end":
        monkeypatch.setattr(Path, "rename", _disk_full)
    else:
        monkeypatch.setattr("tsugiki.data.sources.archives.archive._safe_parts", _too_much)
    with pytest.raises((OSError, DataError)):
        get_data(address, to=tmp_path)
    monkeypatch.undo()
    assert len(names(get_data(address, to=tmp_path))) == 12
    assert shop.asked == ["", f"bytes={len(shop.content) - 1}-"]
    assert {entry.name for entry in tmp_path.iterdir()} == {"food", "food.sha256"}


def _too_much(_):
    raise UnsafeArchive("too much for this disk")


def test_a_server_without_ranges_begins_again(address, shop, tmp_path):
    shop.ranges, shop.break_after = False, [1000]
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content


def test_a_changed_file_is_not_glued_to_the_old_part(address, shop, tmp_path):
    shop.break_after = [1000, 0]
    with pytest.raises(DataError):
        fetch(address, tmp_path / "food.zip")
    shop.content, shop.tag = shop.content[::-1], '"second"'
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content


def test_a_weak_tag_promises_nothing(address, shop, tmp_path):
    shop.tag, shop.break_after = 'W/"first"', [1000]
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content
    assert shop.asked == ["", ""]


def test_a_part_longer_than_the_file_is_begun_again(address, shop, tmp_path):
    shop.break_after = [1000, 0]
    with pytest.raises(DataError):
        fetch(address, tmp_path / "food.zip")
    shop.content = shop.content[:900]
    fetch(address, tmp_path / "food.zip")
    assert (tmp_path / "food.zip").read_bytes() == shop.content


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_says_no(address, shop, tmp_path, status):
    shop.status = status
    with pytest.raises(DataError, match=f"HTTP {status}") as caught:
        get_data(address, to=tmp_path)
    assert address in str(caught.value)
    assert len(shop.asked) == 1


def test_no_network_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setitem(data_sets.DATA_SETS, "pizza_steak_sushi", "http://127.0.0.1:9/pizza_steak_sushi.zip")
    asked = []
    urlopen = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda *words, **more: asked.append(more) or urlopen(*words, **more))
    with pytest.raises(DataError) as caught:
        get_data("pizza_steak_sushi", to=tmp_path)
    assert [more["timeout"] for more in asked] == [8.0]  # asked once, and with a limit
    for word in ("http://127.0.0.1:9/", "tsugiki data get path/to/pizza_steak_sushi.zip", "sample:foodvision"):
        assert word in str(caught.value)
    assert not (tmp_path / "pizza_steak_sushi").exists()


def test_a_silent_server_is_given_up(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DataError):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/x.zip", tmp_path / "x.zip", timeout=0.3)


def test_the_checksum_in_the_address_is_checked(address, shop, tmp_path):
    with pytest.raises(DataError, match="not the one that was asked for"):
        get_data(f"{address}#sha256={'0' * 64}", to=tmp_path)
    assert names(tmp_path) == set()
    good = f"{address}#sha256={sha256(shop.content).hexdigest()}"
    assert get_data(good, to=tmp_path) == get_data(good, to=tmp_path)
    with pytest.raises(RequestError, match="came from another file"):
        get_data(f"{address}#sha256={'0' * 64}", to=tmp_path)
    with pytest.raises(RequestError, match="64 hexadecimal"):
        get_data(f"{address}#md5=1", to=tmp_path)


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"", archive()[:-400]], ids=["page", "empty", "cut off"])
def test_what_is_no_whole_archive_is_refused_and_taken_away(address, shop, tmp_path, content):
    shop.content = content
    with pytest.raises(DataError):
        get_data(address, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_photo_inside_is_found(address, shop, tmp_path):
    middle = len(shop.content) // 3
    shop.content = shop.content[:middle] + b"\0" * 60 + shop.content[middle + 60 :]
    with pytest.raises(DataError):
        get_data(address, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_photos_is_refused(address, shop, tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("readme.txt", "hello")
    shop.content = stream.getvalue()
    with pytest.raises(DataError, match="no labelled photos"):
        get_data(address, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_persons_own_archive_is_left_alone(tmp_path):
    own = tmp_path / "写真 é.zip"
    own.write_bytes(archive(top=""))
    folder = get_data(own, to=tmp_path / "data")
    assert own.is_file()
    assert folder.name == "写真 é"
    assert len(names(folder)) == 12
    assert get_data(own.as_uri(), to=tmp_path / "other").name == "写真 é"
    assert own.is_file()


def test_an_archive_with_a_manifest_is_a_data_set_too(tmp_path):
    table = "path,label\n" + "".join(f"all/{number}.png,{'ab'[number % 2]}\n" for number in range(6))
    own = tmp_path / "table.zip"
    with zipfile.ZipFile(own, "w") as packed:
        packed.writestr("photos.csv", table)
        for number in range(6):
            packed.writestr(f"all/{number}.png", photo(number + 1))
    folder = get_data(own, to=tmp_path / "data")
    assert "photos.csv" in names(folder)
    assert get_data(own, to=tmp_path / "data") == folder


def test_nothing_is_written_outside(tmp_path):
    own = tmp_path / "bad.zip"
    own.write_bytes(archive(files={"../outside.txt": b"x"}))
    with pytest.raises(DataError):
        get_data(own, to=tmp_path / "data")
    assert names(tmp_path) == {"bad.zip"}


def test_another_folder_in_the_way_is_not_touched(tmp_path):
    own = tmp_path / "food.zip"
    own.write_bytes(archive())
    diary = tmp_path / "data" / "food" / "diary.txt"
    diary.parent.mkdir(parents=True)
    diary.write_text("mine")
    with pytest.raises(RequestError, match="name another place"):
        get_data(own, to=tmp_path / "data")
    assert diary.read_text() == "mine"


def test_the_sample_can_be_had_as_a_folder(tmp_path, monkeypatch):
    drawn = tmp_path / "drawn"
    with zipfile.ZipFile(io.BytesIO(archive(top=""))) as packed:
        packed.extractall(drawn)
    monkeypatch.setattr(data_sets, "sample_folder", lambda _: drawn)
    assert names(get_data("sample:foodvision", to=tmp_path / "data")) == names(drawn)


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ("pizza_stake_sushi", UnknownName, "pizza_steak_sushi"),
        ("ftp://example.org/x.zip", RequestError, "https://"),
        (".", RequestError, "folder already"),
    ],
)
def test_requests_that_make_no_sense(tmp_path, asked, kind, said):
    with pytest.raises(kind, match=said):
        get_data(asked, to=tmp_path)
