"""``tsugiki data``: the folder on standard output, the talk on standard error."""

import json
import zipfile

from PIL import Image


def test_get_tells_the_folder(tsu, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    with zipfile.ZipFile(tmp_path / "food.zip", "w") as packed:
        for kind in ("pizza", "steak"):
            packed.write(photo, f"{kind}/1.png")
    words = ["data", "get", tmp_path / "food.zip", "--to", tmp_path / "data"]
    _, out, err = tsu(*words)
    assert out.strip() == str(tmp_path / "data" / "food")
    assert "2 photos" in err
    _, out, err = tsu(*words, "--json")
    assert json.loads(out) == {"folder": (tmp_path / "data" / "food").as_posix()}
    assert "nothing was fetched" in err


def test_list_names_everything_that_get_knows(tsu):
    lines = tsu("data", "list")[1].splitlines()
    assert [line.split()[0] for line in lines] == [
        "pizza_steak_sushi",
        "pizza_steak_sushi_20_percent",
        "hymenoptera",
        "sample:foodvision",
        "sample:table",
    ]
    assert json.loads(tsu("data", "list", "--json")[1]).keys() == {line.split()[0] for line in lines}
