"""The examples of strangers: each gives the same answer as the command line."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

import tsugiki as tg
from tsugiki.classifier.parity import TOLERANCE, golden_photos

EXAMPLES = Path(__file__).parents[2] / "examples" / "export"


@pytest.fixture(scope="module")
def run(saved_classifier_once, tmp_path_factory):
    return shutil.copytree(saved_classifier_once, tmp_path_factory.mktemp("examples") / "run")


@pytest.fixture(scope="module")
def onnx_export(run):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    return tg.export(run, "onnx").folder


def _answer(line):
    label, probability = line.split("\t")[:2]
    return label, float(probability)


def _right(dish_run, photo):
    expected = dish_run.classifier.predict(photo)
    return expected.label, pytest.approx(expected.probability, abs=TOLERANCE)


def test_python(onnx_export, dish_run, dishes):
    for photo in sorted((dishes / "test").rglob("*.jpg"))[::6]:
        command = [sys.executable, EXAMPLES / "classify.py", onnx_export, photo]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert _answer(done.stdout) == _right(dish_run, photo)


@pytest.mark.slow
def test_cpp(run, dish_run, dishes, tmp_path):
    openvino = pytest.importorskip("openvino")
    place = Path(openvino.__file__).parent
    libraries = sorted((place / "libs").glob("libopenvino.so.*"))
    if shutil.which("g++") is None or not libraries or not (place / "include").is_dir():
        pytest.skip("no g++, or an OpenVINO without its headers")
    out = tg.export(run, "openvino", tmp_path / "out").folder
    build = ["g++", "-std=c++17", "-Wall", "-Werror", EXAMPLES / "classify.cpp", "-isystem", place / "include", libraries[0]]
    subprocess.run([*build, f"-Wl,-rpath,{place / 'libs'}", "-o", tmp_path / "classify"], check=True)
    for photo in sorted((dishes / "test").rglob("*.jpg"))[::6]:
        Image.open(photo).convert("RGB").save(tmp_path / "photo.ppm")
        done = subprocess.run([tmp_path / "classify", out, tmp_path / "photo.ppm"], capture_output=True, text=True, check=True)
        label, probability = _answer(done.stdout)
        expected = dish_run.classifier.predict(photo)
        assert label == expected.label
        assert probability == pytest.approx(expected.probability, abs=1e-3)


@pytest.mark.slow
def test_a_page_in_the_browser(onnx_export, dish_run, dishes, tmp_path):
    sync = pytest.importorskip("playwright.sync_api")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None or shutil.which("npm") is None:
        pytest.skip("no Chromium, or no npm")
    (tmp_path / "npm").mkdir()
    fetched = ["npm", "install", "--prefix", str(tmp_path / "npm"), "--no-save", "--silent", "onnxruntime-web@1"]
    if subprocess.run(fetched, capture_output=True, check=False, timeout=200).returncode:
        pytest.skip("onnxruntime-web cannot be fetched")
    site = tmp_path / "site"
    shutil.copytree(EXAMPLES / "browser", site)
    for name in ("model.onnx", "model.json"):
        shutil.copyfile(onnx_export / name, site / name)
    (site / "ort").symlink_to(tmp_path / "npm" / "node_modules" / "onnxruntime-web" / "dist")
    photos = {}
    for photo in [
        *sorted((dishes / "test").rglob("*.jpg"))[::6],
        *(tmp_path / "drawn" / name for name in ("odd.png", "tall.png")),
    ]:
        golden_photos(tmp_path / "drawn")
        lossless = tmp_path / f"{photo.stem}-{len(photos)}.png"  # browsers decode JPEG a little differently
        Image.open(photo).convert("RGB").save(lossless)
        photos[lossless] = dish_run.classifier.predict(lossless)
    with _served(site) as address, sync.sync_playwright() as play:
        page = play.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        page.goto(address)
        page.wait_for_function("document.getElementById('answer').textContent.startsWith('Knows')", timeout=60_000)
        for photo, expected in photos.items():
            page.evaluate("delete document.getElementById('answer').dataset.answer")
            page.set_input_files("#photo", str(photo))
            page.wait_for_function("document.getElementById('answer').dataset.answer", timeout=60_000)
            told = json.loads(page.evaluate("document.getElementById('answer').dataset.answer"))
            assert told["label"] == expected.label
            assert told["probability"] == pytest.approx(expected.probability, abs=TOLERANCE)
            assert told["known"] == expected.known
        page.screenshot(path=str(tmp_path / "page.png"))


class _served:  # noqa: N801 (a context manager)
    def __init__(self, folder):
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        Quiet.extensions_map = Quiet.extensions_map | {".mjs": "text/javascript"}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/index.html"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_in_a_bare_environment(onnx_export, dish_run, dishes, tmp_path, capsys):
    steps = [line for line in (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").splitlines() if line.startswith("RUN pip ")]
    assert steps == ["RUN pip install --no-cache-dir numpy pillow onnxruntime"]
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", bare], check=True)
    python = bare / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if subprocess.run([python, "-m", *steps[0].split()[1:]], capture_output=True, check=False).returncode:
        pytest.skip("the packages cannot be fetched")
    photos = sorted((dishes / "test").rglob("*.jpg"))[::6]
    done = subprocess.run([python, onnx_export / "predict.py", "--json", *photos], capture_output=True, text=True, check=True)
    for told, photo in zip(json.loads(done.stdout), photos, strict=True):
        assert (told["label"], told["probability"]) == _right(dish_run, photo)
    sizes = {"packages": bare, "export": onnx_export}
    told = {name: sum(each.stat().st_size for each in place.rglob("*") if each.is_file()) for name, place in sizes.items()}
    with capsys.disabled():
        sys.stdout.write("\n" + ", ".join(f"{name}: {size / 1e6:.0f} MB" for name, size in told.items()) + "\n")
