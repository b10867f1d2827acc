"""Studios on folders of drawn photos, and whoever asks them."""

import http.client
import json
import shutil
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.reporting.browser import reading

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")

DISHES = ("pizza", "steak", "sushi")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """30 drawn photos in one folder, in mixed order, and the class of each by name: only a test knows it."""
    from tsugiki.data.synthetic.sample import draw_photo

    root, truth = tmp_path_factory.mktemp("drawn") / "lunch", {}
    root.mkdir()
    for number in range(30):
        dish = DISHES[number * 7 % 3]
        truth[f"{number:02}.jpg"] = dish
        (root / f"{number:02}.jpg").write_bytes(draw_photo(dish, 100 + number))
    return root, truth


@pytest.fixture
def lunch(drawn, tmp_path):
    """The 30 photos, in a folder of the test's own."""
    return shutil.copytree(drawn[0], tmp_path / "lunch", copy_function=shutil.copyfile)


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """36 drawn tables with up to three dishes each, and what is on them by name."""
    from tsugiki.data.synthetic.sample import draw_table

    root, truth = tmp_path_factory.mktemp("several") / "tables", {}
    root.mkdir()
    for number in range(36):
        content, truth[f"{number:02}.jpg"] = draw_table(number)
        (root / f"{number:02}.jpg").write_bytes(content)
    return root, truth


@pytest.fixture
def meal(tables, tmp_path):
    """The 36 tables, in a folder of the test's own."""
    return shutil.copytree(tables[0], tmp_path / "meal", copy_function=shutil.copyfile)


@pytest.fixture
def open_studio():
    """Serve a studio on a folder; it stops when the test ends."""
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.serving.server import Address, Server
    from tsugiki.serving.studio.learner import Network
    from tsugiki.serving.studio.studio_app import studio_application
    from tsugiki.serving.studio.studio_session import Studio, table_for

    with ExitStack() as stack:

        def begin(folder, *, table=None, token="a-token", **how):  # noqa: S107
            network = Network(lambda: load_backbone("bundled:nae"))
            studio = Studio.open(folder, table_for(folder, table), **{"network": network, **how})
            server = stack.enter_context(Server(studio, Address(port=0, token=token), studio_application).running())
            server.studio = studio
            return server

        yield begin


@pytest.fixture
def reader(browser):
    """Somebody in front of the page: no script fails, and nobody else is asked."""
    with reading(browser) as reader:
        yield reader
        assert not reader.faults
        assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:", "about:")) for url in reader.asked)


@pytest.fixture
def without_export(monkeypatch):
    """Nothing is exported: that takes seconds, and is shown once."""
    from tsugiki.serving.studio import leaving

    monkeypatch.setattr(leaving, "_exported", lambda *_: ("", "not now"))


class Asking:
    """Somebody with the page open: its cookie and its token for changes."""

    def __init__(self, server):
        self.port = urlsplit(server.url).port
        entered = self("GET", "/?token=a-token", own=False)
        self.cookie = entered.headers["set-cookie"].partition(";")[0]
        self.change_token = server.studio.change_token

    def __call__(self, method, path, body=None, *, own=True, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if own:
            named = {"Cookie": self.cookie, **({"x-tsugiki-change": self.change_token} if method == "POST" else {}), **named}
        sent = json.dumps(body) if isinstance(body, dict | list) else body
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, sent, named)
            return _read(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self("POST", path, {} if body is None else body, **headers)


def _read(response):
    response.body = response.read()
    response.json = json.loads(response.body) if "json" in (response.headers["content-type"] or "") else None
    return response


@pytest.fixture
def asking():
    return Asking
