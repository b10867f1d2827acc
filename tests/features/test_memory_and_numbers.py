"""Memory that runs out while features are computed, and features that are no finite numbers."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from tsugiki.backbones.freezing import freeze
from tsugiki.core.devices import is_out_of_memory
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.data.samples import Samples
from tsugiki.features.engines.choose import Engines
from tsugiki.features.engines.reference import weights_key
from tsugiki.features.executor import EXACT
from tsugiki.features.extract import Extractor, FeatureSettings
from tsugiki.features.file_features import features_of_files
from tsugiki.features.halving import Halving
from tsugiki.features.store import FeatureStore


class Small:
    """An engine for as many photos as fit into a small memory."""

    name, precision, batch_size, lanes = "torch", "float32", 8, 1

    def __init__(self, most, error=None):
        self.most, self.error, self.asked = most, error or RuntimeError("CUDA out of memory."), []

    def __call__(self, pixels):
        self.asked.append(len(pixels))
        if len(pixels) > self.most:
            raise self.error
        return pixels.reshape(len(pixels), -1)[:, :2].astype(np.float32)


@pytest.mark.long
@pytest.mark.robust(
    "threads",
    case="memory that runs out while features are computed",
    right="half as many photos at once, said once; nothing is lost",
)
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("Exception from src/inference: std::bad_alloc"),
    ],
)
def test_memory_that_runs_out_is_halved(capsys, error):
    engine = Small(3, error)
    compute = Halving(engine)
    pixels = np.arange(8 * 3 * 4 * 4, dtype=np.uint8).reshape(8, 3, 4, 4)
    assert (compute(pixels) == pixels.reshape(8, -1)[:, :2]).all()
    assert engine.asked == [8, 4, 2, 2, 2, 2]
    compute(pixels)
    assert max(engine.asked[6:]) == 2  # it is remembered
    assert capsys.readouterr().err.count("Memory ran out") == 1


@pytest.mark.long
def test_not_even_one_photo():
    with pytest.raises(TsugikiError, match="not enough memory") as caught:
        Halving(Small(0))(np.zeros((4, 3, 2, 2), np.uint8))
    assert "smaller backbone" in caught.value.cure
    with pytest.raises(ValueError, match="shape"):  # another fault is not taken for it
        Halving(Small(0, ValueError("shape")))(np.zeros((4, 3, 2, 2), np.uint8))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.long
def test_features_are_the_same_where_memory_is_short(nae, dishes, monkeypatch):
    paths = sorted(dishes.rglob("*.jpg"))[:12]
    expected, _ = features_of_files(nae, nae.preprocess, paths)
    whole = copy.deepcopy(nae)
    body = whole.body.forward

    def cramped(photos):
        if len(photos) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return body(photos)

    monkeypatch.setattr(whole.body, "forward", cramped)
    found, problems = features_of_files(whole, nae.preprocess, paths)
    assert problems == {}
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def broken(nae):
    """A backbone whose features are no numbers for bright photos."""
    network = copy.deepcopy(nae)
    body = network.body.forward
    network.body.forward = lambda photos: body(photos) / (photos.mean(dim=(1, 2, 3), keepdim=False)[:, None] < 0.5).float()
    return network


@pytest.mark.robust(
    "networks",
    case="a network whose features are NaN for some photo",
    right="the work ends with the photo's name, nothing is stored",
)
def test_features_that_are_no_numbers_are_never_kept(broken, tmp_path):
    for number in range(12):
        Image.new("RGB", (64, 64), (0, 0, number) if number < 9 else (255, 255, 255)).save(tmp_path / f"{number:02}.png")
    paths = sorted(tmp_path.glob("*.png"))
    store = FeatureStore(tmp_path / "store")
    samples = Samples.from_lists(paths, ["a", "b"] * 6, index=store)
    with pytest.raises(TsugikiError, match=r"features of .*09\.png are no finite numbers"):
        Extractor(broken, settings=FeatureSettings(store=store, engine="torch"))(samples, EXACT)
    assert all(np.isfinite(np.fromfile(path, np.float32)).all() for path in store.folder.glob("*.f32"))


@pytest.mark.robust("threads", case="a network in half or double precision", right="one sentence, before the first photo")
@pytest.mark.parametrize("kind", [torch.float16, torch.float64, torch.bfloat16])
def test_other_precisions_get_a_sentence(nae, kind):
    with pytest.raises(RequestError, match="computed in float32") as caught:
        Engines(copy.deepcopy(nae).to(kind), nae.preprocess)
    assert caught.value.got == str(kind).removeprefix("torch.")


CHANGES = {
    "activation": lambda body: setattr(body, "act1", torch.nn.GELU()),
    "stride": lambda body: setattr(body.conv1, "stride", (1, 1)),
    "function": lambda body: setattr(body, "forward", lambda photos: photos.mean(dim=(2, 3))),
    "hook": lambda body: body.register_forward_hook(_doubled),
}


def _doubled(_module, _inputs, output):
    return 2 * output


@pytest.mark.robust(
    "networks",
    case="a layer exchanged or a setting changed after loading",
    right="other features than the stored ones; saving, which would undo it, is refused",
)
@pytest.mark.parametrize("kind", CHANGES)
def test_the_key_of_features_knows_the_structure(nae, kind):
    changed = copy.deepcopy(nae)
    assert weights_key(changed) == weights_key(nae)
    assert changed.changed_since_built() == []
    CHANGES[kind](changed.body)
    assert weights_key(changed) != weights_key(nae)
    assert changed.changed_since_built() in (["act1"], ["conv1"], ["."])


def test_using_a_network_changes_no_key(nae):
    used = copy.deepcopy(nae)
    key = weights_key(used)
    with torch.no_grad():
        used.eval()(torch.zeros(1, 3, 64, 64))
    freeze(used).train()
    assert weights_key(used) == key
    assert used.changed_since_built() == []
