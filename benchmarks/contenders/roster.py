"""Who takes part in the table of many sets, under which name and with which words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Files:
    """The folder of the networks' weights, and what is in it."""

    folder: Path

    @property
    def first(self) -> Path:
        """MobileNetV2, as torchvision has it: every contender's network where its words name no other."""
        return (self.folder / "mobilenet_v2.torchvision.safetensors").absolute()

    @property
    def second(self) -> Path:
        """MobileNetV1 of timm, its features only."""
        return (self.folder / "mobilenetv1_100.same_pad.features.safetensors").absolute()


@dataclass(frozen=True)
class Contender:
    """One way to make a classifier.

    Attributes:
        title: What the page calls it.
        module: Its module in this folder.
        options: Its own words; ``{first}`` and ``{second}`` stand for files of weights.
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
        return [str(files.first), *(word.format(first=files.first, second=files.second) for word in self.options)]


CONTENDERS = {
    "tsugiki_transfer": Contender("tsugiki, transfer learning", "tsugiki_fit"),
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
