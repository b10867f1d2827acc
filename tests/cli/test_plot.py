"""``tsugiki plot`` draws what a run folder holds."""

import numpy as np
import pytest
from PIL import Image

from tsugiki.cli.plot import plot
from tsugiki.core.errors import ArtefactError, DataError, RequestError
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Predictions


@pytest.fixture
def photos(tmp_path):
    for split in ("train", "test"):
        for name, colour in (("pizza", (250, 0, 0)), ("寿司", (0, 0, 250))):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (30, 20), colour).save(folder / f"{index}.png")
    return tmp_path / "photos"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    header = "epoch,train_loss,train_acc,val_loss,val_acc,lr,seconds\n"
    (folder / "history.csv").write_text(header + "1,0.9,0.5,0.8,0.6,0.1,1\n2,0.5,0.8,,,0.1,1\n", encoding="utf-8")
    names = tuple(f"test/{name}/{index}.png" for name in ("pizza", "寿司") for index in range(3))
    chances = np.tile([[0.75, 0.25]], (6, 1))
    table = Predictions(names, ("test",) * 6, np.repeat([0, 1], 3), chances, ("pizza", "寿司"))
    table.to_csv(folder / "predictions.csv")
    return folder


def test_the_curves_are_drawn_beside_the_run(run, capsys):
    plot(run)
    assert capsys.readouterr().out.splitlines() == [str(run.parent / "run-plots" / "curves.png")]
    assert sorted(path.name for path in run.iterdir()) == ["history.csv", "predictions.csv"]
    with Image.open(run.parent / "run-plots" / "curves.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.long
def test_predictions_and_batch_are_drawn_from_the_photos(run, photos, tmp_path, capsys):
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.classifier.classifier import Classifier

    Classifier(load_backbone("bundled:nae"), classes=("pizza", "寿司")).save(run)
    (photos / "train" / "pizza" / "broken.png").write_bytes(b"")
    plot(run, out=tmp_path / "out", data=str(photos), batch=True, count=20)
    said = capsys.readouterr()
    names = [line.rsplit("/", 1)[-1] for line in said.out.splitlines()]
    assert names == ["curves.png", "predictions.png", "batch.png"]
    # Once, though it is met twice; a machine without Japanese letters says that as well.
    assert said.err.splitlines().count("Left out: train/pizza/broken.png: empty file") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_photos_of_another_run_are_refused(run, photos, tmp_path):
    (photos / "test").rename(photos / "val")
    with pytest.raises(DataError, match="None of the photos that the run was judged on") as caught:
        plot(run, out=tmp_path / "out", data=str(photos))
    assert "test/pizza/0.png" in str(caught.value)


def test_requests_that_make_no_sense_say_what_to_type(run, tmp_path):
    with pytest.raises(RequestError, match="--data DATA"):
        plot(run, batch=True)
    with pytest.raises(RequestError, match="tsugiki fit"):
        plot(tmp_path / "nowhere")
    (run / "history.csv").unlink()
    with pytest.raises(ArtefactError, match=r"no history\.csv"):
        plot(run)


def test_a_run_that_held_nothing_out_is_drawn_too(run, photos, capsys):
    text = (run / "predictions.csv").read_text(encoding="utf-8")
    (run / "predictions.csv").write_text(text.replace(",test,", f",{OUT_OF_FOLD},"), encoding="utf-8")
    plot(run, data=str(photos))
    assert capsys.readouterr().out.splitlines()[-1].endswith("predictions.png")
