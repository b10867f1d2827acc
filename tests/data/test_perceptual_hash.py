"""The perceptual hash: copies keep it, other photos do not."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import differing_bits
from tsugiki.data.images.pixels import perceptual_hash
from tsugiki.data.synthetic.sample import draw_photo


def grey(photo):
    return np.asarray(photo.convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)


@pytest.fixture(scope="module")
def photos():
    return [Image.open(io.BytesIO(draw_photo(dish, number))) for dish in ("pizza", "steak", "sushi") for number in range(4)]


def test_it_is_the_median_cut_of_the_lowest_cosines(photos):
    values = grey(photos[0])
    low = [
        sum(
            values[y, x] * math.cos(math.pi * v * (y + 0.5) / 32) * math.cos(math.pi * u * (x + 0.5) / 32)
            for y in range(32)
            for x in range(32)
        )
        for v in range(8)
        for u in range(8)
    ]
    bits = "".join("1" if value > np.median(low[1:]) else "0" for value in low)
    found = perceptual_hash(values)
    assert f"{found & (2**64 - 1):064b}" == bits
    assert -(2**63) <= found < 2**63


def test_copies_are_near_and_other_photos_far(photos):
    hashes = [perceptual_hash(grey(photo)) for photo in photos]
    for photo, own in zip(photos, hashes, strict=True):
        stream = io.BytesIO()
        photo.resize((photo.width // 2, photo.height // 2)).save(stream, "JPEG", quality=60)
        assert differing_bits(perceptual_hash(grey(Image.open(stream))), own) <= 6
    others = [differing_bits(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert np.median(others) > 16
