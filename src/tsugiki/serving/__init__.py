"""Trained classifiers behind HTTP: on this machine alone, unless a person says otherwise."""
