"""Too much, too large, too slow, too strange: each is refused in a sentence, and the next one is answered as ever."""

import io
import json
import random
import socket
import struct
import threading
import time
import zlib

import pytest
from PIL import Image


def bomb(width, height):
    """A PNG that says it is huge, a few hundred bytes long."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def picture(width, height):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(stream, "PNG")
    return stream.getvalue()


def talk(server, content, *, wait=5.0):
    """Send bytes as they are, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(content)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


@pytest.mark.robust(
    "hostile", case="a picture of a few bytes that would become gigabytes (a pixel bomb)", right="refused before it is decoded"
)
def test_pixel_bombs_are_refused_before_they_are_decoded(start, ask):
    server = start(photo_pixels=1_000_000)
    for content in (bomb(60_000, 60_000), bomb(2_000_000_000, 2_000_000_000), picture(1200, 900)):
        answer = ask(server, "/v1/predict", content)
        assert answer.status == 422
    assert answer.json["error"]["got"] == "too large: more than 1 million pixels"
    assert ask(server, "/v1/predict", picture(1000, 900)).status == 200
    request = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1200, 1000, 3], "data": [0] * 3_600_000}]}
    assert ask(server, "/v2/models/dishes/infer", json.dumps(request)).status == 413


def test_requests_that_are_too_large_are_refused_before_they_are_read(start, ask):
    server = start(body_bytes=10_000, photos=2)
    announced = talk(server, b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\n")
    assert announced.startswith(b"HTTP/1.1 413")
    assert b"The request is too large." in announced
    chunk = b"2000\r\n" + bytes(0x2000) + b"\r\n"
    endless = talk(server, b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 2)
    assert endless.startswith(b"HTTP/1.1 413")
    whole = ask(server, "/v1/predict", bytes(20_000_000))  # the client has sent all of it before it reads why
    assert whole.status == 413
    many = ask(server, "/v1/predict", json.dumps({"photos": ["aGk="] * 3}), content_type="application/json")
    assert many.status == 413
    assert many.json["error"] == {
        "what": "There are too many photos in one request.",
        "allowed": "2",
        "got": "3",
        "next": "send them in several requests",
    }


def test_too_many_form_files_are_refused(start, ask, form, photos):
    server = start(photos=2)
    body, kind = form(photos[:3])
    assert ask(server, "/v1/predict", body, content_type=kind).status == 413


def test_a_full_queue_is_told_with_when_to_come_again(start, ask, form, photos):
    server = start(queue=4)
    body, kind = form(photos[:5])
    answer = ask(server, "/v1/predict", body, content_type=kind)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json["error"]["got"] == "0 waiting, and 5 more"
    assert ask(server, "/v1/predict", photos[0].read_bytes()).status == 200


def test_memory_for_requests_is_bounded(start, ask, photos):
    server = start(bytes_in_flight=1000)
    answer = ask(server, "/v1/predict", photos[0].read_bytes())
    assert answer.status == 503
    assert server.service.counters.bytes_inside == 0


def test_an_answer_that_takes_too_long_is_given_up(start, ask, photos, monkeypatch):
    server = start(seconds=0.2)
    hold = threading.Event()
    (model,) = server.service.models
    compute = model.asked._compute
    monkeypatch.setattr(model.asked, "_compute", lambda pixels: hold.wait(10) and compute(pixels))
    answer = ask(server, "/v1/predict", photos[0].read_bytes())
    hold.set()
    assert answer.status == 503
    assert answer.json["error"]["what"] == "The answer was not ready in time."


@pytest.mark.robust(
    "surface",
    case="clients that send a request a byte at a time, or nothing at all (slow loris)",
    right="closed when their time is up; others are answered meanwhile",
)
def test_slow_clients_are_closed_and_others_are_answered(start, ask, photos):
    server = start(header_seconds=0.4, seconds=0.4)
    started = [
        b"",
        b"GET / HT",
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\nabc",
        b"GET /v2 HTTP/1.1\r\nhost: localhost\r\n\r\nGET /v2 HTTP/1.1\r\nho",
    ]
    received = {}

    def crawl(content):
        received[content] = talk(server, content, wait=20)

    threads = [threading.Thread(target=crawl, args=(content,)) for content in started]
    for thread in threads:
        thread.start()
    assert ask(server, "/v1/predict", photos[0].read_bytes()).status == 200
    for thread in threads:
        thread.join()
    silent, half, body, second = (received[content] for content in started)
    assert silent.startswith(b"HTTP/1.1 408")
    assert half.startswith(b"HTTP/1.1 408")
    assert b"The request did not come in time." in body
    assert second.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in second


def test_more_connections_than_allowed_are_closed_at_once(start):
    server = start(connections=3)
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    try:
        for connection in held:
            connection.sendall(b"GET")
        while len(server._server.server_state.connections) < 3:
            time.sleep(0.01)
        assert talk(server, b"").startswith(b"HTTP/1.1 503")
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", b"{", "This is no JSON."),
        ("application/json", b"[" * 100_000, "This is no JSON."),
        ("application/json", b"[]", "This JSON is no object."),
        ("application/json", b"\xff", "This is no JSON."),
        ("application/json", b'{"photos": [3]}', "A photo in JSON is text in base64."),
        ("application/json", b'{"photos": ["*"]}', "This is no base64."),
        ("application/json", b"{}", "There is no photo in this request."),
        ("multipart/form-data", b"x", "This form cannot be read."),
        ("multipart/form-data; boundary=a", b"x", "This form cannot be read."),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\ncontent-disposition: form-data; name="b"\r\n\r\nc\r\n--a--\r\n',
            "There is no photo",
        ),
        ("image/jpeg", b"", "There is no photo in this request."),
        ("image/jpeg", b"not a photo", "None of these photos can be read."),
    ],
)
def test_wrong_bodies_are_told_as_what_they_are(served, ask, kind, body, said):
    answer = ask(served, "/v1/predict", body, content_type=kind)
    assert answer.status in {400, 422}
    assert answer.json["error"]["what"].startswith(said)


