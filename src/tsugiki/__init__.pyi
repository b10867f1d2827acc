from .backbones.freezing import freeze as freeze
from .backbones.freezing import unfreeze as unfreeze
from .backbones.network_heads import replace_head as replace_head
from .backbones.tables import parameter_table as parameter_table
from .backbones.tables import summary as summary
from .backbones.tinyvgg import TinyVGG as TinyVGG
from .classifier.answer import Prediction as Prediction
from .classifier.classifier import Classifier as Classifier
from .classifier.load_predictor import load_predictor as load_predictor
from .core.seeds import set_seeds as set_seeds
from .data.augmentation.augment import Augmentation as Augmentation
from .data.load import load as load
from .data.loaders import create_dataloaders as create_dataloaders
from .data.preprocess import Preprocess as Preprocess
from .data.samples import Samples as Samples
from .data.sources.data_sets import get_data as get_data
from .features.extract import FeatureSettings as FeatureSettings
from .fine_tuning.settings import FineTuneSettings as FineTuneSettings
from .heads.linear import HeadSettings as HeadSettings
from .inspection.audit import audit as audit
from .inspection.evaluate import evaluate as evaluate
from .reporting.plots.batch_plot import plot_batch as plot_batch
from .reporting.plots.comparison_plot import plot_comparison as plot_comparison
from .reporting.plots.curves_plot import plot_loss_curves as plot_loss_curves
from .reporting.plots.predictions_plot import plot_predictions as plot_predictions
from .reporting.plots.predictions_plot import pred_and_plot_image as pred_and_plot_image
from .reporting.plots.summary_plot import plot_summary as plot_summary
from .reporting.run_folder import save_run as save_run
from .training.article_loop import evaluate_model as evaluate_model
from .training.article_loop import train as train
from .training.estimator import FeatureExtractor as FeatureExtractor
from .training.estimator import TransferClassifier as TransferClassifier
from .training.fit import FineTuning as FineTuning
from .training.fit import fit as fit
from .training.run import Run as Run

__version__: str
FLOORS: tuple[str, ...]
