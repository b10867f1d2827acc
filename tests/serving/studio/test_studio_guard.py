"""The studio under attack: only its own page may ask and change, and nothing outside of the opened folders is seen."""

import io
import json
import random

import pytest
from PIL import Image

STRANGERS = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
)
CHANGES = ("/api/decide", "/api/classes", "/api/undo", "/api/redo", "/api/photos")


@pytest.fixture
def server(open_studio, lunch):
    return open_studio(lunch)


@pytest.fixture
def me(server, asking):
    return asking(server)


def test_the_page_is_for_who_has_its_address(server, me):
    assert server.url.startswith("http://127.0.0.1:")
    assert "?token=" in server.url
    for path in ("/", "/api/state", "/api/photo/0/thumb", "/page/studio.js", "/api/news?seen=0"):
        assert me("GET", path, own=False).status == 401, path
    assert me("GET", "/?token=wrong", own=False).status == 401
    assert me.get("/").status == 200
    attributes = me("GET", "/?token=a-token", own=False).headers["set-cookie"].split("; ")[1:]
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}


def test_the_cookies_of_two_studios_are_two(server, open_studio, tmp_path, asking):
    (tmp_path / "b").mkdir()
    other = open_studio(tmp_path / "b", token="another")  # noqa: S106
    one, two = asking(server), asking.__new__(asking)
    two.port = other.port
    cookie = two("GET", "/?token=another", own=False).headers["set-cookie"].partition(";")[0]
    assert cookie.partition("=")[0] != one.cookie.partition("=")[0]
    assert one("GET", "/", own=False, Cookie=f"{cookie}; {one.cookie}").status == 200


def test_a_name_that_was_made_to_lead_here_is_refused(me):
    for path in ("/", "/api/state", "/api/photo/0/large"):
        assert me.get(path, Host="evil.example").status == 421


@pytest.mark.robust(
    "hostile",
    case="the studio, asked to change labels by a page of another site, by a form, or without the token of its own page",
    right="refused with 403, and nothing is changed",
)
@pytest.mark.parametrize("path", CHANGES)
def test_a_change_comes_from_the_page_alone(server, me, path):
    before = server.studio.labels.revision
    for headers in STRANGERS:
        assert me.post(path, **headers).status == 403
    assert me.post(path, x_tsugiki_change="").status == 403
    assert me.post(path, x_tsugiki_change=server.studio.change_token[:-1]).status == 403
    assert me.get(path).status == 405
    assert server.studio.labels.revision == before


def test_a_form_of_another_page_changes_nothing(server, me):
    """What a form can send: a cookie that a lax browser adds, and no header of its own."""
    sent = me("POST", "/api/decide", "rows=0", own=False, Cookie=me.cookie, Content_Type="text/plain")
    assert sent.status == 403
    assert server.studio.labels.revision == 0


@pytest.mark.robust(
    "hostile",
    case="addresses of the studio that try to lead to other files",
    right="refused: a photo is asked for by its number, never by a path",
)
@pytest.mark.parametrize(
    "path",
    [
        "/api/photo/../../../etc/passwd/thumb",
        "/api/photo/%2e%2e%2f%2e%2e%2fetc%2fpasswd/thumb",
        "/api/photo/-1/thumb",
        "/api/photo/30/thumb",
        "/api/photo/0/original",
        "/api/photo/1e3/thumb",
        "/page/../studio_api.py",
        "/page/%2e%2e/studio_api.py",
        "/page/studio.html.j2",
        "/page//etc/passwd",
    ],
)
def test_no_address_leads_to_other_files(me, path):
    answer = me.get(path)
    assert answer.status in {400, 404}
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


@pytest.mark.robust(
    "hostile",
    case="a link in an opened folder that leads out of it",
    right="the studio shows nothing of what it leads to",
)
def test_a_link_out_of_the_opened_folder_is_not_followed(open_studio, asking, lunch, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (20, 20), "red").save(secret)
    (lunch / "link.png").symlink_to(secret)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (20, 20), "red").save(tmp_path / "elsewhere" / "a.png")
    (lunch / "folder").symlink_to(tmp_path / "elsewhere")
    server = open_studio(lunch)
    names = asking(server).get("/api/state").json["names"]
    outside = [row for row, name in enumerate(names) if name in {"link.png", "folder/a.png"}]
    assert "link.png" in names
    for row in outside:
        for size in ("thumb", "large"):
            assert asking(server).get(f"/api/photo/{row}/{size}").status == 404
    assert asking(server).get("/api/photo/0/thumb").status == 200


def picture(kind="PNG", size=(40, 30)):
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(stream, kind)
    return stream.getvalue()


def bomb():
    """A PNG of a few bytes that says it has 900 million pixels."""
    whole = bytearray(picture())
    import struct
    import zlib

    whole[16:24] = struct.pack(">II", 30000, 30000)
    whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
    return bytes(whole)


