"""Who may ask: names, other sites' pages, tokens; and no path leads out."""

import pytest

from tsugiki.serving.guard import wanted_language
from tsugiki.serving.server import Address


@pytest.mark.robust(
    "surface",
    case="a stranger's page whose name was made to lead to this machine (DNS rebinding), or that sends a form here",
    right="refused with 421 or 403, and nothing is answered",
)
def test_strangers_are_refused(served, ask, photos):
    here = f"127.0.0.1:{served.port}"
    rebound = ask(served, "/v1/models", Host=f"evil.example:{served.port}")
    assert rebound.status == 421
    assert rebound.json["error"]["what"] == "This server is not known by this name."
    photo = photos[0].read_bytes()
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{served.port + 1}"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        assert ask(served, "/v1/predict", photo, **headers).status == 403
    for headers in ({"Host": here}, {"Host": f"localhost:{served.port}"}, {"Host": here, "Origin": f"http://{here}"}):
        assert ask(served, "/v1/predict", photo, **headers).status == 200
    assert ask(served, "/v1/models", Host="192.0.2.7").status == 200  # a number cannot be rebound


def test_a_name_that_a_person_gave_is_known(start, ask):
    server = start(names=("Photos.example",))
    assert ask(server, "/v2", Host="photos.example").status == 200
    assert ask(server, "/v2", Host="other.example").status == 421


def test_without_the_token_only_health_is_told(start, ask, photos):
    server = start(token="a secret")  # noqa: S106
    assert server.url.endswith("/?token=a%20secret")  # an address that can be clicked
    for path in ("/", "/v1/models", "/v2", "/metrics", "/docs", "/openapi.json", "/page/start.js", "/nothing"):
        refused = ask(server, path)
        assert refused.status == 401, path
        assert refused.headers["www-authenticate"] == "Bearer"
    assert ask(server, "/v1/predict", photos[0].read_bytes(), Authorization="Bearer another").status == 401
    assert ask(server, "/v1/predict", photos[0].read_bytes(), Authorization="Bearer a secret").status == 200
    assert ask(server, "/v2/health/live").status == ask(server, "/v2/health/ready").status == 200
    page = ask(server, "/", Accept="text/html")
    assert page.status == 401
    assert b"<h1>This server answers only to those who show its token.</h1>" in page.body


def test_the_address_with_the_token_leaves_a_cookie_and_no_token(start, ask, photos):
    server = start(token="secret")  # noqa: S106
    entered = ask(server, "/?token=secret")
    assert entered.status == 303
    assert entered.headers["location"] == "/"
    cookie, *attributes = entered.headers["set-cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert "secret" not in cookie
    assert ask(server, "/", Cookie=cookie).status == 200
    assert ask(server, "/v1/predict", photos[0].read_bytes(), Cookie=cookie).status == 200
    for elsewhere in ("//evil.example/", "/%5Cevil.example/", "///evil.example/"):  # no way to another server
        assert ask(server, f"{elsewhere}?token=secret").headers["location"] == "/evil.example/"
    assert ask(server, "/%0d%0aa:b?token=secret").headers["location"] == "/%0D%0Aa%3Ab"
    assert ask(server, "/?token=wrong").status == ask(server, "/", Cookie="tsugiki-token=secret").status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/page/../limits.py",
        "/page/%2e%2e%2fserve.py",
        "/page/start.html.j2",
        "/page//etc/passwd",
        "/../../etc/passwd",
        "/page/",
    ],
)
def test_no_path_leads_to_other_files(served, ask, path):
    answer = ask(served, path)
    assert answer.status == 404
    assert b"import" not in answer.body


def test_every_answer_forbids_what_pages_do_not_need(served, ask):
    for path in ("/", "/docs", "/v1/models", "/nothing", "/page/start.js"):
        headers = ask(served, path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["server"] is None
    for path in ("/", "/docs"):
        page = ask(served, path).body.decode()
        assert "<script>" not in page
        assert "style=" not in page
        assert "http://" not in page.replace("http://127.0.0.1:8000", "")


def test_an_address_is_asked_in_its_own_way(served, ask):
    answer = ask(served, "/v1/predict")
    assert answer.status == 405
    assert answer.json["error"]["allowed"] == "POST"
    assert ask(served, "/v2/models/dishes/infer", method="DELETE").status == 405


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)])  # noqa: S104
def test_what_only_this_machine_can_ask_is_known(host, loopback):
    assert Address(host=host).is_loopback == loopback


@pytest.mark.long
def test_who_lets_other_machines_ask_is_warned_first(run_folder, monkeypatch, capsys):
    from tsugiki.cli.main import run
    from tsugiki.serving.server import Server

    order = []

    def told(server):
        server.close()
        order.append(capsys.readouterr())

    monkeypatch.setattr(Server, "run", told)
    for words in (["--host", "0.0.0.0"], ["--host", "0.0.0.0", "--token", "auto"], []):  # noqa: S104
        with pytest.raises(SystemExit):
            run(["--lang", "en", "serve", str(run_folder), "--port", "0", *words])
    open_, with_token, alone = order
    assert "Warning: listening at 0.0.0.0" in open_.err
    assert "if they show the token" in with_token.err
    assert "?token=" in with_token.out
    assert "istening" not in alone.err


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [
        ("ja", "ja"),
        ("ja-JP,en;q=0.5", "ja"),
        ("en;q=0.4, ja;q=0.9", "ja"),
        ("de, en;q=0.5, ja;q=0.4", "en"),
        ("", "en"),
        ("x;q=y", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(accepted, spoken):
    assert wanted_language(accepted) == spoken
    assert wanted_language(accepted, b"a=1&lang=ja") == "ja"
