"""Photos at addresses: fetched once into the cache and then files, or left out by name with the reason."""

import csv
import io
import re
import shutil
import socket
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tsugiki as tg
from tests.data.conftest import refusal
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.load import list_photos
from tsugiki.data.sources.addresses import fetch_file, fetched


def photo(number):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


NAMES = [f"{'ab'[number % 2]}/写 真 {number}.png" for number in range(10)]


class Web:
    """What a server gives, and what it was asked for."""

    def __init__(self):
        self.files = {f"/{name}": photo(number) for number, name in enumerate(NAMES)}
        self.asked = []
        self.cut = 0
        self.sent_on = {}


class Handler(BaseHTTPRequestHandler):
    def __init__(self, web, *words):
        self.web = web
        super().__init__(*words)

    def log_message(self, *words):
        pass

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.web.asked.append(path)
        if path in self.web.sent_on:
            self.send_response(302)
            self.send_header("Location", self.web.sent_on[path])
            self.end_headers()
            return
        if (body := self.web.files.get(path)) is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - self.web.cut])


@pytest.fixture
def web():
    shop = Web()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, shop))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    shop.address = f"http://127.0.0.1:{server.server_port}"
    yield shop
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket():
    """Ten photos in the storage that fsspec keeps in memory."""
    system = fsspec.filesystem("memory")
    for number, name in enumerate(NAMES):
        system.pipe(f"/shop/{name}", photo(number))
    yield "memory://shop"
    system.rm("/shop", recursive=True)


def manifest(folder, places, labels=None):
    folder.mkdir(exist_ok=True)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *zip(places, labels or [name[0] for name in NAMES], strict=False)])
    return folder / "list.csv"


def contents(samples):
    return [path.read_bytes() for path in samples.paths]


@pytest.mark.robust(
    "tables",
    case="a manifest or a list whose photos are at https://, at storage that fsspec reads, or at file://",
    right="fetched once into the cache, then read as files; a second load fetches nothing",
)
def test_photos_of_the_web_are_fetched_once(web, tmp_path, capsys):
    table = manifest(tmp_path, [f"{web.address}/{name}" for name in NAMES])
    samples = tg.load(table)
    assert contents(samples) == [photo(number) for number in range(10)]
    assert samples.classes == ("a", "b")
    assert samples.names[0].startswith("http/127.0.0.1_")
    assert "10, of which 10 were fetched now" in capsys.readouterr().err
    assert tg.load(table).paths == samples.paths
    assert "10, of which 0 were fetched now" in capsys.readouterr().err
    assert sorted(web.asked) == sorted(f"/{name}" for name in NAMES)


def test_storage_of_fsspec_in_tables_frames_pairs_and_splits(bucket, tmp_path, monkeypatch):
    places = [f"{bucket}/{name}" for name in NAMES]
    labels = [name[0] for name in NAMES]
    wanted = [photo(number) for number in range(10)]
    assert contents(tg.load(manifest(tmp_path, places))) == wanted
    monkeypatch.setattr(fetched, "fetch_file", lambda *_, **__: pytest.fail("fetched again"))
    frame = pd.DataFrame({"url": places, "label": labels})
    pairs = list(zip(places, labels, strict=True))
    for named in (frame, pairs, {"train": pairs[:6], "test": pairs[6:]}):
        assert contents(tg.load(named)) == wanted
    assert contents(tg.Samples.from_lists(places, labels)) == wanted


def test_local_files_and_addresses_in_one_list(bucket, tmp_path, monkeypatch):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(photo(number))
    monkeypatch.chdir(tmp_path)
    places = ["0.png", str(tmp_path / "1.png"), (tmp_path / "2.png").as_uri(), (tmp_path / "3.png").as_uri()]
    places += [f"{bucket}/{name}" for name in NAMES[4:]]
    wanted = [photo(number) for number in range(10)]
    assert sorted(contents(tg.load(manifest(tmp_path, places)))) == sorted(wanted)
    assert contents(tg.load(list(zip(places, (name[0] for name in NAMES), strict=True)))) == wanted


@pytest.mark.robust(
    "tables",
    case="addresses of photos that are gone, cut off on the way, at nobody's, or of a kind that is not known",
    right="left out by name with the reason; where not one comes, an error that says why",
)
def test_what_does_not_come_is_left_out_by_name(web, tmp_path):
    places = [f"{web.address}/{name}" for name in NAMES]
    places[3] = f"{web.address}/gone.png"
    places[5] = "git://host/x.png"
    samples = tg.load(manifest(tmp_path, places))
    assert len(samples) == 8
    reasons = {entry.name: entry.reason for entry in samples.left_out}
    assert reasons == {places[3]: "HTTP 404 Not Found", places[5]: "addresses of this kind are not fetched"}
    again = tg.load(list(zip(places, (name[0] for name in NAMES), strict=True)))
    assert {entry.name: entry.reason for entry in again.left_out} == reasons
    assert contents(again) == contents(samples)


