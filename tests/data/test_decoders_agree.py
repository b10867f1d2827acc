"""Every format and kind of values against two decoders beside Pillow: OpenCV, and imagecodecs with tifffile."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tsugiki.data.images.decode import open_photo
from tsugiki.data.images.pixels import read_pixels
from tsugiki.data.preprocess import Preprocess

sys.path.insert(0, str(Path(__file__).parents[2]))

pytest.importorskip("cv2", reason="needs OpenCV, one of two independent decoders")
pytest.importorskip("imagecodecs", reason="needs imagecodecs, one of two independent decoders")
pytest.importorskip("tifffile", reason="needs tifffile, of the second independent decoder")

from tools.attack.corpus import DECODERS, LOSSY, VARIANTS, apart

UNREAD = {
    ("qoi", "OpenCV"): "it does not know the format",
    ("qoi RGBA", "OpenCV"): "it does not know the format",
    ("tiff zstd", "OpenCV"): "its libtiff is built without zstd",
}
OTHERWISE = {
    ("tiff Lab", "OpenCV"): "its libtiff shows Lab on a monitor with another white and another gamma than sRGB",
}


@pytest.mark.robust(
    "pixels",
    case="more than a hundred kinds of sound files: formats, depths, orders, planes, compressions, transparency, orientations",
    right="the pixels that two independent decoders give; where one of them gives others, the test says why",
)
@pytest.mark.parametrize("name", VARIANTS)
def test_two_independent_decoders_see_the_same(name):
    ours = np.asarray(open_photo(VARIANTS[name])).astype(float)
    # 0.6: 16 bits are cut or rounded to 8; 1.5: the decoders of lossy formats round each in its own way.
    near = 1.5 if name.startswith(LOSSY) and not name.startswith("jpeg 2000") else 0.6
    for who, decode in DECODERS.items():
        theirs = decode(name, VARIANTS[name])
        assert (theirs is None) == ((name, who) in UNREAD), who
        if theirs is not None:
            assert theirs.shape == ours.shape
            assert (apart(ours, theirs) > near) == ((name, who) in OTHERWISE), (who, apart(ours, theirs))


def test_enough_kinds_of_files_have_two_opinions():
    doubtful = {name for name, _ in (*UNREAD, *OTHERWISE)}
    assert doubtful <= set(VARIANTS)
    assert len(set(VARIANTS) - doubtful) >= 100


@pytest.mark.parametrize("name", VARIANTS)
def test_both_paths_see_the_same_of_every_kind(name):
    preprocess = Preprocess(size=(24, 24), resize=28)
    reference, fast = (read_pixels(VARIANTS[name], preprocess, fast=fast) for fast in (False, True))
    assert apart(reference.values.numpy().astype(float), fast.values.numpy().astype(float)) < 2.5
    assert reference.facts.remarks == fast.facts.remarks
