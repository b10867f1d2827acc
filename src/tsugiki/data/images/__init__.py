"""From a file's bytes to pixels: the one decoder."""