def test_a_server_sends_on_to_other_addresses_of_the_web_alone(web, tmp_path):
    (tmp_path / "own.png").write_bytes(photo(99))
    web.sent_on = {"/moved.png": f"{web.address}/{quote(NAMES[0])}", "/own.png": (tmp_path / "own.png").as_uri()}
    places = [f"{web.address}{path}" for path in ("/moved.png", "/own.png")] + [f"{web.address}/{name}" for name in NAMES[2:]]
    samples = tg.load(manifest(tmp_path, places))
    assert contents(samples)[0] == photo(0)
    assert [entry.name for entry in samples.left_out] == [places[1]]


def test_an_address_is_asked_for_as_browsers_ask():
    assert fetch_file._plain("https://例え.jp/写 真/a%20b.png?x=é&y#part") == (
        "https://xn--r8jz45g.jp/%E5%86%99%20%E7%9C%9F/a%20b.png?x=%C3%A9&y"
    )


def test_a_photo_that_was_cut_off_on_the_way_is_not_kept(web, tmp_path):
    table = manifest(tmp_path, [f"{web.address}/{name}" for name in NAMES])
    web.cut = 5
    with pytest.raises(DataError, match=r"(?s)Not one of the photos that list.csv names.*the connection ended after"):
        tg.load(table)
    assert not [path for path in fetched.fetched_folder().rglob("*") if path.is_file()]
    web.cut = 0
    assert len(tg.load(table)) == 10


def test_a_host_that_is_silent_is_not_asked_for_every_photo(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    asked = []
    fetch = fetched.fetch_file
    monkeypatch.setattr(fetched, "fetch_file", lambda address, *a, **k: (asked.append(address), fetch(address, *a, **k)))
    monkeypatch.setattr(fetched, "_AT_ONCE", 1)
    with pytest.raises(DataError, match=r"(?s)names could be fetched: 40.*see to the connection"):
        tg.load(manifest(tmp_path, [f"{nobody}/{number}.png" for number in range(40)], labels=["a", "b"] * 20))
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("memory://shop/gone.png", "no such file"),
        ("memory://shop/a", "no such file"),
        ("http://[::1/x.png", "Invalid IPv6 URL"),
        ("https:///x.png", "no host given"),
        ("memory://x.zip::memory://shop/x.png", "addresses of this kind are not fetched"),
        ("data:image/png;base64,iVBORw0KGgo", "written as text (base64)"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_addresses_that_give_no_photo(tmp_path, place, words):
    with pytest.raises((DataError, RequestError), match=f"(?s){re.escape(words)}"):
        tg.load(manifest(tmp_path, [place, place + "?"], labels=["a", "b"]))


@pytest.mark.parametrize(("place", "command"), [("s3://b/x.png", "pip install s3fs"), ("gs://b/x.png", "pip install gcsfs")])
def test_storage_whose_library_is_missing_says_what_to_install(tmp_path, monkeypatch, place, command):
    def missing(address):
        raise ImportError(address)

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    text = refusal(manifest(tmp_path, [place, place + "2"], labels=["a", "b"]))
    assert f"next: {command}" in text


def test_a_file_that_is_larger_than_any_photo_is_not_fetched(web, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(fetched, "MAX_BYTES", 500)
    for place in (web.address, bucket):
        with pytest.raises(DataError, match="too large"):
            tg.load(manifest(tmp_path, [f"{place}/{name}" for name in NAMES]))


@pytest.mark.robust(
    "hostile",
    case="a folder or an archive from elsewhere with a table of addresses in it",
    right="not one of them is asked: only a table that is itself named makes photos be fetched",
)
def test_a_table_beside_photos_makes_nothing_be_fetched(put, web, tmp_path):
    places = [f"{web.address}/{name}" for name in NAMES]
    folder = put("a/0.png", "a/1.png", "b/0.png", "b/1.png")
    manifest(folder, places)
    assert len(list_photos(folder)) == 4
    manifest(tmp_path / "alone", places)
    assert refusal(tmp_path / "alone")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "alone")
    assert refusal(tmp_path / "packed.zip")
    assert not web.asked


def test_names_in_the_cache_are_plain_short_and_one_for_each_address(tmp_path):
    odd = [
        "https://u:secret@h.example:80/a/../b/x.png",
        "https://h.example/x.png?size=1",
        "https://h.example/x.png?size=2",
        "s3://b/" + "long" * 200 + "/" + "x" * 300 + ".jpg",
        "https://h.example/",
        "https://h.example/%2e%2e/%2e%2e/etc/passwd",
        "gs://b/写真/a:b*c.png",
    ]
    names = [fetched.name_of_address(address) for address in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        assert len(name) < 300
        assert "secret" not in name
        assert ".." not in Path(name).parts
        assert (tmp_path / name).resolve().is_relative_to(tmp_path.resolve())
    assert names[0].startswith("https/h.example_80/")
    assert fetch_file.place_of_host("S3://b/x") == "s3://b"


def test_data_sets_of_files_do_not_wait_for_an_http_client():
    code = "import sys, tsugiki.data.load; print({'http.client', 'fsspec', 'huggingface_hub'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
