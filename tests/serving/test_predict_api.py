"""The server's answers are those of ``tsugiki predict``, to the last bit, whichever way the photos come."""

import base64
import json
import re
import signal
import subprocess
import sys
import threading

import pytest


@pytest.fixture(scope="module")
def told(run_folder, photos):
    """What the command line answers about all photos, and about each alone."""
    from tsugiki.cli.main import run
    from tsugiki.core.console import quiet

    def predicted(*paths):
        import contextlib
        import io

        stream = io.StringIO()
        with quiet(), contextlib.redirect_stdout(stream), pytest.raises(SystemExit):
            run(["--lang", "en", "predict", str(run_folder), *map(str, paths), "--format", "json"])
        return json.loads(stream.getvalue())

    return predicted(*photos), [predicted(path)[0] for path in photos[:4]]


def test_a_form_of_many_photos_is_answered_as_the_command_line_does(served, ask, form, told, photos):
    body, kind = form(photos)
    answer = ask(served, "/v1/predict", body, content_type=kind)
    assert answer.status == 200
    assert answer.json == {"model": "dishes", "predictions": told[0]}


def test_raw_bytes_and_json_are_answered_as_the_command_line_does(served, ask, told, photos):
    for path, expected in zip(photos, told[1], strict=False):
        raw = ask(served, f"/v1/predict?name={path}", path.read_bytes())
        assert raw.json["predictions"] == [expected]
    entries = [{"name": str(path), "data": base64.b64encode(path.read_bytes()).decode()} for path in photos]
    answer = ask(served, "/v1/predict", json.dumps({"photos": entries}), content_type="application/json")
    assert answer.json["predictions"] == told[0]
    alone = ask(served, "/v1/predict", json.dumps({"photos": entries[0]["data"]}), content_type="application/json")
    assert alone.json["predictions"] == [{**told[1][0], "path": ""}]


def test_many_clients_at_once_get_their_own_answers(served, ask, told, photos):
    wrong = []

    def client(number):
        for turn in range(4):
            at = (number + turn) % 4
            found = ask(served, f"/v1/predict?name={photos[at]}", photos[at].read_bytes()).json["predictions"]
            if found != [told[1][at]]:
                wrong.append((number, found))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_photo_that_cannot_be_read_is_answered_with_its_problem(served, ask, form, photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photos[0].read_bytes()[:500])
    body, kind = form([photos[0], broken], names=["good.jpg", "broken.jpg"])
    good, bad = ask(served, "/v1/predict", body, content_type=kind).json["predictions"]
    assert good["label"]
    assert bad == {"path": "broken.jpg", "problem": "a JPEG file, cut off or damaged"}
    alone = ask(served, "/v1/predict", broken.read_bytes())
    assert alone.status == 422
    assert alone.json["error"]["what"] == "None of these photos can be read."
    japanese = ask(served, "/v1/predict", broken.read_bytes(), accept_language="ja,en;q=0.5")
    assert "読め" in japanese.json["error"]["what"]


def test_models_are_asked_for_by_name(start, ask, run_folder, photos, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(run_folder, other)
    server = start(runs=(run_folder, other))
    assert ask(server, "/v1/predict?model=other&top=1", photos[0].read_bytes()).json["model"] == "other"
    assert [model["name"] for model in ask(server, "/v1/models").json["models"]] == ["dishes", "other"]
    missing = ask(server, "/v1/predict?model=dish", photos[0].read_bytes())
    assert missing.status == 404
    assert missing.json["error"]["allowed"] == "did you mean dishes?"


def test_two_runs_of_one_name_are_refused(run_folder):
    from tsugiki.core.errors import RequestError
    from tsugiki.serving.models import Model, Models

    with pytest.raises(RequestError, match="the same name"):
        Models([Model.load(run_folder), Model.load(run_folder)])


def test_the_program_serves_without_torch_and_stops_when_it_is_told_to(run_folder, photos, ask):
    code = "import sys; sys.modules['torch'] = None; from tsugiki.cli.main import run; run(sys.argv[1:])"
    command = [sys.executable, "-c", code, "--lang", "en", "serve", str(run_folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", line)
        assert port, process.stderr.read()

        class Here:
            pass

        Here.port = int(port[1])
        assert ask(Here, "/v1/predict", photos[0].read_bytes()).json["predictions"][0]["label"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.splitlines()[-1] == "Stopped."


def test_who_is_being_answered_when_the_server_stops_has_the_answer(start, ask, form, photos):
    server = start()
    body, kind = form(photos * 3)
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(server, "/v1/predict", body, content_type=kind)))
    thread.start()
    while not server.service.lanes.photos_inside:
        if not thread.is_alive():
            break
    server.stop()
    thread.join()
    assert found[0].status == 200
    assert len(found[0].json["predictions"]) == 54


def test_a_port_that_is_taken_is_told(served, run_folder, run_cli):
    done = run_cli("serve", run_folder, "--port", served.port)
    assert done.returncode == 2
    assert f"Nobody can listen at 127.0.0.1, port {served.port}." in done.stderr
    assert "--port 0" in done.stderr


def test_metrics_are_in_prometheus_format(start, ask, form, photos):
    served = start()
    body, kind = form(photos)
    ask(served, "/v1/predict", body, content_type=kind)
    ask(served, "/nothing")
    answer = ask(served, "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? \S+')
    values = {}
    for line in answer.body.decode().splitlines():
        if not line.startswith("#"):
            assert sample.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            values[name] = float(value)
    assert values['tsugiki_photos_total{model="dishes",outcome="answered"}'] == 18
    assert values['tsugiki_requests_total{route="/v1/predict",status="200"}'] == 1
    assert values['tsugiki_requests_total{route="other",status="404"}'] == 1
    assert sum(value for name, value in values.items() if name.startswith("tsugiki_answers_total")) == 18
    assert values["tsugiki_bytes_inside"] == values["tsugiki_photos_inside"] == 0
    assert values['tsugiki_distance_ratio_count{model="dishes"}'] == 18


def test_the_addresses_are_described_for_programs(served, ask):
    document = ask(served, "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        for method in methods:
            found = ask(served, path.replace("{name}", "dishes"), b"" if method == "post" else None)
            assert found.status not in {404, 405}, path
    statuses = document["paths"]["/v1/predict"]["post"]["responses"]
    for status, strange in (
        (421, {"Host": "a.example"}),
        (403, {"Origin": "http://a.example"}),
        (415, {"content_encoding": "br"}),
    ):
        assert ask(served, "/v1/predict", b"x", **strange).status == status
        assert str(status) in statuses
    (most,) = [
        one["schema"]["maximum"] for one in document["paths"]["/v1/predict"]["post"]["parameters"] if one["name"] == "top"
    ]
    assert ask(served, f"/v1/predict?top={most + 1}", b"x").json["error"]["allowed"] == f"1 ... {most}"
