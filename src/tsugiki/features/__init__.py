"""Each photo is looked at once: features, computed by the fastest engine and kept."""
