"""The Open Inference Protocol, as clients of KServe and Triton speak it, with the answers of every other door."""

import base64
import json
import struct

import numpy as np
import pytest
from PIL import Image

INFER = "/v2/models/dishes/infer"


@pytest.fixture
def expected(served, ask, form, photos):
    body, kind = form(photos)
    return ask(served, "/v1/predict", body, content_type=kind).json["predictions"]


def encoded(paths):
    return [base64.b64encode(path.read_bytes()).decode() for path in paths]


def test_health_and_metadata_are_as_the_protocol_says(served, ask):
    assert ask(served, "/v2/health/live").json == {"live": True}
    assert ask(served, "/v2/health/ready").json == {"ready": True}
    assert ask(served, "/v2/models/dishes/ready").json == {"name": "dishes", "ready": True}
    assert "binary_tensor_data" in ask(served, "/v2").json["extensions"]
    about = ask(served, "/v2/models/dishes/versions/1").json
    assert about["name"] == "dishes"
    assert about["inputs"][0] == {"name": "photo", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}}
    assert about["outputs"][-1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    assert json.loads(about["parameters"]["classes"]) == ["pizza", "steak", "sushi"]


def test_tensors_in_json(served, ask, expected, photos):
    request = {
        "id": "17",
        "inputs": [{"name": "photo", "datatype": "BYTES", "shape": [len(photos)], "data": encoded(photos)}],
        "outputs": [{"name": "probabilities"}, {"name": "label"}, {"name": "known"}],
    }
    answer = ask(served, INFER, json.dumps(request)).json
    assert answer["id"] == "17"
    assert answer["model_name"] == "dishes"
    probabilities, labels, known = answer["outputs"]
    assert labels == {"name": "label", "datatype": "BYTES", "shape": [18], "data": [one["label"] for one in expected]}
    assert known["data"] == [one["known"] for one in expected]
    assert probabilities["shape"] == [18, 3]
    assert probabilities["data"] == [value for one in expected for value in one["probabilities"].values()]


def test_tensors_as_bytes(served, ask, expected, photos):
    content = b"".join(struct.pack("<I", len(data)) + data for data in (path.read_bytes() for path in photos))
    request = {
        "inputs": [
            {"name": "photo", "datatype": "BYTES", "shape": [18], "parameters": {"binary_data_size": len(content)}},
        ],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(request).encode()
    answer = ask(served, INFER, head + content, Inference_Header_Content_Length=str(len(head)))
    length = int(answer.headers["Inference-Header-Content-Length"])
    told, behind = json.loads(answer.body[:length]), answer.body[length:]
    found = {}
    for output in told["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], behind = behind[:size], behind[size:]
    assert not behind
    assert np.frombuffer(found["probability"], "<f4").tolist() == [one["probability"] for one in expected]
    assert np.frombuffer(found["distance"], "<f4").tolist() == [one["distance"] for one in expected]
    assert np.frombuffer(found["known"], "?").tolist() == [one["known"] for one in expected]
    first = int.from_bytes(found["label"][:4], "little")
    assert found["label"][4 : 4 + first].decode() == expected[0]["label"]


def test_pixels_are_answered_as_the_photo_is(served, ask, expected, photos):
    pixels = np.array(Image.open(photos[0]).convert("RGB"))[None]
    request = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.tolist()}]}
    told = {one["name"]: one["data"] for one in ask(served, INFER, json.dumps(request)).json["outputs"]}
    assert told["probabilities"] == list(expected[0]["probabilities"].values())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (None, "has a list of inputs"),
        ([{"name": "photo"}], "has no shape"),
        ([{"name": "photo", "datatype": "FP32", "shape": [1], "data": [1.0]}], "a datatype that holds no photos"),
        ([{"name": "photo", "datatype": "BYTES", "shape": [2], "data": ["aGk="]}], "does not fit its shape"),
        ([{"name": "photo", "datatype": "BYTES", "shape": [1], "data": ["?"]}], "no base64"),
        ([{"name": "photo", "datatype": "BYTES", "shape": [1], "data": ["aGk="]}], "Photos cannot be read: 0: "),
        ([{"name": "photo", "datatype": "BYTES", "shape": [0], "data": []}], "another datatype or shape"),
        ([{"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [300] * 12}], "does not fit its shape"),
        ([{"name": "image", "datatype": "UINT8", "shape": [1, 2, 3], "data": [3] * 6}], "another datatype or shape"),
        ([{"name": "other", "datatype": "BYTES", "shape": [1], "data": ["aGk="]}], "A model takes one input."),
        (
            [{"name": "photo", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 9}}],
            "fewer bytes than it says",
        ),
    ],
)
def test_what_the_protocol_does_not_say_is_refused_in_a_sentence(served, ask, inputs, said):
    answer = ask(served, INFER, json.dumps({"inputs": inputs}))
    assert answer.status == 400
    assert said in answer.json["error"]


def test_outputs_models_and_versions_that_are_not_there_are_refused(served, ask, photos):
    request = {
        "inputs": [{"name": "photo", "datatype": "BYTES", "shape": [1], "data": encoded(photos[:1])}],
        "outputs": [{"name": "logits"}],
    }
    answer = ask(served, INFER, json.dumps(request))
    assert answer.status == 400
    assert "There is no output 'logits'. allowed: label, probability" in answer.json["error"]
    assert ask(served, "/v2/models/dish").json["error"].endswith("allowed: did you mean dishes? got: 'dish'")
    assert ask(served, "/v2/models/dishes/versions/2").status == 404
    assert "no length" in ask(served, INFER, b"{}", Inference_Header_Content_Length="99").json["error"]


@pytest.mark.parametrize("binary", [True, False])
def test_the_client_of_triton_works_unchanged(served, expected, photos, binary):
    client_module = pytest.importorskip("tritonclient.http")
    client = client_module.InferenceServerClient(f"127.0.0.1:{served.port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("dishes", "1")
        assert client.get_server_metadata()["name"] == "tsugiki"
        assert client.get_model_metadata("dishes")["outputs"][0]["name"] == "label"
        content = [path.read_bytes() if binary else base64.b64encode(path.read_bytes()) for path in photos]
        given = client_module.InferInput("photo", [len(photos)], "BYTES")
        given.set_data_from_numpy(np.array(content, object), binary_data=binary)
        names = ("label", "probability", "known", "distance", "probabilities")
        outputs = None if binary else [client_module.InferRequestedOutput(name, binary_data=False) for name in names]
        result = client.infer("dishes", [given], outputs=outputs, request_id="a")
        assert [label.decode() if binary else label for label in result.as_numpy("label")] == [one["label"] for one in expected]
        assert result.as_numpy("probability").tolist() == [one["probability"] for one in expected]
        assert result.as_numpy("probabilities").tolist() == [[*one["probabilities"].values()] for one in expected]
        assert result.as_numpy("known").tolist() == [one["known"] for one in expected]
        pixels = np.array(Image.open(photos[0]).convert("RGB"))[None]
        image = client_module.InferInput("image", list(pixels.shape), "UINT8")
        image.set_data_from_numpy(pixels, binary_data=binary)
        assert client.infer("dishes", [image]).as_numpy("probability").tolist() == [expected[0]["probability"]]
        with pytest.raises(client_module.InferenceServerException, match="There is no model"):
            client.infer("dish", [given])
    finally:
        client.close()
