"""Promise 5, watched: no verb asks for an address, starts a process or writes into the home folder beside its own cache."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tsugiki

SOURCE = Path(tsugiki.__file__).parent
DOOR = SOURCE / "features" / "engines" / "openvino_import.py"

WATCH = """
import os, sys

log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
watched = ("socket.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen", "urllib.Request")

def watch(event, values):
    if event.startswith(watched) and event != "socket.gethostname":
        os.write(log, f"{os.getpid()} {event} {values!r:.200}\\n".encode())

sys.addaudithook(watch)
"""
"""As ``sitecustomize`` on the path: every Python that is started runs it first, and forked processes keep the hook."""

VERBS = """
import importlib.util
import runpy
import sys
from pathlib import Path
from tsugiki.cli.main import run

photos = sys.argv[1]

def tsugiki(*words):
    print("$ tsugiki", *words, file=sys.stderr)
    try:
        run([str(word) for word in words])
    except SystemExit as done:
        assert not done.code, (words, done.code)

def served():
    # A server, asked once in this process: there is no socket but the one that it listens at.
    import asyncio
    if importlib.util.find_spec("uvicorn") is None or importlib.util.find_spec("starlette") is None:
        return
    from tsugiki.serving.server import Server

    async def ask(application):
        scope = {
            "type": "http", "method": "POST", "path": "/v1/predict", "query_string": b"", "http_version": "1.1",
            "headers": [(b"host", b"localhost"), (b"content-type", b"image/jpeg")], "scheme": "http", "root_path": "",
        }
        body, told = Path(photo).read_bytes(), []
        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}
        async def send(message):
            told.append(message)
        await application(scope, receive, send)
        assert told[0]["status"] == 200, told

    def run_once(server):
        asyncio.run(ask(server._server.config.app))
        server.close()

    Server.run = run_once
    tsugiki("serve", "run", "--port", 0)

    def learn_once(server):
        import time
        studio = server._service
        studio.learner.want(wanted=True)
        while studio.learner.proposals is None:
            assert not studio.learner.told()["problem"], studio.learner.told()
            time.sleep(0.05)
        assert studio.try_photo(Path(photo).read_bytes(), with_reasons=True)["label"]
        studio.writer.start("from-studio")
        while studio.writer.is_busy:
            time.sleep(0.05)
        assert studio.writer.written is not None, studio.writer.told()
        server.close()

    Server.run = learn_once
    tsugiki("studio", photos, *bundled, "--no-browser", "--labels", "labels.csv")

bundled = ("--backbone", "bundled:nae")
photo = next(Path(photos).rglob("*.jpg"))
tsugiki("fit", photos, *bundled, "--engine", "openvino", "--out", "run")
tsugiki("fit", photos, *bundled, "--engine", "torch", "--method", "fine-tune", "--epochs", 1, "--out", "tuned")
tsugiki("predict", "run", photo)
tsugiki("evaluate", "run", photos)
tsugiki("audit", photos, *bundled)
tsugiki("explain", "run", photo)
from PIL import Image
Path("new").mkdir()
for number, turn in enumerate((30, 77)):
    Image.open(photo).rotate(turn).save(f"new/{number}.png")
tsugiki("rank", photos)
tsugiki("next", "run", "new", "--count", 1)
tsugiki("export", "run", "--format", "openvino", "--out", "exported")
tsugiki("summary", "bundled:nae")
tsugiki("backbones", "mobilenetv2*")
tsugiki("cache")
tsugiki("plot", "run")
tsugiki("lr", "bundled:nae", photos, "--steps", 10, "--unfreeze", 1)
tsugiki("demo", "--out", "demo")
served()
sys.argv = ["predict.py", "--json", str(photo)]
try:
    runpy.run_path("exported/predict.py", run_name="__main__")
except SystemExit as done:
    assert not done.code, done.code