def test_a_photo_is_kept_beside_the_decisions_under_a_name_of_its_own(me, lunch):
    added = me.post("/api/photos?name=../../evil.sh", picture()).json
    assert added["new"]
    assert added["row"] == 30
    kept = list((lunch.parent / "lunch.studio").iterdir())
    assert [path.suffix for path in kept] == [".png"]
    assert "evil" not in kept[0].name
    assert me.get("/api/photo/30/thumb").body.startswith(b"\xff\xd8")
    assert not me.post("/api/photos", picture()).json["new"]
    assert len(list(lunch.iterdir())) == 30


@pytest.mark.robust(
    "hostile",
    case="a pixel bomb, a script or half a photo dropped on the studio",
    right="refused with the reason, and nothing is kept",
)
@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"<svg onload='x()'/>", picture()[:60], bomb(), b"%!PS-Adobe"])
def test_what_is_no_photo_is_not_kept(me, lunch, content):
    refused = me.post("/api/photos", content)
    assert refused.status == 422
    assert refused.json["error"]["got"]
    assert not (lunch.parent / "lunch.studio").exists()


def test_too_much_at_once_is_refused(me):
    assert me.post("/api/photos", b"\xff\xd8" + bytes(33_000_000)).status == 413
    assert me.post("/api/decide", b'{"rows": [' + b"0," * 17_000_000 + b"0]}").status == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"rows": 3}', b'{"rows": ["0"]}', b'{"rows": [true]}', b'{"rows": [0], "label": 3}', b"[" * 9999],
)
def test_a_decision_that_is_none_is_told(server, me, body):
    answer = me.post("/api/decide", body)
    assert answer.status == 400
    assert answer.json["error"]["what"]
    assert server.studio.labels.revision == 0


def test_whatever_is_sent_is_answered_and_never_by_a_fault(server, me):
    dice = random.Random(0)  # noqa: S311
    values = [
        None,
        True,
        -1,
        0,
        10**30,
        1e999,
        "",
        "x",
        "a" * 5000,
        "\ud800",
        [],
        [[]],
        {},
        {"rows": 1},
        ["rows"],
        "../../etc/passwd",
    ]
    names = ["rows", "label", "mark", "add", "rename", "to", "remove", "wanted", "name", "row", "photos"]
    paths = [*CHANGES, "/api/learn", "/api/try", "/api/try?row=x", "/api/try?reasons=1", "/api/leave"]
    for _ in range(150):
        body = {dice.choice(names): dice.choice(values) for _ in range(dice.randrange(4))}
        sent = json.dumps(body).encode() if dice.random() < 0.7 else dice.randbytes(dice.randrange(200))
        answer = me.post(dice.choice(paths), sent)
        assert answer.status < 500, (body, answer.body)
        assert answer.json is not None
    assert me.get("/api/state").status == 200
    assert {path.name for path in server.studio.labels.table.parent.iterdir()} <= {"lunch", "lunch.studio.csv"}


def test_the_page_holds_no_script_and_no_style_of_its_own(me):
    page = me.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    text = page.body.decode()
    assert "<script>" not in text
    assert "style=" not in text
    assert " on" + "click=" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_names_of_photos_and_classes_are_text(open_studio, asking, tmp_path):
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    (folder / "a'\"><b>.png").write_bytes(picture())
    server = open_studio(folder)
    me = asking(server)
    me.post("/api/classes", {"add": "<script>alert(1)</script>"})
    page = me.get("/").body.decode()
    assert "<img src=x" not in page
    assert "<script>alert" not in page


def test_the_language_is_the_programs_until_it_is_chosen_on_the_page(me):
    assert b'<html lang="en">' in me.get("/", Accept_Language="ja").body
    assert b'<html lang="ja">' in me.get("/?lang=ja").body
    assert me.get("/api/photo/999/thumb").json["error"]["what"] == "その写真はありません。"
    assert me.get("/?lang=fr").status == 400
    refused = me("GET", "/nowhere", own=False, Accept="text/html", Accept_Language="en")
    assert refused.status == 401
    text = refused.body.decode()
    assert '<html lang="ja">' in text
    assert "This server" not in text
    assert "<dt>Allowed" not in text


def test_an_address_that_is_not_there_names_those_of_the_studio(me):
    refused = me.get("/v1/predict")
    assert refused.status == 404
    for address in refused.json["error"]["allowed"].split():
        assert me.get(address).status == 200 or me.get(address).json["error"]["what"] == "There is no report yet."


def test_letters_that_hide_are_written_out_on_the_page(open_studio, asking, tmp_path):
    folder = tmp_path / "a\u202eb"
    folder.mkdir()
    assert "\u202e" not in asking(open_studio(folder)).get("/").body.decode()
