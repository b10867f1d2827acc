"""Preprocess against the transforms that the weights were published with, value by value."""

import numpy as np
import pytest
from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess

torch = pytest.importorskip("torch")

SHAPES = [(300, 200), (200, 300), (231, 517), (64, 64), (333, 256), (9, 700), (1, 1), (257, 255)]


def noise(width, height, seed=0):
    """Smooth in places and sharp in others, as a photo is."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.integers(-20, 20, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def same(ours, theirs):
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("crop", "resize"), [(224, 256), (224, 224), (97, 100), (101, 94)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_crop_is_torchvisions_image_classification(shape, crop, resize, interpolation):
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    theirs = ImageClassification(crop_size=crop, resize_size=resize, interpolation=InterpolationMode(interpolation))
    ours = Preprocess(size=(crop, crop), resize=resize, interpolation=interpolation)
    same(ours(noise(*shape)), theirs(noise(*shape)))


@pytest.mark.parametrize("shape", SHAPES[:6])
@pytest.mark.parametrize(("size", "share"), [(224, 0.875), (224, 0.9), (192, 0.95), (240, 1.0)])
def test_crop_is_timms_evaluation_transform(shape, size, share):
    from timm.data.transforms_factory import create_transform

    theirs = create_transform(
        (3, size, size), interpolation="bicubic", crop_pct=share, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    ours = Preprocess(size=(size, size), resize=int(size / share), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    same(ours(noise(*shape)), theirs(noise(*shape)))


def test_squash_is_a_plain_resize():
    from torchvision.transforms import v2

    theirs = v2.Compose([v2.Resize((50, 70)), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    ours = Preprocess(size=(50, 70), fit="squash", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))
    same(ours(noise(300, 200)), theirs(noise(300, 200)))


def test_real_photos_as_their_weights_want_them(material):
    from torchvision.models import MobileNet_V2_Weights

    from tsugiki.data.images.decode import open_photo

    theirs = MobileNet_V2_Weights.IMAGENET1K_V2.transforms()
    ours = Preprocess(size=(224, 224), resize=232, interpolation="bilinear")
    for path in sorted((material / "data" / "hymenoptera" / "val" / "ants").iterdir())[:5]:
        photo = open_photo(path)
        same(ours(photo), theirs(photo))


@pytest.mark.parametrize("shape", SHAPES)
def test_pad_keeps_the_whole_photo(shape):
    ours = Preprocess(size=(60, 80), fit="pad", mean=(1, 0, 0), std=(1, 1, 1))
    frame = ours.frame(Image.new("RGB", shape, (0, 0, 255)))
    assert frame.size == (80, 60)
    pixels = np.asarray(frame).reshape(-1, 3)
    assert set(map(tuple, pixels.tolist())) <= {(0, 0, 255), (255, 0, 0)}
    width, height = ours.scaled_size(*shape)
    assert (pixels[:, 2] == 255).sum() == width * height


def test_pixels_then_normalise_is_the_whole():
    ours = Preprocess(size=(32, 32), resize=36)
    pixels = ours.pixels(noise(90, 50))
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (3, 32, 32)
    same(ours.normalise(pixels), ours(noise(90, 50)))
    same(ours.normalise(pixels[None].repeat(4, 1, 1, 1))[2], ours(noise(90, 50)))


def test_survives_json():
    import json

    ours = Preprocess(size=(10, 20), fit="pad", mean=(0.1, 0.2, 0.3))
    assert Preprocess.from_dict(json.loads(json.dumps(ours.to_dict()))) == ours


@pytest.mark.parametrize(
    "fault",
    [
        {"size": (0, 5)},
        {"size": (5,)},
        {"size": 224},
        {"resize": 0},
        {"resize": "big"},
        {"fit": "stretch"},
        {"interpolation": "best"},
        {"std": (0, 1, 1)},
        {"mean": (0.5,)},
        {"colour": "red"},
    ],
)
def test_impossible_values_are_refused(fault):
    with pytest.raises(RequestError):
        Preprocess.from_dict({**Preprocess().to_dict(), **fault})


def test_describe_names_everything():
    text = Preprocess(size=(224, 200), resize=256).describe()
    assert all(word in text for word in ("224 x 200", "256", "bicubic", "0.485", "0.229"))


@pytest.mark.parametrize("halves", ["even", "down"])
@pytest.mark.parametrize(("fit", "resize"), [("crop", 256), ("crop", (250, 180)), ("squash", (256, 256)), ("pad", (240, 240))])
def test_what_is_written_down_comes_back(fit, resize, halves):
    import json

    ours = Preprocess(size=(224, 160), fit=fit, resize=resize, halves=halves)
    written = json.loads(json.dumps(ours.to_dict()))
    assert Preprocess.from_dict(written) == ours
    assert ("halves" in written) == (halves == "down")  # older versions read what they knew
    assert ours(noise(301, 203)).shape == (3, 224, 160)
    assert ours.squashed().frame(noise(301, 203)).size == (160, 224)


@pytest.mark.parametrize("resize", [(256,), (0, 256), (1.5, 2), "256", None])
@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_frames_that_cannot_be_are_refused(fit, resize):
    with pytest.raises(RequestError, match="cannot work"):
        Preprocess(fit=fit, resize=resize)


def test_the_fast_path_cuts_after_squashing_too():
    import io

    from tsugiki.data.images.pixels import read_pixels

    stream = io.BytesIO()
    noise(300, 220).save(stream, "JPEG", quality=95)
    ours = Preprocess(size=(96, 80), fit="squash", resize=(110, 100), interpolation="bilinear")
    fast, exact = (read_pixels(stream.getvalue(), ours, fast=each).values.float() for each in (True, False))
    assert (fast - exact).abs().mean() < 1.0
