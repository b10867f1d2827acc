"""tsugiki (接ぎ木, grafting): a folder of labelled photos and a pretrained network become a classifier you can trust.

The house has floors; a folder imports only floors below its own (``tests/test_laws.py`` reads every import)::

    10  cli          one file per verb
     7  reporting    plots, HTML report, model card
     6  training     fit a head on features, the fine-tuning loop, history
     5  evaluation   pure functions: scores and labels -> metrics, intervals, calibration, suspects, leaks
     4  classifier   Classifier and its artefact on disk
     3  features     engines and the feature store
     2  backbones    name -> pretrained network with its own preprocessing
     1  data         folder, manifest, archive or sample -> Samples; decode; Preprocess
     0  core         errors, messages, console, files, seeds, devices

Data flows one way: photos -> Samples -> Preprocess -> backbone -> features -> head -> logits -> answers -> report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.front_door import front_door

if TYPE_CHECKING:
    from tsugiki.backbones.freezing import freeze as freeze
    from tsugiki.backbones.freezing import unfreeze as unfreeze
    from tsugiki.backbones.heads import replace_head as replace_head
    from tsugiki.backbones.tables import parameter_table as parameter_table
    from tsugiki.backbones.tables import summary as summary
    from tsugiki.backbones.tinyvgg import TinyVGG as TinyVGG
    from tsugiki.classifier.classifier import Classifier as Classifier
    from tsugiki.classifier.prediction import Prediction as Prediction
    from tsugiki.core.seeds import set_seeds as set_seeds
    from tsugiki.data.augmentation import Augmentation as Augmentation
    from tsugiki.data.download import get_data as get_data
    from tsugiki.data.loaders import create_dataloaders as create_dataloaders
    from tsugiki.data.loading import load as load
    from tsugiki.data.preprocess import Preprocess as Preprocess
    from tsugiki.data.samples import Samples as Samples
    from tsugiki.reporting.batch_plot import plot_batch as plot_batch
    from tsugiki.reporting.comparison import plot_comparison as plot_comparison
    from tsugiki.reporting.curves import plot_loss_curves as plot_loss_curves
    from tsugiki.reporting.predictions_plot import plot_predictions as plot_predictions
    from tsugiki.reporting.predictions_plot import pred_and_plot_image as pred_and_plot_image
    from tsugiki.reporting.run_folder import save_run as save_run
    from tsugiki.reporting.summary_plot import plot_summary as plot_summary
    from tsugiki.training.audit import audit as audit
    from tsugiki.training.evaluating import evaluate as evaluate
    from tsugiki.training.evidence import Looking as Looking
    from tsugiki.training.fine_tune.settings import FineTuneSettings as FineTuneSettings
    from tsugiki.training.head import HeadSettings as HeadSettings
    from tsugiki.training.loop import evaluate_model as evaluate_model
    from tsugiki.training.loop import train as train
    from tsugiki.training.methods import FineTuning as FineTuning
    from tsugiki.training.methods import fit as fit
    from tsugiki.training.run import Run as Run

__version__ = "0.1.0"

FLOORS = ("core", "data", "backbones", "features", "classifier", "evaluation", "training", "reporting", "cli")
"""Package folders, ground first."""

_HOMES = {
    "Augmentation": "data.augmentation",
    "Classifier": "classifier.classifier",
    "FineTuneSettings": "training.fine_tune.settings",
    "FineTuning": "training.methods",
    "HeadSettings": "training.head",
    "Looking": "training.evidence",
    "Prediction": "classifier.prediction",
    "Preprocess": "data.preprocess",
    "Run": "training.run",
    "Samples": "data.samples",
    "TinyVGG": "backbones.tinyvgg",
    "audit": "training.audit",
    "create_dataloaders": "data.loaders",
    "evaluate": "training.evaluating",
    "evaluate_model": "training.loop",
    "fit": "training.methods",
    "freeze": "backbones.freezing",
    "get_data": "data.download",
    "load": "data.loading",
    "parameter_table": "backbones.tables",
    "plot_batch": "reporting.batch_plot",
    "plot_comparison": "reporting.comparison",
    "plot_loss_curves": "reporting.curves",
    "plot_predictions": "reporting.predictions_plot",
    "plot_summary": "reporting.summary_plot",
    "pred_and_plot_image": "reporting.predictions_plot",
    "replace_head": "backbones.heads",
    "save_run": "reporting.run_folder",
    "set_seeds": "core.seeds",
    "summary": "backbones.tables",
    "train": "training.loop",
    "unfreeze": "backbones.freezing",
}
"""Where each public name lives; it is imported when it is first used, so that ``import tsugiki`` costs nothing."""

__all__ = [
    "Augmentation",
    "Classifier",
    "FineTuneSettings",
    "FineTuning",
    "HeadSettings",
    "Looking",
    "Prediction",
    "Preprocess",
    "Run",
    "Samples",
    "TinyVGG",
    "__version__",
    "audit",
    "create_dataloaders",
    "evaluate",
    "evaluate_model",
    "fit",
    "freeze",
    "get_data",
    "load",
    "parameter_table",
    "plot_batch",
    "plot_comparison",
    "plot_loss_curves",
    "plot_predictions",
    "plot_summary",
    "pred_and_plot_image",
    "replace_head",
    "save_run",
    "set_seeds",
    "summary",
    "train",
    "unfreeze",
]

__getattr__, __dir__ = front_door(__name__, _HOMES)
