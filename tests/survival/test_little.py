"""Little of everything, or much: a plain locale, folders without end, huge photos, threads and processes side by side."""

import json
import shutil
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tsugiki.core.console import quiet

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="attacks fork, and limit address space")


@pytest.mark.robust(
    "hostile", case="600 photos in a folder, and 100,000 in `slow`", right="listed in less than 2 KB of memory for each"
)
@pytest.mark.parametrize("count", [600, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_folder_of_many_photos_is_listed_in_bounded_memory(count, tmp_path):
    from tools.attack.resources import list_many

    _, peak = list_many(tmp_path / "many", count)
    assert peak * 1e6 < 2000 * count


@pytest.mark.robust(
    "hostile", case="the locale C, in which Python would write ASCII only", right="every name is read and shown"
)
def test_in_the_locale_c_names_are_shown_all_the_same(saved_run_once, run_cli, dishes, tmp_path):
    run = shutil.copytree(saved_run_once, tmp_path / "走る")
    photo = tmp_path / "写真 é.jpg"
    photo.write_bytes(min((dishes / "test" / "pizza").iterdir()).read_bytes())
    done = run_cli("predict", run, photo, LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert "写真 é.jpg" in done.stdout


@pytest.mark.robust("hostile", case="one classifier asked in eight threads at once", right="each has the answer of one alone")
def test_threads_have_the_answers_of_one_alone(dish_run, dishes):
    photos = sorted((dishes / "test").rglob("*.jpg"))[:16]
    with quiet():
        alone = [dish_run.classifier.predict(path).probabilities for path in photos]
        with ThreadPoolExecutor(8) as pool:
            together = [answer.probabilities for answer in pool.map(dish_run.classifier.predict, photos)]
    assert together == alone


WORKERS = """
import json, multiprocessing, sys
import tsugiki as tg

def answer(words):
    return tg.load_predictor(words[0]).predict(words[1]).probabilities

if __name__ == "__main__":
    kind, data, *photos = sys.argv[1:]
    multiprocessing.set_start_method(kind)
    data = tg.load(data)  # workers of the program's own are started by then
    run = tg.fit(tg.Classifier("bundled:nae", classes=data.classes), data)
    tg.save_run(run, "run")
    alone = [answer(("run", photo)) for photo in photos]
    with multiprocessing.Pool(2) as pool:
        print(json.dumps([alone, pool.map_async(answer, [("run", photo) for photo in photos]).get(120)]))
"""


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="a script whose workers are started by spawn, and in `slow` by fork when the program has threads already",
    right="each worker answers as the script itself",
)
@pytest.mark.parametrize("kind", ["spawn", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("fork", "forkserver"))])
def test_workers_answer_as_the_script_that_starts_them(kind, dishes, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WORKERS, encoding="utf-8")
    photos = [str(path) for path in sorted((dishes / "test").rglob("*.jpg"))[::4]]
    assert len(photos) > 2
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), kind, str(dishes), *photos],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone, by_workers = json.loads(done.stdout)
    assert len(by_workers) == len(photos)
    assert np.abs(np.array(by_workers) - alone).max() <= (1e-3 if kind == "fork" else 0)  # there PyTorch answers, and says so
    assert ("OpenVINO was at work before this process was forked" in done.stderr) == (kind == "fork")


def large_png(width, height):
    """A real white photo of one bit per pixel, all of its data there, made without holding it."""
    packer = zlib.compressobj(1)
    row = b"\0" + b"\xff" * (-(-width // 8))
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    packed = (len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.slow
def test_a_photo_of_900_million_pixels_is_named_and_not_decoded():
    from tools.attack.workers import Worker
    from tsugiki.core.errors import UnreadablePhoto
    from tsugiki.data.images.decode import open_photo

    def reason(content):
        try:
            return str(open_photo(content).size)
        except UnreadablePhoto as fault:
            return str(fault)

    worker = Worker(reason, seconds=5.0, more_memory=64 << 20)
    worker.begin(large_png(30_000, 30_000))
    told = worker.answer()
    worker.close()
    assert told == "too large: more than 178 million pixels"


@pytest.mark.robust(
    "hostile", case="photos of 65,535 x 1 and of 1 x 65,535 pixels, or as long as JPEG can be", right="each has an answer"
)
def test_strips_as_long_as_can_be_are_answered(dish_run, tmp_path):
    for kind, length in (("png", 65_535), ("bmp", 65_535), ("tif", 65_535), ("jpg", 65_500)):
        for size in ((length, 1), (1, length)):
            Image.new("RGB", size, (200, 40, 30)).save(tmp_path / f"{size[0]}.{kind}")
    with quiet():
        answers = dish_run.classifier.predict(sorted(tmp_path.iterdir()))
    assert [answer.problem for answer in answers] == [""] * 8
    assert np.ptp([answer.probabilities for answer in answers], axis=0).max() < 0.02  # JPEG's colour is another by a grey level
