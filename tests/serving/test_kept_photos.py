"""Photos are kept where a person asked for it, and nowhere else; what is kept can be labelled and learned from."""

import csv

import numpy as np
import pytest
from PIL import Image

from tsugiki.classifier.answer import Prediction
from tsugiki.core.errors import RequestError
from tsugiki.serving.kept_photos import COLUMNS, KeptPhotos
from tsugiki.serving.lanes import Photo


def rows(folder):
    with (folder / "kept.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_kept_photos_are_learned_from_once_they_are_labelled(start, ask, form, photos, tmp_path):
    import tsugiki as tg
    from tsugiki.core.console import quiet

    folder = tmp_path / "kept"
    server = start(kept=KeptPhotos(folder))
    body, kind = form([*photos, photos[0]], names=[f"../../{number}.jpg" for number in range(19)])
    told = ask(server, "/v1/predict", body, content_type=kind).json["predictions"]
    kept = rows(folder)
    assert len(kept) == 18  # the same photo once
    assert [row["suggested"] for row in kept] == [one["label"] for one in told[:18]]
    assert {row["label"] for row in kept} == {""}
    assert (folder / kept[0]["path"]).read_bytes() == photos[0].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    table = folder / "labelled.csv"
    labelled = [f"{row['path']},{path.parent.name}" for row, path in zip(kept, photos, strict=True)]
    table.write_text("path,label\n" + "\n".join(labelled[:-1]) + f"\n{kept[-1]['path']},\n", encoding="utf-8")
    with quiet():
        samples = tg.load(table)
    assert samples.classes == ("pizza", "steak", "sushi")
    assert len(samples) == 17  # one has no label yet


def test_an_earlier_folder_is_gone_on_with(tmp_path):
    answer = Prediction("=cmd", 0.5, distance=0.25)
    for content in (b"\xff\xd8one", b"\xff\xd8two", b"\xff\xd8one"):
        KeptPhotos(tmp_path).add([Photo(content)], [answer], "m")
    kept = rows(tmp_path)
    assert tuple(kept[0]) == COLUMNS
    assert len(kept) == 2
    assert kept[0]["suggested"] == "'=cmd"  # a spreadsheet would execute it


def test_pixels_are_kept_as_a_picture_and_what_cannot_be_read_is_not_kept(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    problem = Prediction("", 0.0, known=False, problem="cut off")
    KeptPhotos(tmp_path).add([Photo(pixels), Photo(b"x")], [Prediction("a", 1.0), problem], "m")
    (row,) = rows(tmp_path)
    assert (np.array(Image.open(tmp_path / row["path"])) == pixels).all()


def test_a_full_folder_is_told_once_and_answers_go_on(tmp_path, capsys):
    kept = KeptPhotos(tmp_path, most_bytes=4)
    for number in range(3):
        kept.add([Photo(b"\xff\xd8" + bytes([number]))], [Prediction("a", 1.0)], "m")
    assert len(rows(tmp_path)) == 2
    assert capsys.readouterr().err.count("No more photos are kept") == 1


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match="cannot be written"):
        KeptPhotos(tmp_path / "file")
