"""Floor 3: features of photos, computed once by the fastest engine and kept."""
