"""tsugiki (接ぎ木, grafting): labelled photos and a pretrained network become a classifier you can trust.

One way through the house::

    named photos -> Listing -> Samples -> FeatureTable -> head -> Classifier -> Run -> run folder -> report

``load``, ``extract``, ``fit_head``, ``calibrate``, ``judge``, ``inspect``, ``save``: each arrow is one function, and
``tsugiki/training/fit.py`` has them in this order. ``docs/architecture.md`` is the map.

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that ``import tsugiki`` costs nothing.
"""

import lazy_loader

__version__ = "0.1.0"

FLOORS = (
    "locale",
    "core",
    "data",
    "evaluation",
    "backbones",
    "features",
    "classifier",
    "heads",
    "inspection",
    "fine_tuning",
    "training",
    "reporting",
    "publishing",
    "serving",
    "cli",
)
"""Package folders, ground first: a folder imports only floors below its own (``tests/test_laws.py`` reads every import)."""

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
