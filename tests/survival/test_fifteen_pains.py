"""Fifteen things that people of other tools suffer from; each is met here once, small, by its name."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tsugiki as tg
from tests.fine_tuning.conftest import draw_photos
from tsugiki.core.errors import DataError, RequestError, TsugikiError, UnreadablePhoto, UnsafeArchive
from tsugiki.data.images.decode import open_photo
from tsugiki.data.synthetic.sample import DISHES, draw_photo
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore

BUNDLED = ("--backbone", "bundled:nae", "--epochs", "5")


def put(folder, name, content=None, number=0):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw_photo("pizza", number) if content is None else content)
    return path


def stored(image, format_="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def photo(dish="pizza", number=0):
    return Image.open(io.BytesIO(draw_photo(dish, number)))


@pytest.fixture
def two_classes(tmp_path):
    root = tmp_path / "photos"
    for kind, dish in (("a", "pizza"), ("b", "sushi")):
        for number in range(6):
            put(root, f"{kind}/{number}.jpg", draw_photo(dish, number))
    return root


def left_out(samples):
    return {entry.name: entry.reason for entry in samples.left_out}


def test_01_unreadable_files_are_named_skipped_and_counted_and_only_bad_ones_end_cleanly(tsu, two_classes, tmp_path):
    whole = draw_photo("pizza", 9)
    for name, content in (("a/zero.jpg", b""), ("a/cut.jpg", whole[: len(whole) // 2]), ("b/page.jpg", b"<html><body>")):
        put(two_classes, name, content)
    status, _, err = tsu("fit", two_classes, *BUNDLED, "--out", tmp_path / "run")
    assert status == 0
    assert "Left out: 3" in err.splitlines()
    for name in ("zero.jpg: empty file", "cut.jpg: cut off", "page.jpg: an HTML page"):
        assert name in err
    for path in two_classes.rglob("*.jpg"):
        path.write_bytes(b"<html>")
    status, out, err = tsu("fit", two_classes, *BUNDLED, "--out", tmp_path / "none")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert not (tmp_path / "none").exists()


def test_02_heic_called_jpg_and_endings_in_capitals_are_read_or_refused_by_name(two_classes):
    put(two_classes, "a/UPPER.JPG", number=10)
    put(two_classes, "b/Mixed.JpEg", number=11)
    put(two_classes, "b/heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    samples = tg.load(two_classes)
    assert {"a/UPPER.JPG", "b/Mixed.JpEg"} <= set(samples.names)
    assert "HEI" in left_out(samples)["b/heic.jpg"]


def test_03_what_programs_leave_lying_about_is_never_a_class(two_classes):
    for name in (".ipynb_checkpoints/1.jpg", "a/.ipynb_checkpoints/1.jpg", "__MACOSX/a/._1.jpg"):
        put(two_classes, name, number=12)
    put(two_classes, ".DS_Store", b"\0\0\0\1Bud1")
    (two_classes / "empty").mkdir()
    samples = tg.load(two_classes)
    assert samples.classes == ("a", "b")
    assert len(samples) == 12


def test_04_a_val_folder_with_other_classes_shifts_no_label(tmp_path):
    for split, kinds in (("train", "abc"), ("val", "ac"), ("test", "bcd")):
        for at, kind in enumerate(kinds):
            for number in range(3):
                put(tmp_path, f"{split}/{kind}/{number}{split}.jpg", number=20 * "abcd".index(kind) + 5 * at + number)
    samples = tg.load(tmp_path)
    assert samples.classes == ("a", "b", "c")
    for name, label in zip(samples.names, samples.labels, strict=True):
        assert samples.classes[label] == name.split("/")[1]
    reason = "the class d is not among the training classes"
    assert left_out(samples) == {f"test/d/{number}test.jpg": reason for number in range(3)}


def test_05_one_photo_one_class_and_a_flat_folder_are_decided_without_a_traceback(tsu, two_classes, tmp_path, capsys):
    put(two_classes, "single/1.jpg", number=30)
    assert tg.load(two_classes).classes == ("a", "b", "single")
    assert "Only one training photo: single." in capsys.readouterr().err
    for name in ("one class", "flat"):
        for number in range(4):
            put(tmp_path / name, f"{'a/' if name == 'one class' else ''}{number}.jpg", number=number)
        status, _, err = tsu("fit", tmp_path / name, *BUNDLED, "--out", tmp_path / "run")
        assert status in {1, 2}
        assert "next:" in err
        assert "Traceback" not in err


def test_06_every_kind_of_picture_is_read(tmp_path):
    picture = photo().resize((40, 30))
    clear = picture.convert("RGBA")
    clear.putalpha(128)
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    kinds = {
        "RGBA": stored(clear, "PNG"),
        "palette": stored(picture.convert("P"), "PNG", transparency=0),
        "LA": stored(clear.convert("LA"), "PNG"),
        "CMYK": stored(picture.convert("CMYK"), "JPEG"),
        "16 bits": stored(Image.fromarray(deep), "PNG"),
        "animated": stored(picture, "GIF", save_all=True, append_images=[picture.rotate(90)]),
        "1 x 1": stored(Image.new("RGB", (1, 1), "red"), "PNG"),
        "20000 x 20": stored(Image.new("RGB", (20_000, 20), "red"), "PNG"),
    }
    classifier = tg.Classifier("bundled:nae", classes=("a", "b"))
    for name, content in kinds.items():
        assert open_photo(content).mode == "RGB"
        assert not classifier.predict(put(tmp_path, f"{name}.img", content)).problem


def test_07_eight_orientations_have_one_score_everywhere(saved_run, dish_run, tmp_path):
    upright = photo("steak", 3)
    turns = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    for held, turn in turns.items():
        note = Image.Exif()
        note[0x0112] = held
        turned = upright if turn is None else upright.transpose(Image.Transpose(turn))
        put(tmp_path, f"photos/{held}.png", stored(turned, "PNG", exif=note))
    run = saved_run
    for who in (dish_run.classifier, tg.Classifier.load(run), tg.load_predictor(run)):
        scores = np.array([answer.probabilities for answer in who.predict(tmp_path / "photos")])
        assert np.abs(scores - scores[0]).max() < 1e-6
    samples = tg.Samples.from_lists(sorted((tmp_path / "photos").iterdir()), ["a", "b"] * 4)
    table = extract(
        samples, dish_run.classifier.backbone, settings=FeatureSettings(store=FeatureStore(tmp_path / "s"), exact=True)
    )
    assert np.abs(table.every - table.every[0]).max() < 1e-4


def test_08_a_decompression_bomb_is_refused_and_the_rest_goes_on(two_classes):
    bomb = bytearray(stored(Image.new("L", (10, 10)), "PNG"))
    bomb[16:24] = (30_000).to_bytes(4) * 2
    put(two_classes, "a/bomb.png", bytes(bomb))
    put(two_classes, "b/wide.png", stored(Image.new("L", (65_535, 1), 99), "PNG"))
    samples = tg.load(two_classes)
    assert set(left_out(samples)) == {"a/bomb.png"}
    assert len(samples) == 13
    with pytest.raises(UnreadablePhoto):
        open_photo(bytes(bomb))


def test_09_copies_and_subjects_on_both_sides_are_reported(tsu, dishes, tmp_path):
    shutil.copytree(dishes, tmp_path / "photos")
    for number in range(3):
        original = Image.open(dishes / "train" / "pizza" / f"{number:02}.jpg")
        small = original.resize((original.width * 3 // 4, original.height * 3 // 4))
        put(tmp_path / "photos", f"test/pizza/renamed {number}.jpg", stored(small, quality=90))
    _, _, err = tsu("fit", tmp_path / "photos", *BUNDLED, "--out", tmp_path / "run")
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["leaks"]["n"] >= 3
    assert "renamed 0.jpg" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    rows = [f"{path},{path.parent.name},{path.parent.parent.name},cat-1" for path in sorted(dishes.rglob("*.jpg"))]
    table = put(tmp_path, "table.csv", "\n".join(["path,label,split,group", *rows]).encode())
    status, _, err = tsu("audit", table, *BUNDLED[:2])
    assert "Leak: photos in test whose group is in train too: 18 (cat-1)." in err
    assert status == 0


def test_10_frozen_parameters_and_buffers_are_bit_identical_after_training(nae, dishes, tmp_path):
    before = {name: value.clone() for name, value in nae.state_dict().items()}
    classifier = tg.Classifier(nae, classes=tuple(DISHES))
    # 36 photos: the last batch has one.
    train, _, _ = tg.create_dataloaders(dishes / "train", dishes / "test", classifier.preprocess, 35, num_workers=0)
    classifier.train()
    optimizer = torch.optim.Adam(classifier.head.parameters())
    sizes = []
    for pixels, labels in train:
        sizes.append(len(labels))
        torch.nn.functional.cross_entropy(classifier(pixels), labels).backward()
        optimizer.step()
    assert min(sizes) == 1
    tg.fit(classifier, dishes, features=FeatureSettings(store=FeatureStore(tmp_path / "store")))
    after = classifier.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks to be killed quickly")
def test_11_killed_at_any_moment_a_training_goes_on_as_if_nothing_had_been(tmp_path):
    draw_photos(tmp_path / "photos")
    script = Path(__file__).parents[1] / "fine_tuning" / "killed.py"
    words = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "photos"), str(tmp_path), "20"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["faults"] == []
    assert report["kills"] >= 20


def test_12_a_replaced_file_and_a_new_class_are_noticed(nae, two_classes, tmp_path):
    settings = FeatureSettings(store=FeatureStore(tmp_path / "store"), engine="torch")
    first = extract(tg.load(two_classes), nae, settings=settings)
    (two_classes / "a" / "0.jpg").write_bytes(draw_photo("steak", 50))
    for number in range(3):
        put(two_classes, f"c/{number}.jpg", draw_photo("steak", number))
    samples = tg.load(two_classes)
    second = extract(samples, nae, settings=settings)
    assert samples.classes == ("a", "b", "c")
    assert second.computed >= 4
    old, new = (table.every[table.samples.names.index("a/0.jpg")] for table in (first, second))
    assert np.abs(old - new).max() > 0.01


class _Pickle:
    def __reduce__(self):
        return (os.system, ("echo owned > owned",))


def test_13_saved_and_loaded_elsewhere_it_answers_the_same_and_no_pickle_is_opened(
    saved_run_once, dish_run, dishes, tmp_path, monkeypatch
):
    run = shutil.copytree(saved_run_once, tmp_path / "here" / "run")
    photos = sorted((dishes / "test" / "pizza").iterdir())[:3]
    expected = [answer.probabilities for answer in dish_run.classifier.predict(photos)]
    shutil.move(run.parent, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    loaded = tg.Classifier.load(tmp_path / "elsewhere" / "run")
    together = [answer.probabilities for answer in loaded.predict(photos)]
    alone = [loaded.predict(path).probabilities for path in photos]
    assert np.allclose(together, expected, atol=1e-6)
    assert np.allclose(alone, expected, atol=1e-6)
    torch.save({"weights": _Pickle()}, tmp_path / "evil.pth")
    with pytest.raises(TsugikiError):
        tg.Classifier("timm:test_resnet", classes=("a", "b"), weights=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "owned").exists()


@pytest.mark.long
def test_14_without_a_network_the_cure_is_said_and_half_a_download_is_thrown_away(run_cli, two_classes, tmp_path):
    half = put(tmp_path, "torch/hub/checkpoints/mobilenet_v3_small-047dcff4.pth", b"half of it")
    away = {"TORCH_HOME": str(tmp_path / "torch"), "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    words = ("fit", two_classes, "--backbone", "mobilenet_v3_small", "--out", tmp_path / "run")
    done = run_cli(*words, **away)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{half} is not whole" in done.stderr
    assert "--weights FILE" in done.stderr
    assert not (tmp_path / "run").exists()


SCRIPT = """
import sys
import tsugiki as tg
data = tg.load(sys.argv[1])
model = tg.Classifier("bundled:nae", classes=data.classes)
run = tg.fit(model, data)
print(run.classifier.predict(sys.argv[2]).known, tg.save_run(run, sys.argv[3]))
"""


@pytest.mark.long
def test_15_odd_paths_no_guard_hostile_archives_and_an_unrelated_photo(dishes, tmp_path):
    root = tmp_path / "写真" / "猫 é"
    for dish, name in zip(DISHES, ("寿司", "ステーキ", "é ピザ"), strict=True):
        shutil.copytree(dishes / "train" / dish, root / name)
    stripes = np.where(np.indices((200, 200)).sum(axis=0)[..., None] % 20 < 10, (0, 60, 255), (255, 255, 0)).astype(np.uint8)
    unrelated = put(tmp_path, "写真/stripes é.png", stored(Image.fromarray(stripes), "PNG"))
    script = put(tmp_path, "script.py", SCRIPT.encode())
    words = [sys.executable, "-W", "ignore", str(script), str(root), str(unrelated), str(tmp_path / "走")]
    environment = os.environ | {"PYTHONPATH": str(Path(tg.__file__).parents[1]), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("False")
    assert "寿司" in (tmp_path / "走" / "report.html").read_text(encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("../out.jpg", draw_photo("pizza", 0))
    with tarfile.open(tmp_path / "link.tar", "w") as links:
        link = tarfile.TarInfo("a/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        links.addfile(link)
    for name in ("out.zip", "link.tar"):
        with pytest.raises((UnsafeArchive, DataError, RequestError)):
            tg.load(tmp_path / name)
    assert not (tmp_path.parent / "out.jpg").exists()
