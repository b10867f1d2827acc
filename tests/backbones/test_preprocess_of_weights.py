"""The preprocessing that belongs to weights: ours must give the network what its own library gives it, pixel for pixel."""

import importlib
import json
import warnings

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

from tsugiki.backbones.sources import timm_source, torchvision_source
from tsugiki.core.errors import WeightsError
from tsugiki.data.preprocess import Preprocess


def photo(width, height):
    noise = np.random.default_rng(0).integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


WIDE, HIGH = photo(311, 205), photo(150, 401)  # odd sizes: halves of pixels must fall where the library's fall


def _distinct(configurations):
    return {repr(sorted(values.items())): (name, values) for name, values in reversed(configurations)}.values()


def _timm_configurations():
    named = [(name, timm.models.get_pretrained_cfg(name).to_dict()) for name in timm_source.tagged_names()]
    return _distinct([(name, resolve_data_config({}, pretrained_cfg=config)) for name, config in named])


def _torchvision_configurations():
    sets = [(name, weights) for name in torchvision_source.names() for weights in torchvision_source.weights_of(name)]
    return _distinct([(f"{name} {weights.name}", vars(weights.transforms()) | {"of": None}) for name, weights in sets]), {
        f"{name} {weights.name}": (name, weights) for name, weights in sets
    }


def _same_as_timm(photos):
    compared, different = 0, []
    for name, config in _timm_configurations():
        ours, theirs = timm_source.from_config(config), create_transform(**config, is_training=False)
        compared += 1
        different += [name for each in photos if not torch.allclose(ours(each), theirs(each), rtol=0, atol=1e-6)]
    print(f"timm: {compared} distinct preprocessing configurations compared, {len(different)} different, 0 refused")  # noqa: T201 (the count is a result)
    assert compared > 100
    assert different == []


@pytest.mark.robust(
    "networks",
    case="every preprocessing that timm publishes, `squash` with `crop_pct` below 1 too",
    right="pixel for pixel what timm itself computes",
)
def test_every_configuration_of_timm():
    _same_as_timm([WIDE])


