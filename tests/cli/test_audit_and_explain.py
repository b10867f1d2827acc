"""``audit`` and ``explain`` as typed: results on standard output, talk elsewhere, refusals that say the cure."""

import json

import pytest

from tests.reporting.runs import small_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("photos"), ("猫", "犬"), count=40).samples.root


@pytest.mark.long
def test_an_audit_writes_its_page_and_tells_one_document(run_cli, folder, tmp_path):
    done = run_cli("audit", folder, "--out", tmp_path / "audit", "--json", "--lang", "ja")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["photos"] == 40
    assert '<html lang="ja">' in (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")


def test_an_audit_never_replaces_something_else(run_cli, folder, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = run_cli("audit", folder, "--out", tmp_path)
    assert done.returncode == 2
    assert "would be replaced" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.long
def test_an_explanation_is_a_picture(run_cli, folder, tmp_path):
    from tsugiki.classifier.classifier import Classifier

    Classifier("bundled:nae", classes=("猫", "犬")).save(tmp_path / "run")
    photo = next(iter(sorted(folder.rglob("*.png"))))
    done = run_cli("explain", tmp_path / "run", photo, "--data", folder, "--out", tmp_path / "why.png", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["method"] == "Grad-CAM"
    assert len(document["nearest"]) == 5
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
