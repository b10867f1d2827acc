"""One suite over every source of backbones: what the rest of the program may rely on."""

import copy
import importlib.util
import json
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.freezing import freeze
from tsugiki.backbones.load_backbone import load_backbone, rebuild_backbone

needs_transformers = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers not installed")


def _state(name, **model_args):
    from tsugiki.backbones.load_backbone import build_network

    torch.manual_seed(3)
    network, _ = build_network(name, model_args=model_args)
    for part in network.modules():  # statistics that are not those of a fresh network
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return network.state_dict()


def _bundled(_):
    return load_backbone("bundled:nae")


def _torchvision(_):
    return load_backbone("torchvision:mobilenet_v3_small", weights="none")


def _squeezenet(_):
    return load_backbone("squeezenet1_1", weights="none")


def _timm(_):
    return load_backbone("timm:test_convnext", weights="none")


def _transformer(_):
    return load_backbone("timm:test_vit", weights="none")


def _two_heads(_):
    return load_backbone("timm:levit_128s", weights="none")


def _safetensors(folder):
    save_file(_state("timm:test_resnet"), folder / "own.safetensors", metadata={"license": "MIT"})
    return load_backbone("timm:test_resnet", weights=folder / "own.safetensors")


def _pth(folder):
    torch.save({"state_dict": {f"module.{k}": v for k, v in _state("resnet18").items()}}, folder / "own.pth")
    return load_backbone("resnet18", weights=str(folder / "own.pth"))


def _zoo(folder):
    save_file(_state("timm:test_efficientnet", pad_type="same"), folder / "w.safetensors")
    (folder / "zoo.toml").write_text(
        '[backbone.ours]\narchitecture = "timm:test_efficientnet"\nweights = "w.safetensors"\nlicence = "MIT"\n'
        'model_args = { pad_type = "same" }\npreprocess = { size = [96, 64], fit = "squash" }\n'
    )
    return load_backbone("ours", zoo=folder / "zoo.toml")


def _hub_timm(folder):
    save_file(_state("timm:test_resnet", num_classes=7), folder / "model.safetensors")
    config = {"architecture": "test_resnet", "num_classes": 7, "pretrained_cfg": {"input_size": [3, 96, 96], "crop_pct": 0.8}}
    (folder / "config.json").write_text(json.dumps(config))
    return load_backbone("hub:someone/small")


VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32}


