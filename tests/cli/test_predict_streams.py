"""``tsugiki predict`` for folders and streams: answers come as they are computed, and what was interrupted goes on."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tsugiki.classifier.answers_file import AnswersFile
from tsugiki.classifier.load_predictor import load_predictor
from tsugiki.classifier.predict import predict_files
from tsugiki.classifier.predict_stream import predict_stream
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.data.images import video
from tsugiki.data.sources.listing import LeftOut


@pytest.fixture(scope="module")
def run(saved_classifier_once, tmp_path_factory):
    return shutil.copytree(saved_classifier_once, tmp_path_factory.mktemp("streams") / "run")


@pytest.fixture
def photos(dishes):
    return sorted((dishes / "test").rglob("*.jpg"))


@pytest.fixture
def asked(run):
    """Ask in a process of its own, paths going to its standard input; gives the finished process."""

    def ask(*words, paths=b""):
        command = [sys.executable, "-m", "tsugiki", "predict", str(run), *map(str, words)]
        return subprocess.run(command, input=paths, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})

    return ask


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("of", ["engine", "classifier"])
def test_a_stream_answers_as_a_list_does_in_its_order(dish_run, run, photos, tmp_path, of):
    predictor = load_predictor(run) if of == "engine" else dish_run.classifier
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    asked = [tmp_path / "broken.jpg", *photos, tmp_path / "gone.jpg", photos[0]]
    expected = predict_files(predictor, asked)
    groups = [asked[:1], [], asked[1:8], [*asked[8:], LeftOut("film.tiff", "no photo")]]
    found = list(predict_stream(predictor, groups))
    assert [answer.name for answer in found] == [*map(str, asked), "film.tiff"]
    assert [answer.problem for answer in found] == [*(answer.problem for answer in expected), "no photo"]
    for answer, other in zip(found, expected, strict=False):
        assert answer.label == other.label
        assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        assert answer.distance == pytest.approx(other.distance, abs=1e-6)


def test_a_source_that_waits_does_not_hold_answers_back(run, photos):
    """The second photo is named only when the first one is answered."""
    answered = []

    def one_by_one():
        for number, photo in enumerate(photos[:3]):
            deadline = time.monotonic() + 60
            while len(answered) < number and time.monotonic() < deadline:
                time.sleep(0.005)
            assert len(answered) == number
            yield [photo]

    answered.extend(answer.name for answer in predict_stream(load_predictor(run), one_by_one()))
    assert answered == [*map(str, photos[:3])]


def test_only_a_few_photos_are_under_way(run, photos):
    """However many there are: whoever takes answers slowly is not overrun."""
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield [photos[0]]

    stream = predict_stream(load_predictor(run), endless())
    for _ in range(5):
        next(stream)
    time.sleep(0.3)
    assert len(taken) < 100
    stream.close()
    before = len(taken)
    time.sleep(0.3)
    assert len(taken) <= before + 1


def test_what_goes_wrong_while_photos_are_named_is_raised(run, photos):
    def broken():
        yield [photos[0]]
        raise RequestError("the list is broken")

    with pytest.raises(RequestError, match="the list is broken"):
        list(predict_stream(load_predictor(run), broken()))


@pytest.mark.robust(
    "paths",
    case="paths from standard input: some of no photo, of a folder, of a name that is no text, empty lines",
    right="each has its line of answers, what cannot be read with its reason; exit status 1",
)
def test_paths_come_from_standard_input(asked, photos, tmp_path):
    (tmp_path / "folder").mkdir()
    shutil.copyfile(photos[1], tmp_path / "folder" / "inside.jpg")
    odd = os.fsencode(tmp_path) + b"/\xe9t\xe9.jpg"
    shutil.copyfile(photos[2], odd)
    names = [os.fsencode(photos[0]), b"", b"nowhere.jpg", os.fsencode(tmp_path / "folder"), odd]
    done = asked("-", "--format", "jsonl", paths=b"\n".join(names))
    told = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [os.fsencode(one["path"]) for one in told] == [names[0], names[2], names[3] + b"/inside.jpg", names[4]]
    assert told[1]["problem"] == "no such file"
    assert b"Left out: nowhere.jpg: no such file" in done.stderr
    assert b"Photos that could not be read, and have no answer: 1 of 4." in done.stderr
    assert done.returncode == 1


def test_paths_may_end_with_a_zero_byte(asked, photos, tmp_path):
    lines = tmp_path / "two\nlines.jpg"
    shutil.copyfile(photos[0], lines)
    done = asked("-", "-0", "--format", "csv", paths=os.fsencode(lines) + b"\0" + os.fsencode(photos[1]) + b"\0")
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in rows_of(done.stdout.decode())] == [str(lines), str(photos[1])]


@pytest.mark.robust(
    "paths",
    case="a list of paths as Windows writes it: a byte order mark before the first, two bytes at the end of each line",
    right="the paths without them",
)
def test_paths_may_come_from_a_list_of_windows(asked, photos):
    lines = b"\xef\xbb\xbf" + b"\r\n".join(map(os.fsencode, photos[:2])) + b"\r\n"
    done = asked("-", "--format", "csv", paths=lines)
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in rows_of(done.stdout.decode())] == list(map(str, photos[:2]))


def test_zero_bytes_that_nobody_told_of_are_named(asked, photos):
    done = asked("-", paths=os.fsencode(photos[0]) + b"\0" + os.fsencode(photos[1]) + b"\0")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"next: read them with --null" in done.stderr


def test_an_empty_list_of_paths_has_no_answers_and_is_told(asked):
    done = asked("-", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert b"No photo was named on standard input." in done.stderr


def test_the_lines_are_those_of_the_whole_table(tsu, run, dishes):
    _, rows, _ = tsu("predict", run, dishes / "test", "--format", "csv")
    _, lines, _ = tsu("predict", run, dishes / "test", "--format", "jsonl")
    _, document, _ = tsu("predict", run, dishes / "test", "--format", "json")
    told = [json.loads(line) for line in lines.splitlines()]
    assert told == json.loads(document)
    assert [row["predicted"] for row in rows_of(rows)] == [one["label"] for one in told]


INTERRUPTED = """
import sys
from tsugiki.classifier.answers_file import AnswersFile
add, count = AnswersFile.add, 0
def one_more(self, text, **words):
    global count
    count += 1
    if count == {last}:
        {how}
    add(self, text, **words)
