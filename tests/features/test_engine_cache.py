"""What was converted or compiled once is used by later processes, and never believed where it was changed."""

import os

import numpy as np
import pytest

from tsugiki.backbones.known import engine_cache
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines import openvino_conversion
from tsugiki.features.engines.openvino_conversion import converted, network_files
from tsugiki.features.engines.openvino_engine import OpenVINOEngine
from tsugiki.features.engines.reference import weights_key

pytestmark = pytest.mark.cold

SMALL = Preprocess(size=(64, 64), resize=64)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), np.uint8)


@pytest.fixture
def conversions(monkeypatch):
    """How often a network was traced."""
    counted = []
    convert = openvino_conversion._convert

    def count(*words):
        counted.append(words)
        return convert(*words)

    monkeypatch.setattr(openvino_conversion, "_convert", count)
    return counted


def features(nae, pixels):
    return OpenVINOEngine(converted(nae, SMALL, key=weights_key(nae)), precision="float32")(pixels)


@pytest.mark.robust(
    "artefacts",
    case="a second process with a backbone that this machine has seen",
    right="the network is neither traced nor compiled again, and the features are the same to the bit",
)
def test_a_network_that_was_seen_is_not_converted_again(nae, pixels, conversions):
    first = features(nae, pixels)
    again = features(nae, pixels)
    network_files(nae, SMALL, key=weights_key(nae))
    assert len(conversions) == 1
    assert np.array_equal(first, again)


@pytest.mark.parametrize("change", ["preprocess", "weights"])
def test_another_network_is_converted(nae, pixels, conversions, change):
    features(nae, pixels)
    other = Preprocess(size=(64, 64), resize=64, mean=(0.5, 0.5, 0.5)) if change == "preprocess" else SMALL
    key = weights_key(nae) if change == "preprocess" else "of other weights"
    OpenVINOEngine(converted(nae, other, key=key), precision="float32")(pixels)
    assert len(conversions) == 2


@pytest.mark.robust(
    "artefacts",
    case="a file of the engine cache that is cut short or changed",
    right="it is not used, but made again",
)
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-7], lambda content: content[:99] + b"?" + content[100:], lambda _: b""]
)
def test_a_damaged_entry_is_made_anew(nae, pixels, conversions, damage):
    first = features(nae, pixels)
    entries = engine_cache._entries()
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    assert np.array_equal(features(nae, pixels), first)
    assert len(conversions) == 2


def test_what_another_build_of_the_library_wrote_is_made_anew(nae, pixels):
    first = features(nae, pixels)
    for entry in engine_cache._entries():
        engine_cache.keep(entry.name, b"whole, but of another kind")
    assert np.array_equal(features(nae, pixels), first)


@pytest.mark.robust("artefacts", case="a cache folder that cannot be written", right="work goes on, a little slower")
def test_a_cache_that_cannot_be_written_is_done_without(nae, pixels, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "file"))
    assert features(nae, pixels).shape == (3, nae.num_features)
    assert engine_cache.size() == 0


def test_what_was_not_used_for_longest_goes_first(monkeypatch):
    for number in range(3):
        engine_cache.keep(str(number), b"x" * 100)
        os.utime(engine_cache.folder() / str(number), (number, number))
    engine_cache.kept("0")
    monkeypatch.setattr(engine_cache, "MOST", 300)
    engine_cache.keep("new", b"x" * 100)
    assert {entry.name for entry in engine_cache._entries()} == {"0", "new"}
    assert engine_cache.clear() == 2 * 132
    assert engine_cache.kept("0") is None
