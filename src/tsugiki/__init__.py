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

__version__ = "0.1.0"

FLOORS = ("core", "data", "backbones", "features", "classifier", "evaluation", "training", "reporting", "cli")
"""Package folders, ground first."""