AnswersFile.add = one_more
from tsugiki.cli.main import run
run(sys.argv[1:])
"""
KILLED = "self._file.write(b'half a li'); self._file.flush(); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.robust(
    "hostile",
    case="predicting into a file is interrupted, or killed in the middle of a line",
    right="the same command goes on: the file is the same to the byte as without the interruption",
)
@pytest.mark.parametrize(("how", "status"), [("raise KeyboardInterrupt", 130), (KILLED, -signal.SIGKILL)])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_was_interrupted_goes_on(tsu, run, dishes, tmp_path, how, status, ending):
    words = ["predict", run, dishes / "test", "--out"]
    assert tsu(*words, tmp_path / f"whole.{ending}")[0] == 0
    path = tmp_path / f"answers.{ending}"
    for last in (7, 4):
        code = INTERRUPTED.format(last=last, how=how)
        command = [sys.executable, "-c", code, *map(str, [*words, path])]
        done = subprocess.run(command, capture_output=True, check=False, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert done.returncode == status, done.stderr
        assert not path.exists()
        if status == 130:
            assert f"the same command goes on with {path}" in done.stderr
    got, _, err = tsu(*words, path)
    assert got == 0, err
    assert f"Going on after 9 answers that are in {path} already." in err
    assert path.read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, f"whole.{ending}"]


class Stopped(Exception):
    pass


@pytest.fixture
def half_done(photos, tmp_path):
    """A file that holds the answers of the first three photos; gives a function that goes on with it."""
    own = [shutil.copyfile(photo, tmp_path / f"{number}.jpg") for number, photo in enumerate(photos[:5])]

    def begin(about=("run",), **settings):
        return AnswersFile(tmp_path / "answers.csv", {"about": about}, **settings)

    file = begin()
    for photo in next(file.without_answered([own])):
        if photo.name == "3.jpg":
            break
        file.add(f"{photo}\n", problem=photo.name == "1.jpg")
    file.close()
    return begin, own


def test_what_is_answered_is_not_asked_again(half_done):
    begin, own = half_done
    file = begin()
    assert (file.answered, file.problems) == (3, 1)
    file.require_among(own)
    # One that comes twice has two answers.
    assert list(file.without_answered([own[:2], [own[4], own[0]], own[2:4]])) == [[own[4], own[0]], [own[3]]]
    file.close()


@pytest.mark.robust(
    "hostile",
    case="going on with a file of answers after a photo was changed or taken away, with another run, or twice at a time",
    right="refused, with the way round; --force begins anew",
)
def test_what_does_not_belong_together_is_refused(half_done):
    begin, own = half_done
    with pytest.raises(RequestError, match="answers of another run"):
        begin(about=("other",))
    file = begin()
    with pytest.raises(RequestError, match=r"not asked about any more(?s:.)*2\.jpg"):
        file.require_among(own[:2])
    with pytest.raises(RequestError, match="is being written by another process"):
        begin()
    own[1].write_bytes(own[3].read_bytes() + b" ")
    with pytest.raises(RequestError, match=r"1\.jpg has changed since it was answered"):
        list(file.without_answered([own]))
    file.close()
    anew = begin(about=("other",), overwrite=True)
    assert anew.answered == 0
    assert anew.is_empty
    assert list(anew.without_answered([own])) == [own]
    anew.close()


def test_a_finished_file_is_not_replaced_unasked(tsu, run, photos, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("mine")
    status, _, err = tsu("predict", run, photos[0], "--out", path)
    assert status == 2
    assert "--force" in err
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.csv"]
    assert tsu("predict", run, photos[0], "--out", path, "--force")[0] == 0
    assert [row["path"] for row in rows_of(path.read_text())] == [str(photos[0])]


def test_a_file_takes_no_table(tsu, run, photos, tmp_path):
    for words in (["--out", tmp_path / "a.txt"], ["--out", tmp_path / "a.csv", "--format", "json"]):
        status, _, err = tsu("predict", run, photos[0], *words)
        assert status == 2
        assert "FILE.csv or FILE.jsonl" in err
    assert tsu("predict", run, photos[0], "--out", tmp_path / "a.txt", "--format", "jsonl")[0] == 0
    assert json.loads((tmp_path / "a.txt").read_text())["path"] == str(photos[0])


@pytest.fixture
def film(photos, tmp_path):
    """Six seconds, two photos in turn, a second each."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 96))
    for number in range(60):
        with Image.open(photos[0 if number // 10 % 2 else -1]) as photo:
            pixels = photo.convert("RGB").resize((96, 96))
        import numpy as np

        writer.write(np.asarray(pixels)[:, :, ::-1].copy())
    writer.release()
    return path


def test_a_video_is_answered_frame_by_frame(tsu, run, film):
    status, out, err = tsu("predict", run, film, "--every", "2", "--format", "csv")
    assert status == 0, err
    assert [row["path"] for row in rows_of(out)] == [f"{film}#t=0.00", f"{film}#t=2.00", f"{film}#t=4.00"]
    frames = list(video.frames(film, every=0.5))
    assert [frame.seconds for frame in frames] == pytest.approx([0.5 * number for number in range(12)])
    assert frames[0].pixels.shape == (96, 96, 3)


def test_a_video_that_cannot_be_read_is_told(tsu, run, photos, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    (tmp_path / "film.mp4").write_bytes(b"no film")
    status, out, err = tsu("predict", run, tmp_path / "film.mp4", photos[0], "--format", "jsonl")
    assert status == 1
    assert json.loads(out.splitlines()[0]) == {"path": str(tmp_path / "film.mp4"), "problem": "no video that can be read"}
    assert json.loads(out.splitlines()[1])["path"] == str(photos[0])
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TsugikiError, match=r"tsugiki\[video\]"):
        video.require_decoder(tmp_path / "film.mp4")
    status, _, err = tsu("predict", run, photos[0], "--every", "0")
    assert status == 2
    assert "more than 0 seconds" in err
