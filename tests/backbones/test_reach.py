"""Weights that are elsewhere: fetched whole, or a sentence within seconds, and nothing half-done stays behind."""

import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from tsugiki.backbones import reach
from tsugiki.backbones.loading import load_backbone
from tsugiki.core.errors import WeightsError, WeightsUnreachable

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    cut = 0

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) - self.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Handler, "cut", 0)
    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/w.pth"
        serving.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server, tmp_path):
    place = tmp_path / "deep" / "w.pth"
    assert reach.download(server, place, name="x", hash_prefix=DIGEST[:8]) == place
    assert place.read_bytes() == CONTENT
    place.write_bytes(b"mine")
    reach.download("http://127.0.0.1:1/w.pth", place, name="x")
    assert place.read_bytes() == b"mine"


def test_the_wrong_content_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(WeightsError, match="not the promised file"):
        reach.download(server, tmp_path / "w.pth", name="x", hash_prefix="00000000")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_transfer_leaves_nothing_and_the_next_one_works(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "cut", 10)
    with pytest.raises(WeightsUnreachable) as caught:
        reach.download(server, tmp_path / "w.pth", name="x")
    assert "6990 of 7000 bytes" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Handler, "cut", 0)
    assert reach.download(server, tmp_path / "w.pth", name="x").read_bytes() == CONTENT


def test_a_server_that_never_answers_is_given_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "PATIENCE", 0.3)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.perf_counter()
        with pytest.raises(WeightsUnreachable, match="cannot be reached"):
            reach.download(f"http://127.0.0.1:{silent.getsockname()[1]}/w", tmp_path / "w", name="x")
    assert time.perf_counter() - begin < 3


def _dead_proxy(monkeypatch):
    for variable in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


def test_torchvision_behind_a_dead_proxy(tmp_path, monkeypatch):
    _dead_proxy(monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    begin = time.perf_counter()
    with pytest.raises(WeightsUnreachable) as caught:
        load_backbone("efficientnet_b0")
    told = str(caught.value)
    assert "https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth" in told
    assert str(tmp_path / "hub" / "checkpoints" / "efficientnet_b0_rwightman-7f5810bc.pth") in told
    assert "--weights FILE" in told
    assert "--backbone bundled:nae" in told
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("offline", [True, False])
def test_the_hub_offline_or_behind_a_dead_proxy(tmp_path, monkeypatch, offline):
    _dead_proxy(monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, file in (("timm:resnet18", "timm--resnet18.a1_in1k"), ("hub:someone/net", "someone--net")):
        with pytest.raises(WeightsUnreachable) as caught:
            load_backbone(name)
        assert str(tmp_path / f"models--{file}" / "snapshots" / "main") in caught.value.cure
        assert ("HF_HUB_OFFLINE" in caught.value.got) == offline


def test_a_file_put_where_the_sentence_says_is_found(tmp_path, monkeypatch):
    import timm
    import torch
    from safetensors.torch import save_file

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsUnreachable) as caught:
        load_backbone("timm:test_resnet.r160_in1k")
    place = next(word for word in caught.value.cure.split() if word.endswith("model.safetensors"))
    network = timm.create_model("test_resnet")
    (tmp_path / place).parent.mkdir(parents=True)
    save_file(network.state_dict(), place)
    backbone = load_backbone("timm:test_resnet.r160_in1k")
    assert torch.equal(backbone.head.weight, network.fc.weight)
    assert backbone.origin.label == "r160_in1k"
    assert backbone.origin.licence == "apache-2.0"
    assert backbone.preprocess.size == (160, 160)