def test_compressed_requests_are_not_unpacked(served, ask):
    assert ask(served, "/v1/predict", b"x", content_encoding="gzip").status == 415


def test_a_fault_of_the_program_is_told_here_and_not_to_a_stranger(start, ask, photos, monkeypatch, capsys):
    server = start()
    (model,) = server.service.models

    def broken(_pixels):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(model.asked, "_compute", broken)
    answer = ask(server, "/v1/predict", photos[0].read_bytes())
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "A request failed that should not: RuntimeError secret detail" in capsys.readouterr().err


def test_noise_does_no_harm(start, ask, photos, capfd):
    """Some hundred requests of noise: broken photos, broken HTTP, broken forms; then a photo is answered as ever, and the
    person who looks after the server has not been shown any of it."""
    server = start(header_seconds=1, seconds=2, body_bytes=200_000)
    dice = random.Random(5)  # noqa: S311 (nothing here is secret)
    photo = photos[0].read_bytes()
    expected = ask(server, "/v1/predict", photo).json
    for _ in range(120):
        cut = bytearray(photo[: dice.randrange(len(photo))])
        for _ in range(dice.randrange(20)):
            if cut:
                cut[dice.randrange(len(cut))] = dice.randrange(256)
        kind = dice.choice(["image/jpeg", "application/json", "multipart/form-data; boundary=x", "x", ""])
        path = dice.choice(["/v1/predict", "/v2/models/dishes/infer", "/v1/predict?top=0", "/%ff"])
        assert ask(server, path, bytes(cut), content_type=kind).status in {200, 400, 404, 422}
        lines = dice.choice(
            [b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n", b"A" * 40_000, b"GET /\r\nhost\r\n\r\n", dice.randbytes(300)]
        )
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(lines)
    assert ask(server, "/v1/predict", photo).json == expected
    assert server.service.counters.bytes_inside == server.service.lanes.photos_inside == 0
    assert not capfd.readouterr().err


def test_what_a_refused_request_held_is_let_go_at_once(start, ask):
    """Without the search for garbage that goes in circles: what is left to that grows until it comes."""
    import gc
    import weakref

    from tsugiki.serving.api import bodies

    class Watched:
        """What a frame holds while the request is read."""

    server, held = start(), []

    async def photos(_intake, _request, _body):
        watched = Watched()
        held.append(weakref.ref(watched))
        raise bodies.RequestError("no", got=type(watched).__name__)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies.Intake, "photos", photos)
        gc.disable()
        try:
            for _ in range(3):
                assert ask(server, "/v1/predict", b"x" * 1000).status == 400
            deadline = time.monotonic() + 10
            while any(one() is not None for one in held) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert [one() for one in held] == [None] * 3
        finally:
            gc.enable()
