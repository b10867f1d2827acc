"""A run folder, and servers on it that stop when a test ends."""

import http.client
import json
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")


@pytest.fixture(scope="session")
def run_folder(dish_run, tmp_path_factory):
    return dish_run.save(tmp_path_factory.mktemp("served") / "dishes")


@pytest.fixture(scope="session")
def photos(dishes):
    """The held-out photos, in order."""
    return sorted((dishes / "test").rglob("*.jpg"))


@contextmanager
def _starting(folder):
    from tsugiki.serving.api.service import Service
    from tsugiki.serving.limits import Limits
    from tsugiki.serving.models import Model, Models
    from tsugiki.serving.server import Address, Server

    with ExitStack() as stack:

        def begin(*, kept=None, token="", names=(), runs=(folder,), **limits):
            service = Service(Models([Model.load(run) for run in runs]), Limits(**limits), kept)
            server = Server(service, Address(port=0, token=token, names=names))
            server.service = service
            return stack.enter_context(server.running())

        yield begin


@pytest.fixture
def start(run_folder):
    """Start a server in this process: its limits, its address, and what it keeps as arguments."""
    with _starting(run_folder) as begin:
        yield begin


@pytest.fixture(scope="module")
def served(run_folder, tmp_path_factory):
    """A server that the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("cache")))
        with _starting(run_folder) as begin:
            yield begin()


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture
def ask():
    """Ask a server; a body makes it a POST."""

    def asked(server, path, body=None, method=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    return asked


@pytest.fixture
def form():
    """Photos as a form: the body, and its content type."""

    def written(paths, names=None):
        parts = [
            b'--edge\r\ncontent-disposition: form-data; name="photo"; filename="'
            + (names[at] if names else str(path)).encode()
            + b'"\r\ncontent-type: image/jpeg\r\n\r\n'
            + path.read_bytes()
            + b"\r\n"
            for at, path in enumerate(paths)
        ]
        return b"".join(parts) + b"--edge--\r\n", "multipart/form-data; boundary=edge"

    return written
