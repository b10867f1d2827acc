"""What leaves the studio is what the printed command makes: bit for bit, and nowhere else than beside the decisions."""

import json
import shlex

import pytest

from tests.serving.studio.steps import begun, label, left, until
from tsugiki.serving.studio import leaving

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.mark.long
def test_the_printed_command_makes_the_same_run(open_studio, asking, lunch, drawn, run_cli, tmp_path):
    server = open_studio(lunch)
    me = asking(server)
    label(server.studio, drawn[1], range(15))
    begun(server, me)
    written = left(server, me, "first")
    assert "of 15 training photos answered right" in written["sentence"]
    words = shlex.split(written["command"])
    assert words[:2] == ["tsugiki", "fit"]
    again = tmp_path / "again"
    done = run_cli(*words[1 : words.index("--out")], "--out", again)
    assert done.returncode == 0, done.stderr
    first = tmp_path / "runs" / "first"
    assert (first / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()
    assert (first / "predictions.csv").read_bytes() == (again / "predictions.csv").read_bytes()
    assert (tmp_path / "runs" / "first-onnx" / "parity.json").is_file()
    assert written["says"].startswith("Proven on")
    scope = {}
    code = written["python"].replace("photo.jpg", str(lunch / "29.jpg"))
    exec(code, scope)  # noqa: S102 (the three lines, as a person copies them)
    assert scope["classifier"].classes == ("pizza", "steak", "sushi")


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_photos_are_held_out_where_there_are_enough(open_studio, asking, flat, monkeypatch):
    monkeypatch.setattr(leaving, "ENOUGH", 15)
    server = open_studio(flat)
    me = asking(server)
    begun(server, me)
    written = left(server, me, "flat")
    assert "--held-out" not in written["command"]
    evaluation = json.loads((flat.parent / "runs" / "flat" / "evaluation.json").read_text(encoding="utf-8"))
    assert (evaluation["split"], evaluation["n"]) == ("test", 12)


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_held_out_photos_of_the_folder_are_judged_in_the_end(open_studio, asking, dishes, tmp_path):
    server = open_studio(dishes, table=tmp_path / "dishes.csv")
    me = asking(server)
    server.studio.labels.decide([0], mark="right")
    begun(server, me)
    assert "of 18 held-out photos" in left(server, me, "dishes")["sentence"]


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_a_run_is_not_replaced_and_lies_beside_the_decisions(open_studio, asking, lunch, drawn):
    server = open_studio(lunch)
    me = asking(server)
    assert me.post("/api/leave", {"name": "early"}).status == 409
    label(server.studio, drawn[1], range(12))
    begun(server, me)
    assert me.get("/report").status == 404
    there = lunch.parent / "runs" / "mine"
    there.mkdir(parents=True)
    (there / "note.txt").write_text("mine")
    written = left(server, me, "mine")
    assert written["run"] == str(lunch.parent / "runs" / "mine-2")
    assert [path.name for path in there.iterdir()] == ["note.txt"]
    report = me.get("/report")
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in report.headers["content-security-policy"]
    for name in ("", "../out", "a/b", "/etc/x", ".hidden", "a\\b", "a.", "x" * 81, 3, None, "a\n"):
        assert me.post("/api/leave", {"name": name}).status == 400, name
    assert sorted(path.name for path in lunch.parent.iterdir()) == ["lunch", "lunch.studio.csv", "runs"]


def test_a_run_that_cannot_be_written_is_told(open_studio, asking, lunch, drawn):
    server = open_studio(lunch)
    me = asking(server)
    label(server.studio, drawn[1], range(12))
    begun(server, me)
    (lunch.parent / "runs").write_text("a file in the way")
    assert me.post("/api/leave", {"name": "mine"}).status == 200
    studio = until(server, lambda studio: not studio.writer.told()["busy"])
    assert studio.writer.told()["problem"]
    assert studio.writer.told()["written"] is None
