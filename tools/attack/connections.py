"""Every verb, with its sockets and processes watched and an empty home folder: promise 5 of SECURITY.md's first."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import tsugiki
from tools.attack.material import draw
from tools.attack.outcome import Outcome

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
        studio.choice.start(20)
        while studio.choice.told()["busy"]:
            time.sleep(0.05)
        assert studio.choice.told()["found"] is not None, studio.choice.told()
        studio.writer.start("from-studio")
        while studio.writer.told()["busy"]:
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

OWN_FOLDERS = {".cache/tsugiki", ".cache/matplotlib", ".config/matplotlib"}
"""Where a home may be written to: matplotlib keeps its list of fonts where it always does."""

VERBS_WATCHED = sorted({line.split('"')[1] for line in map(str.strip, VERBS.splitlines()) if line.startswith('tsugiki("')})


def attack(place: Path, photos: Path | None = None) -> Outcome:
    """Use every verb once, in one process, and count what it reached for.

    Args:
        place: An empty folder.
        photos: Of three dishes, with held-out ones; drawn where they are left out.
    """
    outcome = Outcome()
    if photos is None:
        photos = place / "photos"
        draw(photos, train=5, test=2)
    seen, home = watched(place, VERBS, str(photos))
    written = {path.relative_to(home).as_posix() for path in home.glob("*/*")} - OWN_FOLDERS
    written |= {path.name for path in home.iterdir()} - {".cache", ".config"}
    outcome.counts["verbs"] = len(VERBS_WATCHED)
    for what, found in (("connections", seen), ("written into the home", sorted(written))):
        outcome.counts[what] = len(found)
        for line in found:
            outcome.fault(f"{what}: {line}")
    return outcome


def watched(place: Path, program: str, *arguments: str) -> tuple[list[str], Path]:
    """Run a program with its sockets and processes watched and an empty home; what was seen, and the home."""
    for name in ("home", "watch", "work"):
        (place / name).mkdir()
    (place / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if name in {"PATH", "SYSTEMROOT", "MPLBACKEND", "OMP_NUM_THREADS"}
    }
    log = place / "log"
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=place / "work",
        env=environment
        | {
            "HOME": str(place / "home"),
            "WATCHED": str(log),
            "PYTHONPATH": os.pathsep.join((str(place / "watch"), str(Path(tsugiki.__file__).parents[1]))),
        },
    )
    if finished.returncode:
        raise RuntimeError(finished.stderr)
    told = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    known = (*FONT_PROGRAMS, PROOF_OF_EXPORT, *OWN_DOOR)
    return [line for line in told if not any(name in line for name in known)], place / "home"
