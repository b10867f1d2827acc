"""Floor 1: photos in. Folder, manifest, archive or sample -> :class:`Samples`; the one decoder; :class:`Preprocess`."""
