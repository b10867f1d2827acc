"""``tsugiki rank`` says which network is best and with which command one goes on; ``fit --backbone best`` does both."""

import json
import shlex

import pytest
import torch
from PIL import Image

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.inspection.rank import choice, rank_backbones
from tsugiki.reporting.run_folder import load_run

NAMED = ("--backbone", "bundled:nae", "--backbone", "timm:test_vit=none")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
def test_the_table_the_picture_and_a_command_that_decodes_nothing(tsu, dishes, here, decoded):
    status, out, err = tsu("rank", dishes, *NAMED, "--parts", "1", "--plot", "front.png")
    assert status == 0, err
    head, *rows = out.splitlines()[:3]
    assert head.split()[:3] == ["group", "backbone", "right"]
    assert [row.split()[1] for row in rows] == ["bundled:nae", "timm:test_vit=none"]
    assert "Recommended: bundled:nae" in out
    assert "it computes none" in err
    with Image.open(here / "front.png") as picture:
        assert picture.width > 500
    (line,) = (line for line in err.splitlines() if line.startswith("next: "))
    words = shlex.split(line.removeprefix("next: "))
    assert words == ["tsugiki", "fit", str(dishes), "--backbone", "bundled:nae"]
    decoded.clear()
    status, _, err = tsu(*words[1:], "--out", here / "run")
    assert status == 0, err
    # The run's engine is proven on drawn photos and on held-out ones; nothing is learned from those again.
    assert not [path for path in decoded if dishes / "train" in path.parents]
    assert "Looking at photos" not in err


@pytest.mark.long
def test_json_is_one_document_and_everything_is_in_it(tsu, dishes):
    options = ("--parts", "1", "--seed", "3", "--device", "cpu")
    status, out, _ = tsu("rank", dishes, *NAMED, "--backbone", "bundled:nie", *options, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["best"] == document["networks"][0]["name"] == "bundled:nae"
    assert [one["name"] for one in document["left_out"]] == ["bundled:nie"]
    assert document["to_decode"] == 0
    assert document["fit"].endswith("--seed 3 --device cpu --backbone bundled:nae")


def test_networks_that_the_picture_lacks_are_named(tsu, dishes, here, monkeypatch):
    monkeypatch.setattr(rank_backbones, "_measure_latencies", lambda *_: None)  # as where the time is up
    status, _, err = tsu("rank", dishes, *NAMED, "--parts", "1", "--budget", "5m", "--plot", "front.png")
    assert status == 0, err
    assert "Not drawn, as there was no time to measure what a photo takes: bundled:nae, timm:test_vit=none" in err
    assert (here / "front.png").is_file()


def test_it_speaks_japanese(tsu, dishes):
    status, out, err = tsu("--lang", "ja", "rank", dishes, "--backbone", "bundled:nae", "--parts", "1")
    assert status == 0
    assert "おすすめ: bundled:nae" in out
    assert "判定できたのは bundled:nae だけです。" in out
    assert "交差検証" in err


@pytest.mark.long
def test_what_was_ranked_is_told_where_its_order_cannot_be_checked(tsu, dishes):
    status, out, err = tsu("rank", dishes, "--backbone", "bundled:nae", "--finetune-check", "2")
    assert status == 2
    assert "Recommended: bundled:nae" in out
    assert "two networks or more" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--budget", "soon"),
        ("--licence", "free"),
        ("--max-size", "-1"),
        ("--parts", "0"),
        ("--plot", "front.txt"),
        ("--backbone", "resnet18="),
        ("--backbone", "bundled:nae", "--max-size", "1"),
        ("--finetune-check", "1"),
    ],
)
def test_requests_that_make_no_sense_are_refused(tsu, dishes, words):
    status, out, err = tsu("rank", dishes, *words)
    assert status == 2
    assert not out
    assert err


@pytest.mark.long
def test_fit_chooses_the_best_network_and_the_run_tells_among_which(tsu, dishes, here, monkeypatch):
    (here / "zoo.toml").write_text(
        '[backbone.broken]\narchitecture = "timm:test_vit"\nweights = "broken.pth"\n', encoding="utf-8"
    )
    (here / "broken.pth").write_bytes(b"no weights")
    monkeypatch.setenv("TSUGIKI_ZOO", str(here / "zoo.toml"))
    status, _, err = tsu("fit", dishes, "--backbone", "best", "--rank-budget", "5m", "--out", here / "run")
    assert status == 0, err
    ranking = load_run(here / "run").classifier.notes["ranking"]
    assert {row["name"] for row in ranking["networks"]} == {"bundled:nae", "bundled:nae:multi"}
    assert ranking["best"] in {"bundled:nae", "bundled:nae:multi"}
    assert [one["name"] for one in ranking["left_out"]] == ["broken"]
    assert json.loads((here / "run" / "classifier.json").read_text())["trained"]["ranking"] == ranking
    report = (here / "run" / "report.html").read_text(encoding="utf-8")
    assert "It was chosen among 2 by cross-validation on the training photos" in report
    assert "Not judged: broken." in report


@pytest.mark.long
def test_what_is_chosen_to_be_fine_tuned_is_one_network(tsu, dishes, here, monkeypatch):
    torch.save(load_backbone("timm:test_efficientnet", weights="none").body.state_dict(), here / "small.pth")
    (here / "zoo.toml").write_text('[backbone.small]\narchitecture = "timm:test_efficientnet"\nweights = "small.pth"\n')
    # Several together are taken wherever they were judged: fine-tuning would refuse them.
    monkeypatch.setattr(rank_backbones, "recommended", lambda judge: max(choice.in_order(judge), key=len))
    words = ("--backbone", "best", "--zoo", "zoo.toml", "--method", "fine-tune", "--epochs", "1")
    status, _, err = tsu("fit", dishes, *words, "--out", here / "run")
    assert status == 0, err
    ranking = load_run(here / "run").classifier.notes["ranking"]
    assert {row["name"] for row in ranking["networks"]} == {"small", "bundled:nae"}


@pytest.mark.parametrize(
    "words",
    [
        ("--backbone", "bundled:nae", "--rank-budget", "1m"),
        ("--backbone", "best", "--weights", "none"),
        ("--backbone", "auto", "--model-arg", "img_size=96"),
        ("--backbone", "best", "--rank-budget", "never"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(tsu, dishes, here, words):
    status, _, err = tsu("fit", dishes, *words, "--out", here / "run")
    assert status == 2
    assert "next:" in err
    assert not (here / "run").exists()
