"""Floor 4: the classifier, how it answers, and its artefact on disk."""
