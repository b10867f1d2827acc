"""Who takes part in the table of many sets, under which name and with which words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_NETWORKS = {
    "mobilenetv2": ("torchvision:mobilenet_v2", "mobilenet_v2.torchvision.safetensors"),
    "mobilenetv1": ("timm:mobilenetv1_100", "mobilenetv1_100.same_pad.features.safetensors"),
    "mobilenetv2-timm": ("timm:mobilenetv2_100", "mobilenetv2_100.same_pad.safetensors"),
}
"""Networks that are pretrained on ImageNet, by the names that they have in the zoo file: architecture, and file of weights."""


@dataclass(frozen=True)
class Files:
    """Weights that are on this machine.

    Attributes:
        folder: Where the networks' weights are.
        zoo: The zoo file that gives the program names for them.
    """

    folder: Path
    zoo: Path

    @property
    def first(self) -> Path:
        """MobileNetV2, as torchvision has it: every contender's network where its words name no other."""
        return (self.folder / _NETWORKS["mobilenetv2"][1]).absolute()

    def write_zoo(self) -> None:
        """Write the zoo file: of every network whose weights are there."""
        entries = []
        for name, (architecture, file) in _NETWORKS.items():
            weights = (self.folder / file).absolute()
            if weights.exists():
                given = f"architecture = {json.dumps(architecture)}\nweights = {json.dumps(str(weights))}"
                own = '\nmodel_args = { pad_type = "same" }' if architecture.startswith("timm:") else ""
                entries.append(f"[backbone.{name}]\n{given}{own}\n")
        self.zoo.parent.mkdir(parents=True, exist_ok=True)
        self.zoo.write_text("\n".join(entries), encoding="utf-8")


@dataclass(frozen=True)
class Contender:
    """One way to make a classifier.

    Attributes:
        title: What the page calls it.
        module: Its module in this folder.
        options: Its own words; ``{zoo}`` stands for the zoo file.
    """

    title: str
    module: str
    options: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is the program itself."""
        return self.module == "tsugiki_fit"

    def words(self, files: Files) -> list[str]:
        """Its command line after the table of photos."""
        return [str(files.first), *(str(files.zoo) if word == "{zoo}" else word for word in self.options)]


CONTENDERS = {
    "tsugiki_transfer": Contender("tsugiki, transfer learning", "tsugiki_fit"),
    "tsugiki_two": Contender(
        "tsugiki, two networks", "tsugiki_fit", ("--backbone", "mobilenetv2+mobilenetv1", "--zoo", "{zoo}")
    ),
    "tsugiki_best": Contender("tsugiki, --backbone best", "tsugiki_fit", ("--backbone", "best", "--zoo", "{zoo}")),
    "tsugiki_fine_tune": Contender("tsugiki, fine-tuning", "tsugiki_fit", ("--method", "fine-tune")),
    "tsugiki_auto": Contender("tsugiki, --method auto", "tsugiki_fit", ("--method", "auto")),
    "sklearn": Contender("scikit-learn on frozen features", "frozen_features"),
    "article_frozen": Contender("the article's recipe, frozen", "plain_recipe"),
    "article_fine_tune": Contender("the article's recipe, fine-tuned", "plain_recipe", ("--fine-tune",)),
    "fastai_frozen": Contender("fastai vision_learner, frozen", "fastai_head"),
    "fastai_fine_tune": Contender("fastai fine_tune", "fastai_head", ("--fine-tune",)),
    "hf_frozen": Contender("Hugging Face Trainer, frozen", "hf_trainer"),
    "hf_fine_tune": Contender("Hugging Face Trainer, fine-tuned", "hf_trainer", ("--fine-tune",)),
}
