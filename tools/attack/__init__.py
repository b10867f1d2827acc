"""Attacks on the program: what it survives is counted, `python -m tools.attack --help`."""
