"""``fit DATA --extend RUN``: a finished run learns new photos, on the command line."""

import shutil

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backbone", "resnet18"), "--backbone would do nothing"),
        (("--weights", "none"), "--weights would do nothing"),
        (("--method", "fine-tune"), "by its head alone"),
        (("--backbone", "best"), "--backbone would do nothing"),
    ],
)
def test_what_would_do_nothing_is_refused_before_photos_are_opened(saved_run, tsu, tmp_path, words, said):
    status, out, err = tsu("fit", tmp_path / "no photos", "--extend", saved_run, "--out", tmp_path / "out", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert "no photos" not in err


@pytest.mark.long
def test_a_class_is_added_though_the_photos_of_the_others_are_gone(dishes, tsu, tmp_path):
    old, new, out = tmp_path / "old", tmp_path / "new", tmp_path / "out"
    for split in ("train", "test"):
        for dish in ("pizza", "steak"):
            shutil.copytree(dishes / split / dish, old / split / dish)
        shutil.copytree(dishes / split / "sushi", new / split / "sushi")
    assert tsu("fit", old, "--backbone", "bundled:nae", "--out", tmp_path / "run")[0] == 0
    shutil.rmtree(old)
    status, told, err = tsu("fit", new, "--extend", tmp_path / "run", "--out", out)
    assert (status, told) == (0, f"{out}\n")
    assert "The 12 held-out photos of before" in err
    asked = next(line for line in err.splitlines() if line.startswith("next: tsugiki predict"))
    assert str(new) in asked  # a photo that is there
    status, told, _ = tsu("predict", out, new / "test" / "sushi" / "12.jpg")
    assert status == 0
    assert "sushi" in told
    page = (out / "report.html").read_text(encoding="utf-8")
    for text in (page, (out / "README.md").read_text(encoding="utf-8")):
        assert "The 12 held-out photos of before" in text
        assert "評価用に取り分けてあった写真 12 枚" in text


def test_a_list_of_the_run_and_a_share_are_read_as_in_any_fit(dishes, tsu, tmp_path):
    run, new = tmp_path / "run", tmp_path / "new"
    assert tsu("fit", dishes, "--backbone", "bundled:nae", "--out", run)[0] == 0
    shutil.copytree(dishes / "train" / "sushi", new / "rice")
    status, _, err = tsu("fit", new, "--extend", run, "--held-out", "1.5", "--out", tmp_path / "out")
    assert (status, "--held-out is the share of photos to hold out" in err) == (2, True)
    status, _, err = tsu("fit", new, "--extend", run, "--multi-label", "--out", tmp_path / "out")
    assert (status, "next: fit the whole data set anew, with --multi-label" in err) == (2, True)
    listed = tmp_path / "listed.csv"
    listed.write_text("path,label,suggested,score,action\ntrain/pizza/03.jpg,pizza,steak,0.9,exclude\n")
    status, _, err = tsu("fit", new, "--extend", run, "--exclude", listed, "--out", tmp_path / "out")
    assert status == 0
    assert "pizza/03.jpg: excluded by the list" in err
    assert "with 3 classes to choose from" not in err
