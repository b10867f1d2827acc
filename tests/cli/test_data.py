"""``tsugiki data``: the folder on standard output, the talk on standard error."""

import json
import zipfile

from PIL import Image
from typer.testing import CliRunner

from tsugiki.cli.data import app


def test_get_tells_the_folder(tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    with zipfile.ZipFile(tmp_path / "food.zip", "w") as packed:
        for kind in ("pizza", "steak"):
            packed.write(photo, f"{kind}/1.png")
    words = ["get", str(tmp_path / "food.zip"), "--to", str(tmp_path / "data")]
    first = CliRunner().invoke(app, words)
    assert first.stdout.strip() == str(tmp_path / "data" / "food")
    assert "2 photos" in first.stderr
    second = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(second.stdout) == {"folder": (tmp_path / "data" / "food").as_posix()}
    assert "nothing was fetched" in second.stderr


def test_list_names_everything_that_get_knows():
    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "pizza_steak_sushi",
        "pizza_steak_sushi_20_percent",
        "hymenoptera",
        "sample:foodvision",
    ]
    assert json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout).keys() == {line.split()[0] for line in lines}
