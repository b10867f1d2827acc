"""What a person asks of a backbone is known to work before a photo is read; folders and runs are backbones, too."""

import importlib.util
import json
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone, rebuild_backbone
from tsugiki.core.errors import RequestError, TsugikiError, WeightsError

needs_transformers = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers not installed")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32}
VIT = {**SMALL, "patch_size": 8}
PROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}


@pytest.mark.robust(
    "networks",
    case="`in_chans=1`, `global_pool=''`, an image size that the network cannot have, `features_only`",
    right="one sentence before anything is read, with the arguments",
)
@pytest.mark.parametrize(
    ("name", "model_args"),
    [
        ("timm:test_resnet", {"in_chans": 1}),
        ("timm:test_resnet", {"global_pool": ""}),
        ("timm:test_vit", {"global_pool": ""}),
        ("timm:test_vit", {"img_size": 100}),
        ("timm:test_vit", {"img_size": "large"}),
        ("timm:test_resnet", {"features_only": True}),
        ("timm:test_resnet", {"img_size": 64}),
        ("vit_b_32", {"image_size": 100}),
    ],
)
def test_what_cannot_work_is_said_at_once(name, model_args):
    with pytest.raises(RequestError) as caught:
        load_backbone(name, weights="none", model_args=model_args)
    assert not str(caught.value).startswith("Traceback")
    assert caught.value.got


@pytest.mark.robust(
    "networks", case="`image_size` of torchvision's ViT, `img_size` of timm's", right="photos are prepared in that size"
)
@pytest.mark.parametrize(
    ("name", "model_args", "size"),
    [
        ("vit_b_32", {"image_size": 96}, (96, 96)),
        ("timm:test_vit", {"img_size": 96}, (96, 96)),
        ("timm:test_vit", {"img_size": [96, 128]}, (96, 128)),
    ],
)
def test_the_size_of_photos_follows_the_arguments(name, model_args, size):
    assert load_backbone(name, weights="none", model_args=model_args).preprocess.size == size


@pytest.mark.long
def test_positions_of_torchvisions_vit_are_stretched_to_another_size(tmp_path):
    torch.manual_seed(0)
    small = load_backbone("vit_b_32", weights="none", model_args={"image_size": 96})
    torch.save(small.body.state_dict(), tmp_path / "w.pth")
    larger = load_backbone("vit_b_32", weights=tmp_path / "w.pth", model_args={"image_size": 128})
    assert larger.body.encoder.pos_embedding.shape[1] == 17
    assert torch.equal(larger.body.conv_proj.weight, small.body.conv_proj.weight)


def _in_folder(network, folder, processor=None, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # transformers leaves a file to the garbage collector
        network.eval().save_pretrained(folder, **how)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor or PROCESSOR))
    return network


def _photos():
    torch.manual_seed(9)
    return torch.randn(2, 3, 32, 32)


def _features(backbone):
    with torch.no_grad():
        return backbone(_photos())


def _text(**more):
    return {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 20,
    } | more


def _clip(transformers):
    text = _text(bos_token_id=0, eos_token_id=1, pad_token_id=1)
    network = transformers.CLIPModel(transformers.CLIPConfig(vision_config=VIT, text_config=text, projection_dim=16))
    return network, lambda photos: network.vision_model(pixel_values=photos).pooler_output


def _siglip(transformers):
    text = _text(bos_token_id=0, eos_token_id=1, pad_token_id=1)
    network = transformers.SiglipModel(transformers.SiglipConfig(vision_config=VIT, text_config=text))
    return network, lambda photos: network.vision_model(pixel_values=photos).pooler_output


def _vit(transformers):
    network = transformers.ViTModel(transformers.ViTConfig(**VIT))
    return network, lambda photos: network(pixel_values=photos).last_hidden_state[:, 0]


def _mae(transformers):
    decoder = {f"decoder_{key}": value for key, value in SMALL.items() if key != "image_size"}
    network = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**VIT, **decoder, mask_ratio=0.0))
    return network, lambda photos: network.vit(pixel_values=photos).last_hidden_state[:, 0]


def _dinov2(transformers):
    network = transformers.Dinov2Model(transformers.Dinov2Config(**{k: v for k, v in VIT.items() if k != "intermediate_size"}))

    def both(photos):
        tokens = network(pixel_values=photos).last_hidden_state
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1)

    return network, both


def _dinov3(transformers):
    network = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**VIT))
    return network, lambda photos: network(pixel_values=photos).pooler_output


TOWERS = {"ViTModel": _vit, "ViTMAE": _mae, "DINOv2": _dinov2, "DINOv3": _dinov3, "CLIP": _clip, "SigLIP": _siglip}


@needs_transformers
@pytest.mark.robust(
    "networks",
    case="a ViT without classifier, MAE, DINOv2, DINOv3, the image tower of CLIP or SigLIP, in a local folder",
    right="a backbone, with the features that the library gives; what is for other tasks is left out and named",
)
@pytest.mark.parametrize("kind", TOWERS)
def test_networks_that_do_not_classify_are_backbones(tmp_path, capsys, kind):
    import transformers

    torch.manual_seed(1)
    network, expected = TOWERS[kind](transformers)
    _in_folder(network, tmp_path / "net")
    backbone = load_backbone(str(tmp_path / "net"))
    with torch.no_grad():
        torch.testing.assert_close(_features(backbone), expected(_photos()))
    assert backbone.head is None
    assert str(tmp_path) not in json.dumps(backbone.spec.to_dict())
    again = rebuild_backbone(backbone.spec, backbone.preprocess)
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(_features(again), _features(backbone))
    if kind in {"CLIP", "SigLIP"}:
        assert "text_model" in capsys.readouterr().err