"""

PROOF_OF_EXPORT = "'-I', "
"""How an export starts the program that it has written, to compare its answers; the verbs above run that program once more."""

OWN_DOOR = ("socket.__new__ ", "('127.0.0.1', 0)", "socket.getaddrinfo ('127.0.0.1', 0,")
"""Where ``serve`` listens, and the pair of sockets by which asyncio wakes itself: whatever connects or sends is told still."""

FONT_PROGRAMS = ("'fc-list'", "'/sbin/ldconfig'", "'ldconfig'", "'/usr/sbin/ldconfig'")
"""What matplotlib and ctypes ask on this machine for fonts and libraries."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are watched where they can fork")
@pytest.mark.robust(
    "hostile",
    case="a library that reports its use to its maker",
    right="not one verb reaches for the network, forks, or writes into the home folder",
)
def test_no_verb_sends_anything_anywhere(tmp_path, dishes):
    told, home = _watched(tmp_path, VERBS, str(dishes))
    assert not told, "\n".join(told)
    # Matplotlib keeps its list of fonts where it always does.
    assert {path.relative_to(home).as_posix() for path in home.glob("*/*")} <= {
        ".cache/tsugiki",
        ".cache/matplotlib",
        ".config/matplotlib",
    }
    assert {path.name for path in home.iterdir()} <= {".cache", ".config"}


def test_every_verb_is_watched():
    """But the one that fetches what a person names."""
    from tsugiki.cli.main import VERBS as EVERY

    watched = {line.split('"')[1] for line in map(str.strip, VERBS.splitlines()) if line.startswith('tsugiki("')}
    assert set(EVERY) - {"data"} == watched


def test_onnx_runtime_is_silenced_before_it_is_imported():
    """From 1.29 on it reports its use to its maker, by sockets of its own that Python's watch does not see."""
    importing = re.compile(r"^\s*(import onnxruntime|from onnxruntime)", re.MULTILINE)
    places = [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.txt"), *(SOURCE.parents[1] / "examples").rglob("*.py")]
    found = {path: text for path in places if importing.search(text := path.read_text(encoding="utf-8"))}
    assert found
    for path, text in found.items():
        silenced = text.find('os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")')
        assert 0 <= silenced < importing.search(text).start(), path


def test_the_watch_itself_sees_what_openvino_does_unasked(tmp_path):
    """Else the test above would prove nothing."""
    pytest.importorskip("openvino_telemetry")
    told, home = _watched(tmp_path, "import openvino, time; time.sleep(0.2)")
    assert any("os.fork" in line for line in told)
    assert (home / "intel").exists()


def _watched(tmp_path: Path, program: str, *arguments: str) -> tuple[list[str], Path]:
    """Run a program with its sockets and processes watched and an empty home; what was seen, and the home."""
    for name in ("home", "watch", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if name in {"PATH", "SYSTEMROOT", "MPLBACKEND", "OMP_NUM_THREADS"}
    }
    log = tmp_path / "log"
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path / "work",
        env=environment
        | {
            "HOME": str(tmp_path / "home"),
            "WATCHED": str(log),
            "PYTHONPATH": os.pathsep.join((str(tmp_path / "watch"), str(SOURCE.parent))),
        },
    )
    assert finished.returncode == 0, finished.stderr
    told = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    known = (*FONT_PROGRAMS, PROOF_OF_EXPORT, *OWN_DOOR)
    return [line for line in told if not any(name in line for name in known)], tmp_path / "home"


def _imported(tree: ast.Module) -> set[str]:
    """Every module that is imported, by name or by a text that is one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            found |= {str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant)}
    return found


def test_openvino_comes_in_through_one_door():
    other = [path for path in SOURCE.rglob("*.py") if path != DOOR]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in other}
    assert not [path for path, tree in trees.items() if any(name.split(".")[0] == "openvino" for name in _imported(tree))]


@pytest.mark.robust(
    "hostile", case="import of a library that reports its import", right="the part that would report cannot be imported"
)
def test_behind_the_door_the_part_that_reports_is_not_there():
    pytest.importorskip("openvino")
    code = (
        "import sys; from tsugiki.features.engines.openvino_import import openvino_module as door;"
        "door('openvino'); door('openvino.tools.ovc'); print(sys.modules['openvino_telemetry'])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    assert answer.stdout == "None\n"