def _publish(network, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # transformers leaves a file to the garbage collector
        network.save_pretrained(folder)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def _hub_transformers(folder):
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(4)
    network = ViTForImageClassification(ViTConfig(**VIT, patch_size=8, num_labels=5)).eval()
    _publish(network, folder)
    backbone = load_backbone("hub:someone/vit")
    photos = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(backbone.head(backbone(photos)), network(pixel_values=photos).logits)
    return backbone


def _hub_distilled(folder):
    from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

    torch.manual_seed(5)
    network = DeiTForImageClassificationWithTeacher(DeiTConfig(**VIT, patch_size=8, num_labels=5)).eval()
    # Equal heads: then the average of the two answers is the answer to the average.
    network.distillation_classifier.load_state_dict(network.cls_classifier.state_dict())
    _publish(network, folder)
    backbone = load_backbone("hub:someone/deit")
    photos = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        answers = network.cls_classifier(backbone(photos))
        torch.testing.assert_close(answers, network(pixel_values=photos).logits)
    return backbone


SOURCES = {
    "bundled": _bundled,
    "torchvision": _torchvision,
    "torchvision-conv-head": _squeezenet,
    "timm": _timm,
    "timm-transformer": _transformer,
    "timm-two-heads": _two_heads,
    "file-safetensors": _safetensors,
    "file-pth": _pth,
    "zoo": _zoo,
    "hub-timm": _hub_timm,
    "hub-transformers": _hub_transformers,
    "hub-transformers-distilled": _hub_distilled,
}
WITH_OLD_HEAD = {"file-safetensors": 1000, "file-pth": 1000, "zoo": 1000, "hub-timm": 7, "hub-transformers": 5}
WITH_WEIGHTS = {*WITH_OLD_HEAD, "bundled", "hub-transformers-distilled"}


def _sources():
    return [pytest.param(kind, marks=needs_transformers if kind.startswith("hub-transformers") else ()) for kind in SOURCES]


@pytest.fixture(scope="module", params=_sources())
def made(request, tmp_path_factory):
    """The kind of source and a backbone from it, made once per kind."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("hub")
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        name = {"hub-timm": "small", "hub-transformers": "vit", "hub-transformers-distilled": "deit"}.get(request.param)
        # The cache's own layout, files put there by hand as the error sentence tells people to.
        folder = cache / f"models--someone--{name}" / "snapshots" / "main" if name else tmp_path_factory.mktemp("files")
        folder.mkdir(parents=True, exist_ok=True)
        yield request.param, SOURCES[request.param](folder)


@pytest.fixture
def backbone(made):
    return copy.deepcopy(made[1])


@pytest.fixture
def photos(backbone):
    torch.manual_seed(0)
    return torch.randn(3, 3, *backbone.preprocess.size)


def test_features_are_one_row_of_d_numbers_per_photo(backbone, photos):
    with torch.no_grad():
        features = backbone.features(photos)
    assert features.shape == (3, backbone.num_features)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    torch.testing.assert_close(features, backbone(photos))


def test_a_photo_has_the_same_features_alone_and_in_a_batch(backbone, photos):
    with torch.no_grad():
        together, alone = backbone(photos), backbone(photos[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-3, atol=1e-4)


def test_it_arrives_in_evaluation_mode_and_trains_like_any_module(backbone):
    assert not any(module.training for module in backbone.modules())
    backbone.train()
    assert all(module.training for module in backbone.modules())


def test_the_old_head_is_kept_apart(made, backbone):
    kind, _ = made
    names = {id(parameter) for parameter in backbone.parameters()}
    if kind in WITH_OLD_HEAD:
        assert backbone.head.out_features == WITH_OLD_HEAD[kind]
        assert not any(id(parameter) in names or parameter.requires_grad for parameter in backbone.head.parameters())
    else:
        assert backbone.head is None


def test_every_parameter_is_in_one_layer_group(backbone):
    grouped = [parameter for group in backbone.layer_groups() for parameter in group.parameters()]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(backbone.parameters())


def test_the_spec_survives_json_and_rebuilds_the_architecture(backbone, photos):
    spec = BackboneSpec.from_dict(json.loads(json.dumps(backbone.spec.to_dict())))
    again = rebuild_backbone(spec, backbone.preprocess)
    assert again.num_features == backbone.num_features
    again.load_state_dict(backbone.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(photos), backbone(photos), rtol=0, atol=0)


def test_the_origin_is_told(made, backbone):
    kind, _ = made
    assert (len(backbone.origin.sha256) == 64) == (kind in WITH_WEIGHTS)
    assert "/" not in backbone.origin.label or kind.startswith("hub")
    assert backbone.origin.licence == {"bundled": "Apache-2.0", "file-safetensors": "MIT", "zoo": "MIT"}.get(kind, "unknown")


def test_frozen_means_frozen(backbone, photos):
    freeze(backbone)
    before = copy.deepcopy(backbone.state_dict())
    head = nn.Linear(backbone.num_features, 2)
    model = nn.Sequential(backbone, head).train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for batch in (photos, photos[:1]):
        nn.functional.cross_entropy(model(batch), torch.zeros(len(batch), dtype=torch.long)).backward()
        optimizer.step()
    after = backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_features_of_frozen_layers_do_not_depend_on_the_mode(backbone, photos):
    freeze(backbone)
    with torch.no_grad():
        looked_at = backbone.eval()(photos)
        trained = backbone.train()(photos)
    assert torch.equal(looked_at, trained)


def test_weights_of_a_file_are_the_ones_that_answer(made):
    kind, backbone = made
    if kind == "file-pth":
        from torchvision.models import resnet18

        network = resnet18()
        network.load_state_dict(_state("resnet18"))
        photos = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            torch.testing.assert_close(backbone.head(backbone(photos)), network.eval()(photos))
    if kind == "hub-timm":
        assert backbone.preprocess.size == (96, 96)
        assert backbone.preprocess.resize == 120
    if kind == "zoo":
        assert backbone.preprocess.size == (96, 64)
        assert backbone.spec.model_args == {"pad_type": "same"}