@needs_transformers
def test_a_sharded_checkpoint_in_a_folder(tmp_path):
    import transformers

    network = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=5))
    _in_folder(network, tmp_path / "net", max_shard_size="20KB")
    assert (tmp_path / "net" / "model.safetensors.index.json").exists()
    backbone = load_backbone(str(tmp_path / "net"))
    with torch.no_grad():
        torch.testing.assert_close(backbone.head(_features(backbone)), network(pixel_values=_photos()).logits)
    assert len(backbone.origin.sha256) == 64


@needs_transformers
@pytest.mark.robust(
    "networks", case="weights of the hub with other labels than its config", right="the body is read, the old head is not kept"
)
def test_other_labels_and_other_arguments(tmp_path):
    import transformers

    _in_folder(transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=5)), tmp_path / "net")
    state = load_file(tmp_path / "net" / "model.safetensors")
    state |= {"classifier.weight": torch.zeros(9, 32), "classifier.bias": torch.zeros(9)}
    save_file(state, tmp_path / "nine.safetensors")
    assert load_backbone(str(tmp_path / "net"), weights=tmp_path / "nine.safetensors").head is None
    assert load_backbone(str(tmp_path / "net"), model_args={"num_labels": 9}).head is None
    for wrong in (
        {"num_channels": 1},
        {"image_size": 64},
        {"image_size": "x"},
        {"num_hidden_layers": 1},
        {"num_hidden_layers": 3},
    ):
        with pytest.raises(TsugikiError):
            load_backbone(str(tmp_path / "net"), model_args=wrong)


@needs_transformers
@pytest.mark.robust(
    "networks",
    case="a checkpoint whose network expects blue first (MobileViT)",
    right="photos stay red first; the network turns them",
)
def test_blue_first_is_the_networks_own_affair(tmp_path):
    import numpy as np
    import transformers
    from PIL import Image

    sizes = {
        "hidden_sizes": [8, 8, 8],
        "neck_hidden_sizes": [8] * 7,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 2,
    }
    network = transformers.MobileViTForImageClassification(transformers.MobileViTConfig(**sizes, num_labels=3))
    processor = {"image_processor_type": "MobileViTFeatureExtractor", "size": 36, "crop_size": 32, "resample": 2}
    _in_folder(network, tmp_path / "net", processor)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 51, 3), np.uint8))
    theirs = transformers.MobileViTImageProcessorPil(
        size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}, resample=2
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        expected = network(pixel_values=torch.tensor(np.array(theirs(photo)["pixel_values"]))).logits
        backbone = load_backbone(str(tmp_path / "net"))
        ours = backbone.head(backbone(backbone.preprocess(photo)[None]))
        spec = rebuild_backbone(backbone.spec, backbone.preprocess)
    torch.testing.assert_close(ours, expected)
    assert spec.body.bgr


@needs_transformers
def test_ones_own_preprocessing_takes_the_place_of_one_that_cannot_be_done(tmp_path):
    import transformers

    _in_folder(
        transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)), tmp_path / "net", {**PROCESSOR, "do_pad": True}
    )
    with pytest.raises(WeightsError, match="cannot be done here"):
        load_backbone(str(tmp_path / "net"))
    own = tg.Preprocess(size=(32, 32), fit="pad")
    assert load_backbone(str(tmp_path / "net"), preprocess=own).preprocess == own


def test_a_folder_of_timm(tmp_path):
    import timm

    torch.manual_seed(2)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    timm.models.save_for_hf(network, tmp_path / "net")
    for name in (str(tmp_path / "net"), f"hub:{tmp_path}/net"):
        backbone = load_backbone(name)
        photos = torch.randn(2, 3, *backbone.preprocess.size)
        with torch.no_grad():
            torch.testing.assert_close(backbone.head(backbone(photos)), network(photos))
        assert str(backbone.spec) == "folder:net"
    for file in (tmp_path / "net").glob("*model*"):
        file.unlink()
    with pytest.raises(WeightsError, match="lacks a file"):
        load_backbone(str(tmp_path / "net"))


@pytest.fixture(scope="module")
def run(tmp_path_factory, nae):
    folder = tmp_path_factory.mktemp("runs") / "food"
    torch.manual_seed(3)
    return tg.Classifier(nae, classes=("a", "b")).save(folder)


@pytest.mark.robust(
    "networks", case="a run of one's own as `--backbone`", right="its network, weights and preprocessing, without its head"
)
def test_a_run_is_a_backbone(run, nae, tmp_path):
    backbone = load_backbone(str(run))
    state = nae.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in backbone.state_dict().items())
    assert backbone.preprocess == nae.preprocess
    assert backbone.origin.label == "food"
    assert str(run) not in json.dumps(backbone.spec.to_dict())
    again = tg.Classifier.load(tg.Classifier(str(run), classes=("x", "y", "z")).save(tmp_path / "next"))
    assert again.classes == ("x", "y", "z")
    # The weights alone will do for whoever names the network.
    same = load_backbone("bundled:nae", weights=run / "weights.safetensors")
    assert all(torch.equal(value, state[name]) for name, value in same.state_dict().items())


def test_a_damaged_run_is_no_backbone(run, tmp_path):
    for content in ("{}", "not json", '{"backbone": {"source": 3}}'):
        (tmp_path / "classifier.json").write_text(content)
        with pytest.raises(WeightsError, match="damaged"):
            load_backbone(str(tmp_path))
    (tmp_path / "classifier.json").write_text((run / "classifier.json").read_text())
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match="damaged"):
        load_backbone(str(tmp_path))
    with pytest.raises(RequestError, match="its network is what it is"):
        load_backbone(str(run), model_args={"num_classes": 3})
