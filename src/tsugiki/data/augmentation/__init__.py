"""Photos varied while all layers learn."""
