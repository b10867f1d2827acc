"""Weights that are elsewhere: fetched whole, or a sentence within seconds, and nothing half-done stays behind."""

import errno
import hashlib
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from huggingface_hub import constants

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.sources import weights_download as reach
from tsugiki.core.errors import TsugikiError, UnknownName, WeightsError, WeightsUnreachable

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    cut = 0
    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : len(CONTENT) - self.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Handler, "cut", 0)
    monkeypatch.setattr(Handler, "asked", [])
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


@pytest.mark.robust(
    "hostile",
    case="half a file of weights in torch's cache, as another program's download left it",
    right="said, and fetched anew",
)
def test_a_part_of_the_promised_file_is_fetched_anew(server, tmp_path, capsys):
    place = tmp_path / "w.pth"
    place.write_bytes(CONTENT[:50])
    with pytest.raises(WeightsUnreachable):
        reach.download("http://127.0.0.1:1/w.pth", place, name="x", hash_prefix=DIGEST[:8])
    assert reach.download(server, place, name="x", hash_prefix=DIGEST[:8]).read_bytes() == CONTENT
    assert "is not whole" in capsys.readouterr().err
    place.write_bytes(b"\x80\x02 a whole file of somebody's own")  # as PyTorch wrote them long ago
    reach.download(server, place, name="x", hash_prefix=DIGEST[:8])
    assert place.read_bytes() != CONTENT


def test_the_wrong_content_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(WeightsError, match="not the promised file"):
        reach.download(server, tmp_path / "w.pth", name="x", hash_prefix="00000000")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_transfer_is_no_file_of_weights_and_is_continued(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "cut", 10)
    with pytest.raises(WeightsUnreachable) as caught:
        reach.download(server, tmp_path / "w.pth", name="x")
    assert "6990 of 7000 bytes" in str(caught.value)
    assert not (tmp_path / "w.pth").exists()
    monkeypatch.setattr(Handler, "cut", 0)
    assert reach.download(server, tmp_path / "w.pth", name="x", hash_prefix=DIGEST).read_bytes() == CONTENT
    assert Handler.asked[-1] == "bytes=6989-"
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.pth"]


def test_a_full_disk_is_not_the_networks_fault(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tsugiki.core.http.write_json", full)
    with pytest.raises(TsugikiError, match="cannot be written") as caught:
        reach.download(server, tmp_path / "w.pth", name="x")
    assert "make room on the disk" in caught.value.cure


def test_two_who_want_one_file_fetch_it_once(server, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(reach.download, server, tmp_path / "w.pth", name="x") for _ in range(4)]
        assert {each.result().read_bytes() for each in done} == {CONTENT}
    assert Handler.asked == [""]


def test_a_server_that_never_answers_is_given_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "PATIENCE", 0.3)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(WeightsUnreachable, match="cannot be reached"):
        reach.download(f"http://127.0.0.1:{silent.getsockname()[1]}/w", tmp_path / "w", name="x")


def _dead_proxy(monkeypatch):
    for variable in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


def test_torchvision_behind_a_dead_proxy(tmp_path, monkeypatch):
    _dead_proxy(monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = []
    ask = reach._ask
    monkeypatch.setattr(reach, "_ask", lambda url: asked.append(url) or ask(url))
    with pytest.raises(WeightsUnreachable) as caught:
        load_backbone("efficientnet_b0")
    told = str(caught.value)
    assert "https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth" in told
    assert str(tmp_path / "hub" / "checkpoints" / "efficientnet_b0_rwightman-7f5810bc.pth") in told
    assert "weights='FILE'" in told
    assert "backbone='bundled:nae'" in told
    assert len(asked) == 1


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


class Hub(BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub as a download needs."""

    files: ClassVar[dict[str, bytes]] = {}

    agents: ClassVar[list[str]] = []

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        content = self._answer()
        self.wfile.write(content)

    def _answer(self):
        self.agents.append(self.headers["User-Agent"])
        owner, name, _, _, file = self.path.strip("/").split("/")
        content = self.files.get(file, b"")
        known = (owner, name) == ("someone", "net")
        self.send_response(200 if content and known else 404)
        if not content or not known:
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Hub) as serving:
        address = f"http://127.0.0.1:{serving.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants._HF_DEFAULT_ENDPOINT, address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        serving.shutdown()
        thread.join()


@pytest.mark.usefixtures("hub")
@pytest.mark.robust(
    "hostile",
    case="weights from the hub",
    right="it is asked for files and told nothing of what else is installed or runs here",
)
def test_a_repository_of_the_hub_is_fetched_and_then_kept(monkeypatch):
    import timm
    import torch
    from safetensors.torch import save

    network = timm.create_model("test_resnet", num_classes=3)
    config = {"architecture": "test_resnet", "num_classes": 3, "pretrained_cfg": {"input_size": [3, 64, 64], "license": "mit"}}
    monkeypatch.setattr(Hub, "agents", [])
    monkeypatch.setattr(
        Hub, "files", {"config.json": json.dumps(config).encode(), "model.safetensors": save(network.state_dict())}
    )
    backbone = load_backbone("hub:someone/net")
    assert torch.equal(backbone.head.weight, network.fc.weight)
    assert backbone.origin.licence == "mit"
    assert Hub.agents
    assert not [agent for agent in Hub.agents if "torch" in agent or "agent/" in agent]
    monkeypatch.setattr(Hub, "files", {})
    assert load_backbone("hub:someone/net").origin == backbone.origin


@pytest.mark.usefixtures("hub")
@pytest.mark.robust(
    "hostile", case="settings of a repository on the hub that make no sense", right="a sentence about the repository"
)
@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": 5},
        {"pretrained_cfg": "x"},
        {"num_classes": "abc"},
        {"num_classes": 10**30},
        {"model_args": [1]},
        {"pretrained_cfg": {"crop_pct": "x"}},
        {"pretrained_cfg": {"mean": "x", "std": [0, 0, 0]}},
        {"pretrained_cfg": {"input_size": "big", "fixed_input_size": True}},
        {"pretrained_cfg": {"input_size": [3, -5, 10**9]}},
        "[" * 100_000,
        "[" + "1" * 5000 + "]",
    ],
)
def test_settings_that_make_no_sense_are_a_sentence(monkeypatch, settings):
    content = settings if isinstance(settings, str) else json.dumps({"architecture": "test_resnet"} | settings)
    monkeypatch.setattr(Hub, "files", {"config.json": content.encode(), "model.safetensors": b"x"})
    with pytest.raises(TsugikiError) as caught:
        load_backbone("hub:someone/net")
    assert caught.value.what


@pytest.mark.usefixtures("hub")
def test_what_the_hub_does_not_have(monkeypatch):
    with pytest.raises(UnknownName, match="or it is private"):
        load_backbone("hub:someone/else")
    for config, told in (
        ({"architecture": "resnet99"}, "does not know the architecture"),
        ({"hello": 1}, "of no library"),
        ({"architecture": "test_resnet", "num_classes": 3}, "holds no weights"),
    ):
        monkeypatch.setattr(Hub, "files", {"config.json": json.dumps(config).encode()})
        monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{constants.HF_HUB_CACHE}x")
        with pytest.raises(WeightsError, match=told):
            load_backbone("hub:someone/net")