@pytest.mark.slow
def test_every_configuration_of_timm_on_other_photos():
    _same_as_timm([HIGH, photo(64, 64), photo(1000, 333)])


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(224, 160), (96, 128)])
def test_sizes_that_are_no_square(mode, size):
    config = {"input_size": (3, *size), "crop_pct": 0.9, "interpolation": "bicubic", "crop_mode": mode}
    config |= {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
    theirs = create_transform(**config, is_training=False)
    for each in (WIDE, HIGH):
        torch.testing.assert_close(timm_source.from_config(config)(each), theirs(each), rtol=0, atol=1e-6)


@pytest.mark.robust(
    "networks", case="every preprocessing that torchvision publishes", right="pixel for pixel what torchvision itself computes"
)
def test_every_configuration_of_torchvision():
    distinct, sets = _torchvision_configurations()
    for label, _ in distinct:
        name, weights = sets[label]
        ours = torchvision_source.preprocess(torchvision_source.plan(name, weights.name, {}))
        for each in (WIDE, HIGH):
            torch.testing.assert_close(ours(each), weights.transforms()(each), rtol=0, atol=1e-6)
    print(f"torchvision: {len(distinct)} distinct preprocessing configurations compared")  # noqa: T201 (the count is a result)
    assert len(distinct) > 10


def test_an_image_size_of_the_architecture_counts():
    plan = timm_source.plan("vit_tiny_patch16_224", "", {"img_size": 96})
    assert timm_source.preprocess(plan).size == (96, 96)


def _processor_classes():
    """Every class of processors that transformers gives to a network that classifies images; by Pillow, where there is one."""
    mapping = importlib.import_module("transformers.models.auto.image_processing_auto").IMAGE_PROCESSOR_MAPPING_NAMES
    classify = importlib.import_module("transformers.models.auto.modeling_auto").MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    found = {}
    for kind in classify:
        names = mapping.get(kind) or {}
        found.setdefault(names.get("pil") or names.get("torchvision"), []).append(kind)
    # That of timm has no file of its own: timm's configuration says it, see above.
    return {name: kinds for name, kinds in found.items() if name not in {None, "TimmWrapperImageProcessor"}}


REFUSED = {
    "DonutImageProcessor",  # a page of text, padded
    "Gemma3ImageProcessor",  # of a language model
    "ImageGPTImageProcessor",  # colours become words
    "PerceiverImageProcessor",  # crops before it resizes
    "Siglip2ImageProcessor",  # a size of its own for every photo
    "TextNetImageProcessor",  # likewise
}


def _agrees(name, settings, each, read_processor):
    """Whether ours gives what a class of transformers gives, up to one grey level where that resizes without Pillow."""
    transformers = importlib.import_module("transformers")
    theirs = getattr(transformers, name)(**settings)
    found = read_processor(json.loads(theirs.to_json_string()))
    ours = found.preprocess(each)
    ours = ours.flip(0) if found.bgr else ours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers' own about arrays that it does not write to
        expected = torch.as_tensor(np.array(theirs(each, return_tensors="pt")["pixel_values"][0]))
    level = 0.0 if name.endswith("Pil") or name == "PPLCNetImageProcessor" else 1 / 255 / min(theirs.image_std)
    return ours.shape == expected.shape and bool(
        ((ours - expected).abs() <= level + 1e-6 * max(10.0, float(expected.abs().max()))).all()
    )


@pytest.mark.robust(
    "networks",
    case="every class of image processor that transformers gives to a classifier, MobileViT's (blue first, not normalised) too",
    right="pixel for pixel what transformers computes, or refused by the name of what cannot be done",
    source="apple/ml-cvnets#45",
)
def test_every_processor_class_of_transformers():
    pytest.importorskip("transformers")
    from tsugiki.backbones.sources.transformers_processor import read_processor

    same, refused = set(), set()
    for name in _processor_classes():
        if name.removesuffix("Pil") in REFUSED:
            with pytest.raises(WeightsError) as caught:
                read_processor({"image_processor_type": name})
            refused.add(caught.value.got.removeprefix("image_processor_type=").strip("'").removesuffix("Pil"))
        else:
            assert all(_agrees(name, {}, each, read_processor) for each in (WIDE, HIGH)), name
            same.add(name)
    print(f"transformers: {len(same)} classes the same ({', '.join(sorted(same))}); refused: {', '.join(sorted(refused))}")  # noqa: T201 (the count is a result)
    assert refused == REFUSED
    assert len(same) >= 15


PUBLISHED = {  # settings that checkpoints really have, class by class
    "ViTImageProcessorPil": [
        {"size": {"height": 96, "width": 64}, "resample": 3},
        {"do_normalize": False},
        {"do_rescale": False},
    ],
    "ConvNextImageProcessorPil": [
        {"size": {"shortest_edge": 224}},
        {"size": {"shortest_edge": 224}, "crop_pct": 0.95, "resample": 2},
        {"size": {"shortest_edge": 288}, "crop_pct": 1.0},
    ],
    "BeitImageProcessorPil": [{"size": {"height": 256, "width": 256}, "do_center_crop": True}],
    "BitImageProcessorPil": [
        {"size": {"shortest_edge": 256}, "image_mean": [0.485, 0.456, 0.406]},
        {"size": {"shortest_edge": 257}},
    ],
    "CLIPImageProcessorPil": [{"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}],
    "DeiTImageProcessorPil": [{"size": {"height": 438, "width": 438}, "crop_size": {"height": 384, "width": 384}}],
    "EfficientNetImageProcessorPil": [
        {"size": {"height": 224, "width": 224}, "resample": 0, "image_std": [0.4785, 0.4733, 0.4743]},
        {"rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": False},
        {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
    ],
    "LevitImageProcessorPil": [{"size": {"height": 200, "width": 240}}, {"do_rescale": False}],
    "MobileNetV2ImageProcessorPil": [{"crop_size": {"height": 160, "width": 160}, "size": {"shortest_edge": 192}}],
    "MobileViTImageProcessorPil": [
        {"size": {"shortest_edge": 288}, "resample": 2},
        {"do_flip_channel_order": False},
        {"do_rescale": False},
    ],
    "PoolFormerImageProcessorPil": [{"crop_pct": 0.95}, {"size": {"height": 224, "width": 224}}, {"crop_pct": 1.0}],
    "PPLCNetImageProcessor": [{"resize_short": 232}],
    "DINOv3ViTImageProcessor": [{}, {"do_normalize": False}],
    "SegformerImageProcessorPil": [{"size": {"height": 224, "width": 224}}],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_settings_that_checkpoints_have(name):
    pytest.importorskip("transformers")
    from tsugiki.backbones.sources.transformers_processor import read_processor

    for settings in PUBLISHED[name]:
        assert _agrees(name, settings, WIDE, read_processor), settings


@pytest.mark.robust(
    "networks", case="a processor setting that nobody here knows", right="refused by its name and value, nothing is dropped"
)
@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"do_pad": True}, "do_pad=True"),
        ({"do_resize": False}, "do_resize=False"),
        ({"image_mean": [0.5]}, "image_mean=(0.5,)"),
        ({"size": {"shortest_edge": 224}}, "do_center_crop=False"),
        ({"size": {"shortest_edge": 224, "longest_edge": 400}}, "size="),
        ({"size": {"max_height": 224, "max_width": 224}}, "size="),
        ({"resample": 5}, "resample=5"),
        ({"rescale_offset": True}, "rescale_offset=True"),
        ({"crop_pct": 0.9}, "crop_pct=0.9"),
        ({"do_sharpen": True}, "do_sharpen=True"),
        ({"image_processor_type": "SamImageProcessor"}, "image_processor_type='SamImageProcessor'"),
        ({"auto_map": {"AutoImageProcessor": "own.Processor"}}, "auto_map="),
    ],
)
def test_what_is_not_understood_is_refused_by_name(document, named):
    pytest.importorskip("transformers")
    from tsugiki.backbones.sources.transformers_processor import read_processor

    with pytest.raises(WeightsError, match="cannot be done here") as caught:
        read_processor({"image_processor_type": "ViTImageProcessor", **document})
    assert caught.value.got.startswith(named)


def test_files_of_older_versions_mean_what_they_meant():
    pytest.importorskip("transformers")
    from tsugiki.backbones.sources.transformers_processor import read_processor

    plain = Preprocess(fit="squash", interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3, halves="down")
    assert read_processor({"feature_extractor_type": "ViTFeatureExtractor", "size": 224}).preprocess == plain
    assert read_processor({"size": 224, "do_pad": False, "do_reduce_labels": None}, model_type="vit").preprocess == plain
    old = {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875}
    assert read_processor(old).preprocess.resize == 256
    with pytest.raises(WeightsError, match="cannot be done here"):
        read_processor({"size": 224}, model_type="nobody_knows")


def test_transformers_own_scale_goes_into_mean_and_std():
    pytest.importorskip("transformers")
    from tsugiki.backbones.sources.transformers_processor import read_processor

    settings = {"size": 8, "rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3}
    got = read_processor({"image_processor_type": "ViTImageProcessor", **settings}).preprocess
    white = got(Image.new("RGB", (8, 8), "white"))
    torch.testing.assert_close(white, torch.full((3, 8, 8), 255 / 127.5 - 1.0))
