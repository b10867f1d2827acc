"""From a name to a pretrained network with its own preprocessing."""
