"""One module per format: what it writes, and what it needs."""
