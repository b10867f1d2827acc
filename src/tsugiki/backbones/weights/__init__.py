"""Files of weights: what is in them, and how they fill a network."""
